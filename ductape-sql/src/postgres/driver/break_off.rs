//! Breaking off the statement under way, from a second connection.

use super::connect::PostgresBackend;
use futures_util::future::{Either, select};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the flag is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long the second connection may take.
const LIMIT: Duration = Duration::from_secs(2);

/// What breaks off the statements of one process of the server. Shown by
/// `a_statement_is_broken_off_on_the_server` in `tests/tests/postgres/alone.rs`.
pub(super) struct BreakOff {
    pub flag: Arc<AtomicBool>,
    pub backend: PostgresBackend,
    pub process: String,
}

impl BreakOff {
    /// Waits for an answer; once the flag is set, has the server cancel what it is doing.
    pub async fn heeding<T>(&self, answer: impl Future<Output = T>, broken_off: &mut bool) -> T {
        match select(pin!(answer), pin!(self.asked())).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), answer)) => {
                *broken_off = true;
                // The signal is sent when this is back: it cannot meet a later statement.
                let _ = tokio::time::timeout(LIMIT, Box::pin(self.cancel())).await;
                answer.await
            }
        }
    }

    async fn asked(&self) {
        while !self.flag.swap(false, Ordering::Relaxed) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// If it cannot be done, the statement goes on as it would without.
    async fn cancel(&self) {
        if let Ok(mut other) = self.backend.connect().await {
            let text = format!("SELECT pg_cancel_backend({})", self.process);
            let _ = other.ask(text).await;
            other.close().await;
        }
    }
}
