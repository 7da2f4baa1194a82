//! Every case on every database: up, verified, down, and up again.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::MigrationSet;
use ductape::engine::Rollback;
use ductape_tests::cases::CASES;
use ductape_tests::databases::{DATABASES, connect};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let mut trials = Vec::new();
    for database in DATABASES {
        for case in CASES {
            if !case.only.is_empty() && !case.only.contains(&database.backend) {
                continue;
            }
            let name = format!("{}::{}", database.name, case.name);
            trials.push(Trial::test(name, move || {
                let folder = tempfile::tempdir()?;
                let url = (database.url)(folder.path(), case.name);
                let set = MigrationSet::new((case.migrations)()?)?;
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?
                    .block_on(there_and_back(&url, &set))
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

async fn there_and_back(url: &str, set: &MigrationSet) -> Result<(), Failed> {
    let engine = connect(url).await?.engine();
    let plan = engine.plan_all(set, &Default::default()).await?;
    assert_eq!(plan.migrations.len(), set.len());
    let before = engine.live_schema().await?;

    let report = engine.up_all(set).await?;
    assert_eq!(report.applied.len(), set.len());
    let verification = engine.verify().await?;
    assert!(verification.ok, "{:#?}", verification.differences);
    let after = engine.live_schema().await?;

    assert!(
        engine.up_all(set).await?.applied.is_empty(),
        "nothing is left to do"
    );
    let status = engine.status(set).await?;
    assert_eq!((status.completed, status.pending), (set.len(), 0));
    let history = engine.history().await?;
    assert_eq!(history.len(), set.len());

    let report = engine.roll_back(&Rollback::Last(set.len())).await?;
    assert_eq!(report.rolled_back.len(), set.len());
    assert_eq!(engine.live_schema().await?, before);
    assert!(engine.history().await?.is_empty());

    engine.up_all(set).await?;
    assert_eq!(engine.live_schema().await?, after);
    // Also from a history entry alone.
    for entry in engine.history().await?.iter().rev() {
        engine.down(&entry.migration).await?;
    }
    assert_eq!(engine.live_schema().await?, before);
    assert!(engine.lock_holder().await?.is_none());
    Ok(())
}
