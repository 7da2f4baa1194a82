//! A PostgreSQL server that is killed and starts again over the same data.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::builder::prelude::*;
use ductape::engine::{EngineOptions, Event};
use ductape::{Database, Migration, MigrationSet, Tag};
use ductape_tests::scene::{set, table, tagged};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn numbered(number: usize) -> Migration {
    table(number, &format!("t{number}"))
}

/// A server of its own, which can be killed and started again over the same data.
struct Mortal {
    folder: tempfile::TempDir,
    port: u16,
    script: Option<std::process::Child>,
}

impl Mortal {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        // The server runs as another user.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut mortal = Self {
            folder,
            port,
            script: None,
        };
        mortal.start();
        mortal
    }

    fn start(&mut self) {
        let started = Instant::now();
        // What is left of a killed server keeps its data until it has noticed.
        while !self.try_start() {
            assert!(started.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn try_start(&mut self) -> bool {
        use std::io::{BufRead, BufReader};
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/postgres");
        let mut child = std::process::Command::new(path)
            .arg("run")
            .arg("--data")
            .arg(self.folder.path().join("server"))
            .args([
                "--port",
                &self.port.to_string(),
                "--while",
                "stdin",
                "--fsync",
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        if line.is_empty() {
            let _ = child.wait();
            return false;
        }
        self.script = Some(child);
        true
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Kills the server at once, with every process of it.
    fn kill(&mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        let file = self.folder.path().join("server/data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        let pid: i32 = text.lines().next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        if let Some(mut script) = self.script.take() {
            drop(script.stdin.take());
            let _ = script.wait();
        }
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(mut script) = self.script.take() {
            drop(script.stdin.take());
            let _ = script.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_that_starts_again_holds_each_migration_once_or_not_at_all() {
    let all = set((0..60).map(numbered));
    let mut mortal = Mortal::new();
    for after in [30, 90, 200] {
        let engine = Database::connect(&mortal.url()).await.unwrap().engine();
        let running = {
            let all = all.clone();
            tokio::spawn(async move { engine.up_all(&all).await })
        };
        tokio::time::sleep(Duration::from_millis(after)).await;
        mortal.kill();
        mortal.start();
        // The run may have gone on by itself, with the server that is there again.
        let _ = running.await.unwrap();
        let engine = Database::connect(&mortal.url()).await.unwrap().engine();
        let verification = engine.verify().await.unwrap();
        assert!(verification.ok, "{:#?}", verification.differences);
        assert!(verification.untracked.is_empty(), "{verification:#?}");
        engine.up_all(&all).await.unwrap();
        assert_eq!(engine.history().await.unwrap().len(), 60);
        assert_eq!(engine.live_schema().await.unwrap().len(), 60);
        engine
            .roll_back(&ductape::engine::Rollback::Last(60))
            .await
            .unwrap();
        assert!(engine.live_schema().await.unwrap().is_empty());
    }
}

/// Runs migrations, kills the server as soon as so many are told as done, and gives those that were told and
/// those that the server has when it is there again.
async fn told_and_kept(all: &MigrationSet, kill_at: usize) -> (Vec<Tag>, Vec<Tag>) {
    let mortal = Arc::new(Mutex::new(Mortal::new()));
    let url = mortal.lock().unwrap().url();
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut options = EngineOptions::default();
    options.observer = Some(Arc::new({
        let (mortal, told) = (mortal.clone(), told.clone());
        move |event: &Event| {
            if let Event::Finished { tag, .. } = event {
                let mut told = told.lock().unwrap();
                told.push(tag.clone());
                if told.len() == kill_at {
                    let mut mortal = mortal.lock().unwrap();
                    mortal.kill();
                    mortal.start();
                }
            }
        }
    }));
    let database = Database::connect(&url).await.unwrap();
    let _ = database.engine_with(options).up_all(all).await;
    let engine = Database::connect(&url).await.unwrap().engine();
    let history = engine.history().await.unwrap();
    let kept = history.into_iter().map(|entry| entry.tag).collect();
    let told = told.lock().unwrap().clone();
    (told, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_as_done_is_on_disk() {
    let all = set((0..100).map(numbered));
    let (told, kept) = told_and_kept(&all, 100).await;
    assert_eq!(told.len(), 100);
    assert_eq!(kept, told);
}

/// The last of many that share a message fails, so that its commit does not take the others to the disk.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_as_done_before_a_failure_is_on_disk() {
    let fails = migration("fails")
        .create_collection("fails", [integer("n").default_expression("nowhere()")])
        .build();
    let migrations = (0..8).map(numbered).chain([tagged(8, fails)]);
    let (told, kept) = told_and_kept(&set(migrations), 8).await;
    assert_eq!(told.len(), 8);
    assert_eq!(kept, told);
}
