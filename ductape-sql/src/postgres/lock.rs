//! The lock: an advisory lock on the very connection that does the work, so that both end together, and a
//! fence in the ledger that every acquisition raises.
//!
//! It is taken by asking again and again. A waiting `pg_advisory_lock` would hold a snapshot, and
//! `CREATE INDEX CONCURRENTLY` waits for every snapshot that is older than it: the holder would wait for
//! those who wait for it.

use super::client::{Answer, Broken, Client};
use super::connect::PostgresBackend;
use super::dialect::sql;
use super::place::Place;
use super::{Postgres, ledger_tables};
use crate::ledger::{put_sql, read_head};
use crate::writer::Sql;
use ductape_engine::lease::LeaseRow;
use ductape_engine::ledger::{HEAD_KEY, Head, LEDGER_FORMAT, LOCK_KEY, Put};
use ductape_engine::{Actor, DbError, Error, ErrorKind, Holder, Patience};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

/// The number by which the advisory lock is known, from a row that has `place.schema`. Advisory locks are
/// those of one database, so the database is not part of it.
const KEY: &str = "hashtextextended('ductape ' || place.schema, 0)";

/// The division by zero that a fence ends a unit with when the lock is not held any more.
pub(super) const FENCE_DOWN: &str = "22012";

/// The lock as a session holds it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Its row in the ledger, as this session left it.
    row: String,
    /// The server's process that has the advisory lock.
    process: String,
    /// The number of the advisory lock.
    key: String,
}

impl Held {
    /// The statement that opens every unit: it keeps a successor from raising the fence until the unit
    /// ended, and fails where one has, or where the connection is not the one that has the lock.
    pub fn fence(&self, place: &Place) -> String {
        let text = sql().words("SELECT 1 / count(*) FROM (SELECT FROM ");
        place
            .names
            .table(text, &place.names.state)
            .words(" WHERE key = ")
            .text(LOCK_KEY)
            .words(" AND value = ")
            .text(&self.row)
            .words(" AND pg_backend_pid() = ")
            .sql(&self.process)
            .words(" FOR SHARE) AS fence")
            .finish()
    }

    /// Whether somebody else took the lock after it was lost with its connection.
    pub async fn passed_on(&self, client: &mut Client, place: &Place) -> Result<bool, DbError> {
        Ok(read_row(client, place).await?.as_deref() != Some(&self.row))
    }

    /// The text that lets go: the row says so, then the advisory lock goes. Its second answer has a row if
    /// the lock was still held, its last one tells whether the connection had it.
    fn release(&self, place: &Place) -> Option<String> {
        let row: LeaseRow = serde_json::from_str(&self.row).ok()?;
        let released = serde_json::to_string(&row.released()).ok()?;
        let text = sql()
            .words("BEGIN;\n")
            .sql(&place.settings())
            .words(";\nUPDATE ");
        let text = place
            .names
            .table(text, &place.names.state)
            .words(" SET value = ")
            .text(&released)
            .words(" WHERE key = ")
            .text(LOCK_KEY)
            .words(" AND value = ")
            .text(&self.row)
            .words(";\nCOMMIT;\nSELECT pg_advisory_unlock(")
            .sql(&self.key)
            .words(")");
        Some(text.finish())
    }
}

/// What an attempt at the lock came to.
enum Attempt {
    Taken(Box<(Place, Held)>),
    /// Its row is not the one that was expected.
    PassedOn,
    Busy,
}

/// A connection with the lock.
pub(super) type Taken = (Client, Place, Held);

/// Takes the lock, waiting for it as long as patience lasts, and makes the ledger where there is none.
pub(super) async fn take(
    backend: &PostgresBackend,
    actor: &Actor,
    patience: &Patience,
) -> Result<Taken, Error> {
    wait(backend, actor, patience, None)
        .await?
        .ok_or_else(|| Error::internal("the lock was expected of nobody, and not found so"))
}

/// Takes the lock again after its connection was lost; nothing if somebody else had it meanwhile.
pub(super) async fn take_over(
    backend: &PostgresBackend,
    actor: &Actor,
    patience: &Patience,
    held: &Held,
) -> Result<Option<Taken>, Error> {
    wait(backend, actor, patience, Some(&held.row)).await
}

