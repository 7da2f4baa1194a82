//! The lock, and a fence in the ledger that every acquisition raises.
//!
//! Where the connection is a session of the server, the lock is an advisory lock on the very connection
//! that does the work, so that both end together. Behind a pooler that gives each transaction another
//! session, and on an engine without advisory locks, it is a lease. The two keep each other out: the row
//! says which one it is, and either looks before it takes the lock over from the other.
//!
//! An advisory lock is taken by asking again and again. A waiting `pg_advisory_lock` would hold a
//! snapshot, and `CREATE INDEX CONCURRENTLY` waits for every snapshot that is older than it: the holder
//! would wait for those who wait for it.

mod contender;
mod heartbeat;
mod held;
mod row;

pub(super) use contender::{Taken, Told, take, take_over};
pub(super) use held::Held;

use super::super::dialect::sql;
use super::client::Client;
use super::connect::PostgresBackend;
use super::place::Place;
use ductape_engine::{DbError, Error, Holder};
use row::{Seen, take_away_sql};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The number by which the advisory lock is known, from a row that has `place.schema`. Advisory locks are
/// those of one database, so the database is not part of it.
const KEY: &str = "hashtextextended('ductape ' || place.schema, 0)";

/// The division by zero that a fence ends a unit with when the lock is not held any more.
pub(super) const FENCE_DOWN: &str = "22012";

/// Whether somebody else took the lock after its connection was lost.
pub(super) async fn passed_on(
    held: &Held,
    client: &mut Client,
    place: &Place,
) -> Result<bool, DbError> {
    let seen = Seen::read(client, place).await?;
    Ok(seen.is_none_or(|seen| seen.text != held.row))
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

/// Whether a session has the advisory lock.
async fn is_kept(client: &mut Client, place: &Place) -> Result<bool, DbError> {
    let answer = client.answer(processes(place, "pid")).await?;
    Ok(!answer.rows.is_empty())
}

/// Who holds the lock: the row says who. If a session keeps it, the server says whether that is still
/// there.
pub(super) async fn holder(client: &mut Client, place: &Place) -> Result<Option<Holder>, DbError> {
    let Some(seen) = Seen::read(client, place).await? else {
        return Ok(None);
    };
    let Some(mut holder) = seen.row.holder() else {
        return Ok(None);
    };
    if seen.is_of_a_session() {
        if !is_kept(client, place).await? {
            return Ok(None);
        }
        holder.lease_ms = None;
    }
    Ok(Some(holder))
}

/// Takes the lock away from whoever holds it: ends the holder's connection if it keeps the lock, and
/// raises the fence.
pub(super) async fn take_away(backend: &PostgresBackend) -> Result<Option<Holder>, Error> {
    let mut client = backend.connect().await?;
    let place = Place::find(&mut client, backend.schema()).await?;
    let seen = Seen::read(&mut client, &place).await?;
    let holder = holder(&mut client, &place).await?;
    if let Some(seen) = seen {
        if seen.is_of_a_session() {
            client
                .answer(processes(&place, "pg_terminate_backend(pid)"))
                .await
                .map_err(|error| {
                    Error::from(error).hint(
                        "ending another's connection takes the same role, or one that is in pg_signal_backend",
                    )
                })?;
        }
        client.answer(take_away_sql(&place)).await?;
    }
    client.close().await;
    Ok(holder)
}

/// About so long: those who wait for the same thing do not ask at the same time.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause / 2 + pause.mul_f64((random() % 1000) as f64 / 1000.0)
}

/// A number that nobody expects.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
