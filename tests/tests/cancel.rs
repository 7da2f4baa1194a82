//! A future that is dropped in the middle lets go of the lock, and leaves ledger and connection in
//! order.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::engine::{EngineOptions, Patience, Rollback};
use ductape::{Database, MigrationEngine, MigrationSet};
use ductape_core::BackendName;
use ductape_tests::cases::CASES;
use ductape_tests::file::{File, state};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Polls a future so many times, and then gives up on it.
struct Cancelled<F> {
    future: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Cancelled<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(context).map(Some)
    }
}

/// Whether it came to its end.
async fn cancelled(
    future: impl Future<Output = Result<ductape::engine::Report, ductape::Error>>,
    polls: usize,
) -> bool {
    let future = Box::pin(future);
    match (Cancelled { future, polls }).await {
        Some(outcome) => outcome.map(|_| true).unwrap(),
        None => false,
    }
}

/// A lease that outlasts the test, and a wait that is far below it.
async fn engine(url: &str) -> MigrationEngine {
    of(&Database::connect(url).await.unwrap())
}

fn of(database: &Database) -> MigrationEngine {
    let mut options = EngineOptions::default();
    options.patience = Patience {
        wait: Duration::from_secs(3),
        lease: Duration::from_secs(3600),
    };
    database.engine_with(options)
}

fn cases() -> impl Iterator<Item = MigrationSet> {
    CASES
        .iter()
        .filter(|case| case.only.is_empty() || case.only.contains(&BackendName::Sqlite))
        .map(|case| MigrationSet::new((case.migrations)().unwrap()).unwrap())
}

#[tokio::test]
async fn up_cancelled_at_every_poll_and_run_again_at_once_ends_the_same() {
    for set in cases() {
        let unharmed = File::new();
        let engine_of_it = engine(&unharmed.url()).await;
        engine_of_it.up_all(&set).await.unwrap();
        let expected = state(&engine_of_it).await;
        let mut polls = 0;
        loop {
            let file = File::new();
            let cut_off = engine(&file.url()).await;
            let ended = cancelled(cut_off.up_all(&set), polls).await;
            let again = engine(&file.url()).await;
            again.up_all(&set).await.unwrap();
            assert_eq!(
                state(&again).await,
                expected,
                "cancelled after {polls} polls"
            );
            assert!(again.verify().await.unwrap().ok);
            assert!(again.lock_holder().await.unwrap().is_none());
            if ended {
                break;
            }
            polls += 1;
        }
        assert!(polls > 10, "only {polls} polls");
    }
}

#[tokio::test]
async fn down_cancelled_at_every_poll_and_run_again_at_once_ends_the_same() {
    for set in cases() {
        let mut polls = 0;
        loop {
            let file = File::new();
            let cut_off = engine(&file.url()).await;
            cut_off.up_all(&set).await.unwrap();
            let ended = cancelled(cut_off.roll_back(&Rollback::Last(set.len())), polls).await;
            let again = engine(&file.url()).await;
            let left = again.history().await.unwrap().len();
            again.roll_back(&Rollback::Last(left)).await.unwrap();
            // What a raw statement wrote stays nobody's; nothing else is left.
            let (schema, ledger) = state(&again).await;
            assert!(
                schema.is_empty(),
                "cancelled after {polls} polls: {schema:?}"
            );
            assert!(ledger.is_empty());
            assert!(again.verify().await.unwrap().ok);
            if ended {
                break;
            }
            polls += 1;
        }
        assert!(polls > 10, "only {polls} polls");
    }
}

#[tokio::test]
async fn a_database_in_memory_is_in_order_again_too() {
    for set in cases() {
        let unharmed = engine("sqlite::memory:").await;
        unharmed.up_all(&set).await.unwrap();
        let expected = state(&unharmed).await;
        let mut polls = 0;
        loop {
            let database = Database::connect("sqlite::memory:").await.unwrap();
            let ended = cancelled(of(&database).up_all(&set), polls).await;
            of(&database).up_all(&set).await.unwrap();
            assert_eq!(
                state(&of(&database)).await,
                expected,
                "cancelled after {polls} polls"
            );
            of(&database)
                .roll_back(&Rollback::Last(set.len()))
                .await
                .unwrap();
            assert!(of(&database).live_schema().await.unwrap().is_empty());
            if ended {
                break;
            }
            polls += 1;
        }
    }
}

#[test]
fn the_lock_is_let_go_of_when_the_runtime_ends_too() {
    let file = File::new();
    let set = cases().next().unwrap();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    for polls in [3, 6, 9, 12, 15, 18] {
        let first = runtime();
        first.block_on(async {
            let cut_off = engine(&file.url()).await;
            cancelled(cut_off.up_all(&set), polls).await;
        });
        drop(first);
    }
    runtime().block_on(async {
        let again = engine(&file.url()).await;
        again.up_all(&set).await.unwrap();
        assert_eq!(again.history().await.unwrap().len(), set.len());
    });
}
