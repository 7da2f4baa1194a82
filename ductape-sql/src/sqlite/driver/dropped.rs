//! A session that is dropped without being released: its future was cancelled in the middle.
//!
//! What the connection is at is finished first, for it does one thing after the other; then the open
//! transaction is rolled back and the lock let go of. Shown by `tests/tests/cancel.rs`.

use super::backend::Held;
use super::session::SqliteSession;
use ductape_engine::DbError;

impl Drop for SqliteSession {
    fn drop(&mut self) {
        if self.released {
            return;
        }
        let left = SqliteSession {
            connection: self.connection.take(),
            names: self.names.clone(),
            has_ledger: true,
            lease: self.lease.clone(),
            open: self.open.take(),
            released: true,
        };
        // A lent connection goes back to a pool, whose runtime is the one at hand.
        if matches!(left.connection, Some(Held::Lent(_)))
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            drop(runtime.spawn(left.let_go()));
            return;
        }
        // On a thread of its own: the runtime may be ending, or there may be none. If there is no
        // thread to be had, the lock ends with its lease.
        let spawned = std::thread::Builder::new()
            .name("ductape-let-go".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build();
                if let Ok(runtime) = runtime {
                    let _ = runtime.block_on(left.let_go());
                }
            });
        drop(spawned);
    }
}

impl SqliteSession {
    /// Rolls back what is open, and lets go of the lock if it is still its own.
    async fn let_go(mut self) -> Result<(), DbError> {
        self.abandon().await;
        self.execute("BEGIN IMMEDIATE").await?;
        let row = self.read_lock().await?;
        if (&row.owner, row.fence) == (&self.lease.owner, self.lease.fence) {
            self.write_lock(&row.released()).await?;
        }
        self.execute("COMMIT").await
    }
}
