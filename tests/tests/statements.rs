//! What SQLite itself is asked, counted where it runs each statement.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape::{Database, Migration, MigrationSet};
use libsqlite3_sys as ffi;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::Mutex;

static SEEN: Mutex<Seen> = Mutex::new(Seen {
    statements: Vec::new(),
    rows: 0,
});

#[derive(Default)]
struct Seen {
    statements: Vec<String>,
    rows: usize,
}

unsafe extern "C" fn trace(
    event: c_uint,
    _: *mut c_void,
    _: *mut c_void,
    text: *mut c_void,
) -> c_int {
    let mut seen = SEEN.lock().unwrap();
    if event == ffi::SQLITE_TRACE_ROW as c_uint {
        seen.rows += 1;
    } else {
        // SAFETY: for a statement SQLite gives its text, which ends with NUL.
        let text = unsafe { CStr::from_ptr(text as *const c_char) };
        seen.statements.push(text.to_string_lossy().into_owned());
    }
    0
}

unsafe extern "C" fn watch(
    connection: *mut ffi::sqlite3,
    _: *mut *mut c_char,
    _: *const ffi::sqlite3_api_routines,
) -> c_int {
    let events = (ffi::SQLITE_TRACE_STMT | ffi::SQLITE_TRACE_ROW) as c_uint;
    // SAFETY: SQLite calls this with the connection that it just opened.
    unsafe { ffi::sqlite3_trace_v2(connection, events, Some(trace), std::ptr::null_mut()) }
}

/// What was asked since the last time, but for the pragmas with which a connection is opened.
fn asked() -> Seen {
    let mut seen = std::mem::take(&mut *SEEN.lock().unwrap());
    seen.statements.retain(|text| !text.starts_with("PRAGMA"));
    seen
}

fn migrations(count: usize) -> MigrationSet {
    let migrations = (0..count).map(|place| {
        Migration::parse(&format!(
            r#"{{"format": 1, "tag": "20240101_{place:06}_m{place}", "up": [
                {{"type": "createCollection", "name": "t{place}", "fields": {{"a": "integer"}}}}]}}"#
        ))
        .unwrap()
    });
    MigrationSet::new(migrations).unwrap()
}

#[tokio::test]
async fn a_start_with_nothing_to_do_is_one_query_of_one_row() {
    // SAFETY: the function has the signature that SQLite expects of an extension's entry point.
    assert_eq!(unsafe { ffi::sqlite3_auto_extension(Some(watch)) }, 0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    let url = format!("sqlite://{}", file.display());
    let set = migrations(5);
    let engine = Database::connect(&url).await.unwrap().engine();
    assert_eq!(engine.up_all(&set).await.unwrap().applied.len(), 5);
    assert!(asked().statements.len() > 10, "what is asked is seen");

    let nothing_to_do = async || {
        asked();
        let engine = Database::connect(&url).await.unwrap().engine();
        assert!(engine.up_all(&set).await.unwrap().applied.is_empty());
        let seen = asked();
        let [statement] = seen.statements.as_slice() else {
            panic!("more than one statement: {:?}", seen.statements);
        };
        assert!(statement.starts_with("SELECT value"), "{statement}");
        // The pragmas of a connection may answer with a row each.
        statement.clone()
    };
    let with_five = nothing_to_do().await;

    // The same with a long history.
    let many = "WITH RECURSIVE n(i) AS (SELECT 6 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) \
        INSERT INTO ductape_migrations (seq, tag, name, checksum, status, migration, down, progress, \
            steps_done, steps_total, applied_at, duration_ms, applied_by, tool_version) \
        SELECT i, '20230101_000000_o' || i, 'o' || i, checksum, status, migration, down, progress, \
            steps_done, steps_total, applied_at, duration_ms, applied_by, tool_version \
        FROM n, ductape_migrations WHERE seq = 1";
    let mut connection = connect(&url).await;
    sqlx::raw_sql(many).execute(&mut connection).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM ductape_migrations")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(rows, 50_000);
    assert_eq!(nothing_to_do().await, with_five);

    // It is by its key that the one row is found, and it is one.
    asked();
    let found = sqlx::raw_sql(sqlx::AssertSqlSafe(with_five))
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!((found.len(), asked().rows), (1, 1));
}

async fn connect(url: &str) -> sqlx::SqliteConnection {
    use sqlx::Connection;
    sqlx::SqliteConnection::connect(url).await.unwrap()
}
