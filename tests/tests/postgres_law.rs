//! The law on a real PostgreSQL: what is applied is what the database shows, and the way back leads back.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::{Database, ErrorKind, Migration};
use ductape_core::compiler::normalize_schema;
use ductape_core::{BackendName, Collection, Operation, Schema};
use ductape_tests::generate::{Profile, sequence};
use ductape_tests::servers;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::sync::atomic::{AtomicUsize, Ordering};

static APPLIED: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);

static SCHEMAS: AtomicUsize = AtomicUsize::new(0);

async fn there_and_back(operations: Vec<Operation>) -> Result<(), TestCaseError> {
    let fail = |message: String| TestCaseError::fail(message);
    let server = servers::postgres().unwrap();
    let url = format!(
        "{}?schema=law{}_{}",
        server.url,
        std::process::id(),
        SCHEMAS.fetch_add(1, Ordering::Relaxed)
    );
    let db = Database::connect(url.as_str()).await.unwrap();
    let engine = db.engine();
    let backend = db.backend();
    let mut applied = Vec::new();
    let mut model = Schema::new().of(BackendName::Postgresql);
    for (number, operation) in operations.into_iter().enumerate() {
        let describe = operation.describe();
        let migration = Migration::new(
            format!("step_{number}"),
            None,
            vec![operation.clone()],
            None,
        )
        .map_err(|e| fail(format!("{describe}: {e}")))?;
        let before = engine.live_schema().await.unwrap();
        match engine.apply_new(&migration).await {
            Ok(done) => applied.push((done.migration, before)),
            // A type that nothing turns into the other is refused; what follows may rest on it.
            Err(error)
                if error.kind() == ErrorKind::Unsupported
                    && ["nothing turns", "lists in a list"]
                        .iter()
                        .any(|reason| error.details().message.contains(reason)) =>
            {
                REFUSED.fetch_add(1, Ordering::Relaxed);
                break;
            }
            Err(error) => {
                return Err(fail(format!("{describe}\n{operation:#?}\n{error}")));
            }
        }
        operation
            .apply(&mut model)
            .map_err(|e| fail(e.to_string()))?;
        APPLIED.fetch_add(1, Ordering::Relaxed);
        let live = engine.live_schema().await.unwrap();
        // The server writes expressions anew; what it made of them is taken over, as the engine does.
        model = model
            .collections()
            .map(|collection| match live.collection(&collection.name) {
                Some(live) => {
                    Collection::clone(collection).adopting(&live.spellings(BackendName::Postgresql))
                }
                None => Collection::clone(collection),
            })
            .collect::<Schema>()
            .of(BackendName::Postgresql);
        let normal = normalize_schema(backend.compiler(), &model);
        if live != normal {
            let differences = ductape_core::difference::between_schemas(&normal, &live);
            return Err(fail(format!(
                "{describe}\n{differences:#?}\nlive {live:#?}\nmodel {normal:#?}"
            )));
        }
    }
    let verification = engine.verify().await.unwrap();
    prop_assert!(verification.ok, "{:#?}", verification.differences);
    for (migration, before) in applied.into_iter().rev() {
        let name = migration.name().to_owned();
        engine
            .down(&migration)
            .await
            .map_err(|error| fail(format!("down {name} {:?}: {error}", migration.up())))?;
        let live = engine.live_schema().await.unwrap();
        if live != before {
            return Err(fail(format!(
                "down {name} {:?}\nlive {live:#?}\nbefore {before:#?}",
                migration.up()
            )));
        }
    }
    prop_assert!(engine.history().await.unwrap().is_empty());
    Ok(())
}

#[test]
fn what_is_applied_is_what_the_database_shows_and_the_way_back_leads_back() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cases = std::env::var("DUCTAPE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(40);
    let mut runner = TestRunner::new(Config {
        cases,
        max_shrink_iters: 400,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&sequence(Profile::postgresql(), 1..10), |operations| {
            runtime.block_on(there_and_back(operations))
        })
        .unwrap();
    let (applied, refused) = (
        APPLIED.load(Ordering::Relaxed),
        REFUSED.load(Ordering::Relaxed),
    );
    println!("{applied} operations applied, {refused} sequences ended by a refused conversion");
    assert!(
        applied > refused * 10,
        "{applied} applied, {refused} refused"
    );
}
