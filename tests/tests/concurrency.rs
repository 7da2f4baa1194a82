//! Many processes at once on a database that does not exist yet: everything exactly once; and a killed
//! holder's lock is taken over within its lease.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::engine::{EngineOptions, Patience};
use ductape::{MigrationEngine, MigrationSet};
use ductape_tests::cases::CASES;
use ductape_tests::databases::{DATABASES, TestDatabase, connect};
use ductape_tests::instrumented::{Fuse, Killing};
use libtest_mimic::{Arguments, Failed, Trial};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CASE: usize = 0;

fn main() {
    if let Ok(url) = std::env::var("DUCTAPE_CHILD_URL") {
        child(&url);
        return;
    }
    let mut trials = Vec::new();
    for database in DATABASES {
        trials.push(Trial::test(
            format!("{}::sixteen_at_once", database.name),
            move || sixteen_at_once(database),
        ));
        trials.push(Trial::test(
            format!("{}::a_killed_holder_is_taken_over", database.name),
            move || a_killed_holder_is_taken_over(database),
        ));
        trials.push(Trial::test(
            format!("{}::a_frozen_holder_writes_nothing_more", database.name),
            move || a_frozen_holder_writes_nothing_more(database),
        ));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn set() -> MigrationSet {
    let case = CASES.get(CASE).unwrap();
    MigrationSet::new((case.migrations)().unwrap()).unwrap()
}

fn options(lease: Duration) -> EngineOptions {
    let mut options = EngineOptions::default();
    options.patience = Patience {
        wait: Duration::from_secs(60),
        lease,
    };
    options
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A child: applies everything and prints how many migrations it was that did it. With a fuse it is
/// killed, or with `DUCTAPE_CHILD_HOLD` it stops between two writes, holding the lock.
fn child(url: &str) {
    let moments = std::env::var("DUCTAPE_CHILD_FUSE").map_or(usize::MAX, |n| n.parse().unwrap());
    let applied = runtime().block_on(async {
        let backend = connect(url).await.unwrap().backend();
        if std::env::var("DUCTAPE_CHILD_HOLD").is_ok() {
            return hold(backend).await;
        }
        let killing = Killing {
            backend,
            fuse: Fuse::new(moments),
            split: false,
        };
        let engine =
            MigrationEngine::with_options(Arc::new(killing), options(Duration::from_millis(500)));
        let report = engine.up_all(&set()).await.unwrap();
        format!("{}", report.applied.len())
    });
    println!("applied {applied}");
}

/// Holds the lock, says so, waits to be frozen and woken, and tries to write.
async fn hold(backend: Arc<dyn ductape::engine::Backend>) -> String {
    use ductape::engine::ledger::Put;
    let actor = ductape::engine::Actor::current();
    let patience = options(Duration::from_millis(500)).patience;
    let mut session = backend.lock(&actor, &patience).await.unwrap();
    println!("holding");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let put = Put::State {
        key: "frozen".into(),
        value: Some("was here".into()),
    };
    match session.record(&[put]).await {
        Ok(()) => "wrote".into(),
        Err(ductape::engine::backend::SessionError::LockLost) => "lost".into(),
        Err(other) => format!("{other:?}"),
    }
}

fn spawn(url: &str, environment: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env("DUCTAPE_CHILD_URL", url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    for (key, value) in environment {
        command.env(key, value);
    }
    command.spawn().unwrap()
}

fn sixteen_at_once(database: &TestDatabase) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let url = (database.url)(folder.path(), "sixteen");
    let children: Vec<Child> = (0..16).map(|_| spawn(&url, &[])).collect();
    let mut applied = 0;
    for child in children {
        let output = child.wait_with_output()?;
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout)?;
        applied += text.trim().rsplit(' ').next().unwrap().parse::<usize>()?;
    }
    assert_eq!(applied, set().len(), "everything exactly once");
    runtime().block_on(async {
        let engine = connect(&url).await.unwrap().engine();
        assert_eq!(engine.history().await.unwrap().len(), set().len());
        assert!(engine.verify().await.unwrap().ok);
        assert!(engine.lock_holder().await.unwrap().is_none());
    });
    Ok(())
}

fn a_killed_holder_is_taken_over(database: &TestDatabase) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let url = (database.url)(folder.path(), "killed");
    // The second moment is just after the lock was taken.
    let is_lease = database.lock_is_lease;
    let status = spawn(&url, &[("DUCTAPE_CHILD_FUSE", "1")]).wait()?;
    assert!(status.code().is_none(), "{status}");
    runtime().block_on(async {
        let database = connect(&url).await.unwrap();
        let engine = database.engine_with(options(Duration::from_millis(500)));
        if is_lease {
            assert!(
                engine.lock_holder().await.unwrap().is_some(),
                "the dead one still holds it"
            );
        }
        let started = Instant::now();
        assert_eq!(
            engine.up_all(&set()).await.unwrap().applied.len(),
            set().len()
        );
        let waited = started.elapsed();
        // A lock that ends with its connection needs no waiting.
        assert!(
            !is_lease || waited >= Duration::from_millis(450),
            "taken over too early: {waited:?}"
        );
        assert!(
            waited < Duration::from_secs(3),
            "taken over too late: {waited:?}"
        );
    });
    Ok(())
}

fn a_frozen_holder_writes_nothing_more(database: &TestDatabase) -> Result<(), Failed> {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::{BufRead, BufReader, Write};
    let folder = tempfile::tempdir()?;
    let url = (database.url)(folder.path(), "frozen");
    #[allow(
        clippy::zombie_processes,
        reason = "an early return fails the test, and with it the process"
    )]
    let mut child = spawn(&url, &[("DUCTAPE_CHILD_HOLD", "1")]);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line)?;
    assert_eq!(line.trim(), "holding");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::STOP)?;
    let is_lease = database.lock_is_lease;
    runtime().block_on(async {
        let database = connect(&url).await.unwrap();
        if !is_lease {
            // A frozen process keeps its connection, and so the lock, until somebody takes it away.
            assert!(database.backend().force_release().await.unwrap().is_some());
        }
        let engine = database.engine_with(options(Duration::from_millis(500)));
        assert_eq!(
            engine.up_all(&set()).await.unwrap().applied.len(),
            set().len()
        );
    });
    kill_process(pid, Signal::CONT)?;
    child.stdin.take().unwrap().write_all(b"\n")?;
    line.clear();
    output.read_line(&mut line)?;
    child.wait()?;
    assert_eq!(
        line.trim(),
        "applied lost",
        "a frozen holder must not write"
    );
    Ok(())
}