async fn wait(
    backend: &PostgresBackend,
    actor: &Actor,
    patience: &Patience,
    expected: Option<&str>,
) -> Result<Option<Taken>, Error> {
    let started = Instant::now();
    let mut client = backend.connect().await?;
    let mut pause = Duration::from_millis(10);
    loop {
        match attempt(&mut client, backend, actor, expected).await? {
            Attempt::Taken(taken) => {
                let (place, held) = *taken;
                return Ok(Some((client, place, held)));
            }
            Attempt::PassedOn => return Ok(None),
            Attempt::Busy => {}
        }
        if started.elapsed() >= patience.wait {
            let place = Place::find(&mut client, backend.schema()).await?;
            let holder = holder(&mut client, &place).await?;
            client.close().await;
            return Err(Error::locked(holder.as_ref(), patience.wait));
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

async fn attempt(
    client: &mut Client,
    backend: &PostgresBackend,
    actor: &Actor,
    expected: Option<&str>,
) -> Result<Attempt, Error> {
    let query = Place::query(
        backend.schema(),
        &format!(", pg_try_advisory_lock({KEY}), pg_backend_pid(), {KEY}"),
    );
    let answer = client.answer(query).await?;
    let place = Place::of(&answer, backend.schema());
    let more = |column: usize| answer.first(Place::COLUMNS + column);
    if place.schema.is_none() {
        return Err(Error::of(
            ErrorKind::Usage,
            "there is no schema to work in: none of those in search_path exists",
        )
        .hint("name one in the URL: ?schema=public"));
    }
    if more(0) != Some("t") {
        return Ok(Attempt::Busy);
    }
    let process = more(1).unwrap_or_default().to_owned();
    let key = more(2).unwrap_or_default().to_owned();
    let (mut place, made) = raise_fence(client, place, actor, expected).await?;
    place.has_ledger = true;
    if made.process != process {
        return Err(Error::of(
            ErrorKind::Connection,
            "each transaction is on another connection to the server: a pooler stands between",
        )
        .hint(
            "give a URL that reaches the server itself, or a pool that keeps a session together",
        ));
    }
    let Some(row) = made.row else {
        return Ok(Attempt::PassedOn);
    };
    Ok(Attempt::Taken(Box::new((
        place,
        Held { row, process, key },
    ))))
}

struct Raised {
    /// The new row; nothing if the old one was not the one that was expected.
    row: Option<String>,
    process: String,
}

/// Makes the ledger where there is none, and raises the fence. With the advisory lock held nobody else
/// is at it; a successor waits here for the last unit of a predecessor that does not know of its end.
async fn raise_fence(
    client: &mut Client,
    place: Place,
    actor: &Actor,
    expected: Option<&str>,
) -> Result<(Place, Raised), Error> {
    let mut statements = vec!["BEGIN".to_owned(), place.settings()];
    if !place.has_ledger {
        statements.extend(ledger_tables::make(&place));
        let head = Head {
            format: LEDGER_FORMAT,
            ..Head::default()
        };
        statements.push(put_sql::<Postgres>(
            &place.names,
            &Put::State {
                key: HEAD_KEY.to_owned(),
                value: serde_json::to_string(&head).ok(),
            },
        ));
    }
    let names = &place.names;
    statements.push(raise_sql(&place, actor, expected));
    let read = names.table(
        sql().words("SELECT value, pg_backend_pid() FROM "),
        &names.state,
    );
    statements.push(read.words(" WHERE key = ").text(HEAD_KEY).finish());
    statements.push("COMMIT".to_owned());
    let mut attempts = 0;
    let mut answers = loop {
        match client.ask(statements.join(";\n")).await {
            Ok(answers) => break answers,
            Err(broken) if broken.contended() && attempts < 30 => {
                attempts += 1;
                client
                    .ask("ROLLBACK".to_owned())
                    .await
                    .map_err(DbError::from)?;
            }
            Err(broken) => return Err(broken.error.into()),
        }
    };
    answers.pop();
    let head = answers.pop().unwrap_or_default();
    let row = answers.pop().unwrap_or_default();
    if let Some(value) = head.first(0) {
        read_head(value)?;
    }
    let raised = Raised {
        row: row.first(0).map(str::to_owned),
        process: head.first(1).unwrap_or_default().to_owned(),
    };
    Ok((place, raised))
}

/// The statement that writes the lock's row anew, with the fence raised, and gives it back.
fn raise_sql(place: &Place, actor: &Actor, expected: Option<&str>) -> String {
    let new = |text: Sql, nonce: &'static str, fence: &'static str| {
        text.words("json_build_object('owner', ")
            .text(&actor.owner)
            .words(", 'host', ")
            .text(&actor.host)
            .words(", 'since', ")
            .text(&jiff::Timestamp::now().to_string())
            .words(", 'leaseMs', 0, 'nonce', ")
            .words(nonce)
            .words(", 'fence', ")
            .words(fence)
            .words(")::text")
    };
    let text = sql().words("INSERT INTO ");
    let text = place
        .names
        .table(text, &place.names.state)
        .words(" AS lock (key, value) VALUES (")
        .text(LOCK_KEY)
        .words(", ");
    let text = new(text, "1", "1").words(") ON CONFLICT (key) DO UPDATE SET value = ");
    new(
        text,
        "(lock.value::json ->> 'nonce')::bigint + 1",
        "(lock.value::json ->> 'fence')::bigint + 1",
    )
    .maybe(expected, |text, row| {
        text.words(" WHERE lock.value = ").text(row)
    })
    .words(" RETURNING value")
    .finish()
}

/// Lets go of the lock; true if it was held to the end.
pub(super) async fn release(
    client: &mut Client,
    place: &Place,
    held: &Held,
) -> Result<bool, Broken> {
    let Some(text) = held.release(place) else {
        return Ok(false);
    };
    let answers = client.ask(text).await?;
    let let_go = answers.get(2).is_some_and(|answer| answer.affected == 1);
    let had_it = answers.last().and_then(|answer| answer.first(0)) == Some("t");
    Ok(let_go && had_it)
}

async fn read_row(client: &mut Client, place: &Place) -> Result<Option<String>, DbError> {
    if !place.has_ledger {
        return Ok(None);
    }
    let text = sql().words("SELECT value FROM ");
    let text = place
        .names
        .table(text, &place.names.state)
        .words(" WHERE key = ")
        .text(LOCK_KEY)
        .finish();
    Ok(client.answer(text).await?.first(0).map(str::to_owned))
}

/// The processes that have the advisory lock. Everybody may see them.
fn processes(place: &Place, column: &'static str) -> String {
    sql()
        .words("SELECT ")
        .words(column)
        .words(" FROM (SELECT ")
        .text(place.schema_name())
        .words("::text AS schema) AS place, LATERAL (SELECT ")
        .sql(KEY)
        .words(" AS key) AS advisory, pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid = ((key >> 32) & 4294967295)::oid AND objid = (key & 4294967295)::oid AND objsubid = 1 AND granted")
        .finish()
}

/// Who holds the lock: the row says who, the server whether the connection is still there.
pub(super) async fn holder(client: &mut Client, place: &Place) -> Result<Option<Holder>, DbError> {
    let Some(row) = read_row(client, place).await? else {
        return Ok(None);
    };
    let row: LeaseRow = serde_json::from_str(&row)
        .map_err(|error| DbError::new(format!("the lock's row cannot be read: {error}")))?;
    let Some(mut holder) = row.holder() else {
        return Ok(None);
    };
    let there: Answer = client.answer(processes(place, "pid")).await?;
    holder.lease_ms = None;
    Ok((!there.rows.is_empty()).then_some(holder))
}

/// Takes the lock away from whoever holds it: ends the holder's connection, and raises the fence.
pub(super) async fn take_away(backend: &PostgresBackend) -> Result<Option<Holder>, Error> {
    let mut client = backend.connect().await?;
    let place = Place::find(&mut client, backend.schema()).await?;
    let holder = holder(&mut client, &place).await?;
    if place.has_ledger {
        client
            .answer(processes(&place, "pg_terminate_backend(pid)"))
            .await
            .map_err(|error| {
                Error::from(error).hint(
                    "ending another's connection takes the same role, or one that is in pg_signal_backend",
                )
            })?;
        let text = sql().words("UPDATE ");
        let text = place
            .names
            .table(text, &place.names.state)
            .words(" SET value = (value::jsonb || jsonb_build_object('owner', NULL, 'nonce', (value::json ->> 'nonce')::bigint + 1, 'fence', (value::json ->> 'fence')::bigint + 1))::text WHERE key = ")
            .text(LOCK_KEY)
            .finish();
        client.answer(text).await?;
    }
    client.close().await;
    Ok(holder)
}

/// About so long: those who wait for the same thing do not ask at the same time.
pub(super) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    pause / 2 + pause.mul_f64(random as f64 / 1000.0)
}
