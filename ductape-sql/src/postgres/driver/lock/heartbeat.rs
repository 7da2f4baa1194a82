//! Signs of life, on a connection of their own: the one that works may be busy for longer than a lease.

use super::super::client::Client;
use super::super::connect::PostgresBackend;
use super::super::place::Place;
use super::held::{let_go, sign_of_life};
use ductape_engine::DbError;
use std::time::Duration;
use tokio::sync::oneshot;

/// Signs of life, for as long as this value is there. Dropped, it lets go of the lock as soon as it can.
#[derive(Debug)]
pub(in super::super) struct Heartbeat {
    stop: oneshot::Sender<()>,
}

impl Heartbeat {
    /// Gives a sign of life of the lock with this row three times a lease.
    pub fn start(backend: PostgresBackend, place: Place, row: String, lease: Duration) -> Self {
        let (stop, mut stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let mut heart = Heart {
                backend,
                place,
                row,
                client: None,
            };
            let pause = (lease / 3).max(Duration::from_millis(1));
            loop {
                match tokio::time::timeout(pause, &mut stopped).await {
                    Err(_) => {}
                    Ok(Ok(())) => break,
                    Ok(Err(_)) => {
                        heart.let_go().await;
                        break;
                    }
                }
                match tokio::time::timeout(lease / 3, heart.beat()).await {
                    Ok(Ok(true)) => {}
                    Ok(Ok(false)) => {
                        tracing::warn!("the lock was lost to another runner");
                        break;
                    }
                    Ok(Err(error)) => {
                        heart.client = None;
                        tracing::warn!(error = %error.message, "no sign of life was given");
                    }
                    Err(_) => {
                        heart.client = None;
                        tracing::warn!("no sign of life was given in time");
                    }
                }
            }
            if let Some(client) = heart.client {
                client.close().await;
            }
        });
        Self { stop }
    }

    /// Ends the signs of life; the lock is let go of elsewhere.
    pub fn stop(self) {
        // Whoever has found the lock lost does not listen any more.
        let _ = self.stop.send(());
    }
}

struct Heart {
    backend: PostgresBackend,
    place: Place,
    row: String,
    client: Option<Client>,
}

impl Heart {
    async fn ask(&mut self, text: String) -> Result<u64, DbError> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(self.backend.connect().await?),
        };
        Ok(client.answer(text).await?.affected)
    }

    /// Whether the lock is still ours.
    async fn beat(&mut self) -> Result<bool, DbError> {
        let text = sign_of_life(&self.place, &self.row);
        Ok(self.ask(text).await? > 0)
    }

    /// Where it cannot, the lock ends with its lease.
    async fn let_go(&mut self) {
        let text = let_go(&self.place, &self.row);
        if let Err(error) = self.ask(text).await {
            tracing::debug!(error = %error.message, "the lock ends with its lease");
        }
    }
}
