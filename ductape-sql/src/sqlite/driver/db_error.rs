//! What SQLite's errors mean.

use ductape_engine::DbError;

pub(super) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn db_error(error: &sqlx::Error) -> DbError {
    let code = error
        .as_database_error()
        .and_then(|error| error.code().map(|code| code.into_owned()));
    let message = reason(error);
    let would_break = ["error in view ", "error in trigger ", "error in index "]
        .iter()
        .any(|start| message.starts_with(start));
    // SQLITE_INTERRUPT (9): only `heed` does it.
    let broken_off = code.as_deref() == Some("9");
    let error = DbError::new(message)
        .busy(is_busy(error))
        .broken_off(broken_off)
        .code(code);
    match would_break {
        true => error.refused(
            "take what it names away with raw before it, and make it again afterwards in the new words",
        ),
        false => error,
    }
}

/// Whether another connection was at it: SQLITE_BUSY (5) and SQLITE_LOCKED (6), extended codes included.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    is_busy_code(code.as_deref())
}

pub(super) fn is_busy_code(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Whether rows contradict a constraint: SQLITE_CONSTRAINT (19), extended codes included.
pub(super) fn is_constraint(error: &DbError) -> bool {
    let code = error
        .code
        .as_deref()
        .and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == 19)
}
