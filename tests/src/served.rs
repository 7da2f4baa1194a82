//! The law on a real server: what is applied is what the database shows, and the way back leads back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a test does not find has failed"
)]

use crate::generate::{Profile, sequence};
use ductape::{Database, Error, Migration};
use ductape_core::compiler::normalize_schema;
use ductape_core::schema::FIELD_SETTINGS;
use ductape_core::{Operation, Schema, resolve};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::cell::Cell;

/// A server, and what random sequences of operations it is put through.
pub struct Served {
    /// What is drawn for it.
    pub profile: Profile,
    /// How many sequences, unless `DUCTAPE_CASES` says.
    pub cases: u32,
    /// The URL of an empty database, another one for each number.
    pub url: fn(usize) -> String,
    /// Whether an operation may be refused so. Then nothing of it may be left.
    pub may_refuse: fn(&Operation, &Error) -> bool,
}

/// How many operations were applied, and how many refused.
#[derive(Default)]
struct Counts {
    sequences: Cell<usize>,
    applied: Cell<usize>,
    refused: Cell<usize>,
}

fn count(cell: &Cell<usize>) -> usize {
    cell.set(cell.get() + 1);
    cell.get()
}

/// Puts the server through its sequences.
pub fn what_is_applied_is_what_the_database_shows_and_the_way_back_leads_back(served: &Served) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cases = std::env::var("DUCTAPE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(served.cases);
    let mut runner = TestRunner::new(Config {
        cases,
        max_shrink_iters: 150,
        failure_persistence: None,
        ..Config::default()
    });
    let counts = Counts::default();
    runner
        .run(&sequence(served.profile.clone(), 1..10), |operations| {
            runtime.block_on(there_and_back(served, operations, &counts))
        })
        .unwrap();
    let (applied, refused) = (counts.applied.get(), counts.refused.get());
    println!("{applied} operations applied, {refused} refused");
    assert!(
        applied > refused * 10,
        "{applied} applied, {refused} refused"
    );
}

async fn there_and_back(
    served: &Served,
    operations: Vec<Operation>,
    counts: &Counts,
) -> Result<(), TestCaseError> {
    let fail = |message: String| TestCaseError::fail(message);
    let url = (served.url)(count(&counts.sequences));
    let db = Database::connect(&url).await.unwrap();
    let engine = db.engine();
    let backend = db.backend();
    let mut applied = Vec::new();
    let mut model = Schema::new().of(backend.compiler().capabilities().backend);
    for (number, operation) in operations.into_iter().enumerate() {
        let describe = operation.describe();
        let mut after = model.clone();
        let naming = backend.compiler().capabilities().naming();
        resolve(std::slice::from_ref(&operation), &mut after, &naming)
            .map_err(|error| fail(format!("{describe}\n{operation:#?}\n{error:?}")))?;
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
            Err(error) if (served.may_refuse)(&operation, &error) => {
                count(&counts.refused);
                // What stands alone was done up to the refusal, and is undone.
                for entry in engine.history().await.unwrap() {
                    if entry.status != ductape::engine::ledger::EntryStatus::Applied {
                        engine
                            .down(&entry.migration)
                            .await
                            .map_err(|error| fail(format!("undo {describe}: {error}")))?;
                    }
                }
                let live = engine.live_schema().await.unwrap();
                if live != before {
                    return Err(fail(format!(
                        "{describe} was refused, and something is left\n{operation:#?}\n{error}\nlive {live:#?}\nbefore {before:#?}"
                    )));
                }
                // What was drawn after it is for a schema that is not there.
                break;
            }
            Err(error) => {
                return Err(fail(format!("{describe}\n{operation:#?}\n{error}")));
            }
        }
        model = after;
        count(&counts.applied);
        let verification = engine.verify().await.unwrap();
        if !verification.ok {
            return Err(fail(format!(
                "{describe}\n{operation:#?}\n{:#?}",
                verification.differences
            )));
        }
        // The record knows how the server spells what the model has as it was written.
        let recorded = engine.recorded_schema().await.unwrap();
        let spelled: Schema = model
            .collections()
            .map(|collection| {
                let spellings = recorded
                    .collection(&collection.name)
                    .map(|record| record.adopted())
                    .unwrap_or_default();
                collection.as_ref().clone().adopting(&spellings)
            })
            .collect();
        let mut live = engine.live_schema().await.unwrap();
        // What counts keeps the name that it was given when its field or collection gets another, and the
        // database tells so in its own words. The model has none for it.
        let names: Vec<_> = live
            .natives()
            .filter(|native| native.kind == FIELD_SETTINGS)
            .cloned()
            .collect();
        for native in names {
            live.remove_native(&native);
        }
        let normal = normalize_schema(
            backend.compiler(),
            &spelled.of(backend.compiler().capabilities().backend),
        );
        if live != normal {
            let differences = ductape_core::difference::between_schemas(&normal, &live);
            return Err(fail(format!(
                "{describe}\n{operation:#?}\n{differences:#?}\nlive {live:#?}\nmodel {normal:#?}"
            )));
        }
    }
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
