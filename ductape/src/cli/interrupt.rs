//! Ctrl-C and SIGTERM: the statement under way is finished and recorded, then the run ends.

use crate::context::Context;
use crate::failure::Failure;
use ductape::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a statement that is under way is waited for.
const GRACE: Duration = Duration::from_secs(10);

/// How long a database may take to break a statement off, where it can.
const BREAK: Duration = Duration::from_secs(3);

/// Does some work until it is done, or until a signal ends it.
///
/// # Errors
/// Those of the work; [`ErrorKind::Interrupted`] if a signal ended it.
pub async fn heeding<T>(
    context: &Context,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        outcome = &mut work => return outcome,
        () = signal() => {}
    }
    context.interrupt.store(true, Ordering::Relaxed);
    if !context.under_lock.load(Ordering::Relaxed) {
        // It looks, or waits for the lock: nothing was begun that would have to be finished.
        return Err(Failure::of(
            ErrorKind::Interrupted,
            "interrupted before anything was changed",
        ));
    }
    tokio::select! {
        biased;
        outcome = &mut work => return outcome,
        () = enough() => {}
    }
    context.break_off.store(true, Ordering::Relaxed);
    tokio::select! {
        biased;
        outcome = &mut work => outcome,
        () = tokio::time::sleep(BREAK) => Err(Failure::of(
            ErrorKind::Interrupted,
            "interrupted; the statement under way was left to go on in the database",
        )
        .hint("see with `ductape status` where it stands; `ductape up` goes on from there")),
    }
}

/// The wait for the statement under way is over, or a second signal says so.
async fn enough() {
    tokio::select! {
        () = tokio::time::sleep(GRACE) => {}
        () = signal() => {}
    }
}

/// Ctrl-C or SIGTERM.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return,
                _ = terminate.recv() => return,
            }
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals nothing interrupts.
        std::future::pending::<()>().await;
    }
}
