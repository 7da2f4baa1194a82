//! The lock's row, which is never deleted, and the row of the signs of life, which is there while a lease
//! is held. They are two, because a unit keeps the first one locked for as long as it lasts.

use super::super::super::dialect::sql;
use super::super::client::Client;
use super::super::place::Place;
use crate::writer::Sql;
use ductape_engine::lease::LeaseRow;
use ductape_engine::ledger::LOCK_KEY;
use ductape_engine::{Actor, DbError};
use std::time::Duration;

/// The key of the signs of life: a number that goes on from the nonce with which the lock was taken.
pub(super) const HEARTBEAT_KEY: &str = "lock:heartbeat";

/// Which row of the lock may be replaced by whoever takes it.
#[derive(Debug, Clone)]
pub(super) enum Over {
    /// That of nobody, or one that was kept by a session. Whoever says so has the advisory lock.
    NoLease,
    /// Exactly this one; without one, none.
    Seen(Option<String>),
}

/// The lock's row as it was read.
pub(super) struct Seen {
    pub text: String,
    /// What it says, with the last sign of life as its nonce.
    pub row: LeaseRow,
}

impl Seen {
    /// Reads the row; nothing if nobody ever had the lock.
    pub async fn read(client: &mut Client, place: &Place) -> Result<Option<Self>, DbError> {
        if !place.has_ledger {
            return Ok(None);
        }
        let names = &place.names;
        let text = names
            .table(sql().words("SELECT key, value FROM "), &names.state)
            .words(" WHERE key IN (")
            .texts([LOCK_KEY, HEARTBEAT_KEY])
            .words(")")
            .finish();
        let answer = client.answer(text).await?;
        let value = |key: &str| {
            let mut rows = answer.rows.iter();
            let row = rows.find(|row| matches!(row.first(), Some(Some(found)) if found == key))?;
            row.get(1)?.clone()
        };
        let Some(text) = value(LOCK_KEY) else {
            return Ok(None);
        };
        let mut row: LeaseRow = serde_json::from_str(&text)
            .map_err(|error| DbError::new(format!("the lock's row cannot be read: {error}")))?;
        let last = value(HEARTBEAT_KEY).and_then(|nonce| nonce.parse().ok());
        row.nonce = row.nonce.max(last.unwrap_or(0));
        Ok(Some(Self { text, row }))
    }

    /// Whether it is kept by a session of the server rather than by signs of life.
    pub fn is_of_a_session(&self) -> bool {
        self.row.lease_ms == 0
    }
}

/// The nonce of the next row: greater than the last one's, and than every sign of life.
pub(super) fn next_nonce(place: &Place, text: Sql) -> Sql {
    let names = &place.names;
    let text = text.words(
        "greatest((lock.value::json ->> 'nonce')::bigint, coalesce((SELECT value::bigint FROM ",
    );
    names
        .table(text, &names.state)
        .words(" WHERE key = ")
        .text(HEARTBEAT_KEY)
        .words("), 0)) + 1")
}

/// The statement that writes the lock's row anew, with the fence raised, and gives it back; nothing if
/// the row is not one that may be replaced.
pub(super) fn raise_sql(
    place: &Place,
    actor: &Actor,
    lease: Option<Duration>,
    over: &Over,
) -> String {
    let names = &place.names;
    let state = |text: Sql| names.table(text, &names.state);
    let lease_ms = lease.map_or(0, |lease| lease.as_millis().max(1));
    let new = |text: Sql| {
        text.words("json_build_object('owner', ")
            .text(&actor.owner)
            .words(", 'host', ")
            .text(&actor.host)
            .words(", 'since', ")
            .text(&jiff::Timestamp::now().to_string())
            .words(", 'leaseMs', ")
            .number(i64::try_from(lease_ms).unwrap_or(i64::MAX))
            .words(", 'nonce', ")
    };
    let text = state(sql().words("WITH taken AS (INSERT INTO "))
        .words(" AS lock (key, value) VALUES (")
        .text(LOCK_KEY)
        .words(", ");
    let text = new(text).words("1, 'fence', 1)::text) ON CONFLICT (key) DO UPDATE SET value = ");
    let text = next_nonce(place, new(text))
        .words(", 'fence', (lock.value::json ->> 'fence')::bigint + 1)::text WHERE ");
    let text = match over {
        Over::NoLease => text.words(
            "lock.value::json ->> 'owner' IS NULL OR (lock.value::json ->> 'leaseMs')::bigint = 0",
        ),
        Over::Seen(Some(row)) => text.words("lock.value = ").text(row),
        Over::Seen(None) => text.words("FALSE"),
    };
    let text = text.words(" RETURNING value), life AS (");
    let text = match lease {
        Some(_) => state(text.words("INSERT INTO "))
            .words(" (key, value) SELECT ")
            .text(HEARTBEAT_KEY)
            .words(", value::json ->> 'nonce' FROM taken ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
        None => state(text.words("DELETE FROM "))
            .words(" WHERE key = ")
            .text(HEARTBEAT_KEY)
            .words(" AND EXISTS (SELECT FROM taken)"),
    };
    text.words(") SELECT value FROM taken").finish()
}

/// The statement that takes the lock away from whoever has it.
pub(super) fn take_away_sql(place: &Place) -> String {
    let names = &place.names;
    let state = |text: Sql| names.table(text, &names.state);
    let text = state(sql().words("WITH gone AS (UPDATE ")).words(
        " AS lock SET value = (lock.value::jsonb || jsonb_build_object('owner', NULL, 'nonce', ",
    );
    let text = next_nonce(place, text)
        .words(", 'fence', (lock.value::json ->> 'fence')::bigint + 1))::text WHERE key = ")
        .text(LOCK_KEY)
        .words(" RETURNING key) DELETE FROM ");
    state(text)
        .words(" WHERE key = ")
        .text(HEARTBEAT_KEY)
        .words(" AND EXISTS (SELECT FROM gone)")
        .finish()
}
