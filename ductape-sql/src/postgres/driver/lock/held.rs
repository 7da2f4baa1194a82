//! The lock as a session holds it, and what shows that it still does.

use super::super::super::dialect::sql;
use super::super::client::{Broken, Client};
use super::super::place::Place;
use super::heartbeat::Heartbeat;
use super::row::{HEARTBEAT_KEY, next_nonce};
use crate::writer::Sql;
use ductape_engine::ledger::LOCK_KEY;
use std::time::Duration;

/// The lock as a session holds it.
#[derive(Debug)]
pub(in super::super) struct Held {
    /// Its row in the ledger, as this session left it.
    pub(super) row: String,
    pub(super) kept: Kept,
}

/// What keeps the lock.
#[derive(Debug)]
pub(super) enum Kept {
    /// The server's process that has an advisory lock of this number.
    Session { process: String, key: String },
    /// Signs of life, each good for a whole lease.
    Lease {
        lease: Duration,
        heartbeat: Heartbeat,
    },
}

impl Held {
    /// The lease, where that is what keeps the lock: then no two transactions are in the same session of
    /// the server.
    pub fn lease(&self) -> Option<Duration> {
        match &self.kept {
            Kept::Session { .. } => None,
            Kept::Lease { lease, .. } => Some(*lease),
        }
    }

    /// The server's process that has the lock; none behind a pooler, where it changes.
    pub fn process(&self) -> Option<&str> {
        match &self.kept {
            Kept::Session { process, .. } => Some(process),
            Kept::Lease { .. } => None,
        }
    }

    /// The statement that opens every unit: it keeps a successor from raising the fence until the unit
    /// ended, and fails where one has, or where the connection is not the one that has the lock.
    pub fn fence(&self, place: &Place) -> String {
        self.fence_with(place, sql().words("SELECT 1 / count(*)"))
    }

    /// The same for a unit that tells how long it took, and may leave it to a later one to wait for the
    /// disk. Where the session is not kept it does neither.
    pub fn fence_of_unit(&self, place: &Place, later: bool) -> String {
        let mut text = sql().words("SELECT 1 / count(*)");
        if self.lease().is_none() {
            text = text.words(
                ", set_config('ductape.began', extract(epoch FROM clock_timestamp())::text, true)",
            );
            if later {
                text = text.words(", set_config('synchronous_commit', 'off', true)");
            }
        }
        self.fence_with(place, text)
    }

    fn fence_with(&self, place: &Place, text: Sql) -> String {
        let text = text.words(" FROM (SELECT FROM ");
        let text = place
            .names
            .table(text, &place.names.state)
            .words(" WHERE key = ")
            .text(LOCK_KEY)
            .words(" AND value = ")
            .text(&self.row);
        let text = match &self.kept {
            Kept::Session { process, .. } => text.words(" AND pg_backend_pid() = ").sql(process),
            Kept::Lease { .. } => text,
        };
        text.words(" FOR SHARE) AS fence").finish()
    }

    /// A statement whose commit waits for the disk, and so for every commit before it.
    pub fn flush(&self, place: &Place) -> String {
        let state = &place.names.state;
        let text = place.names.table(sql().words("UPDATE "), state);
        text.words(" SET value = value WHERE key = ")
            .text(LOCK_KEY)
            .words(" AND value = ")
            .text(&self.row)
            .finish()
    }

    /// A sign of life: it changes a row, or none if the lock was lost.
    pub fn sign_of_life(&self, place: &Place) -> String {
        sign_of_life(place, &self.row)
    }

    /// Lets go of the lock; true if it was held to the end.
    pub async fn release(self, client: &mut Client, place: &Place) -> Result<bool, Broken> {
        let mut text = let_go(place, &self.row);
        if let Kept::Session { key, .. } = &self.kept {
            text = sql()
                .sql(&text)
                .words(";\nSELECT pg_advisory_unlock(")
                .sql(key)
                .words(")")
                .finish();
        }
        if let Kept::Lease { heartbeat, .. } = self.kept {
            heartbeat.stop();
        }
        let answers = client.ask(text).await?;
        let let_go = answers.get(LET_GO).and_then(|answer| answer.first(0)) == Some("1");
        let had_it = answers
            .get(LET_GO + 2)
            .is_none_or(|answer| answer.first(0) == Some("t"));
        Ok(let_go && had_it)
    }
}

/// Which answer of [`let_go`] tells whether the lock was still held.
const LET_GO: usize = 2;

/// The transaction that lets go of a lock whose row is this one.
pub(super) fn let_go(place: &Place, row: &str) -> String {
    let names = &place.names;
    let state = |text: Sql| names.table(text, &names.state);
    let text = sql()
        .words("BEGIN;\n")
        .sql(&place.settings())
        .words(";\nWITH gone AS (UPDATE ");
    let text = state(text).words(
        " AS lock SET value = (lock.value::jsonb || jsonb_build_object('owner', NULL, 'nonce', ",
    );
    let text = next_nonce(place, text)
        .words("))::text WHERE key = ")
        .text(LOCK_KEY)
        .words(" AND value = ")
        .text(row)
        .words(" RETURNING key), silent AS (DELETE FROM ");
    state(text)
        .words(" WHERE key = ")
        .text(HEARTBEAT_KEY)
        .words(" AND EXISTS (SELECT FROM gone)) SELECT count(*) FROM gone;\nCOMMIT")
        .finish()
}

/// The statement that gives a sign of life for a lock whose row is this one.
pub(super) fn sign_of_life(place: &Place, row: &str) -> String {
    let names = &place.names;
    let state = |text: Sql| names.table(text, &names.state);
    let text = state(sql().words("UPDATE "))
        .words(" SET value = (value::bigint + 1)::text WHERE key = ")
        .text(HEARTBEAT_KEY)
        .words(" AND EXISTS (SELECT FROM ");
    state(text)
        .words(" WHERE key = ")
        .text(LOCK_KEY)
        .words(" AND value = ")
        .text(row)
        .words(")")
        .finish()
}
