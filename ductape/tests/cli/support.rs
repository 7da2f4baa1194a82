//! A folder of its own for each test, and the program run in it.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes: whoever is not done by then hangs.
const TIME_LIMIT: Duration = Duration::from_secs(60);

pub const FIRST: &str = "20240101_000000_create_users";
pub const SECOND: &str = "20240102_000000_add_phone";
pub const THIRD: &str = "20240103_000000_create_posts";

pub struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a run left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    /// An empty folder.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A folder with three migrations.
    pub fn with_migrations() -> Self {
        let sandbox = Self::new();
        sandbox.migration(FIRST, json!([create_users()]));
        sandbox.migration(
            SECOND,
            json!([{ "type": "addField", "collection": "users",
                     "field": { "name": "phone", "type": "string", "length": 20 } }]),
        );
        sandbox.migration(
            THIRD,
            json!([{ "type": "createCollection", "name": "posts",
                     "fields": { "id": { "type": "uuid", "primaryKey": true } } }]),
        );
        sandbox
    }

    /// The same, all of them applied.
    pub fn applied() -> Self {
        let sandbox = Self::with_migrations();
        sandbox.run(["up"]).succeeds();
        sandbox
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn migration(&self, tag: &str, up: Value) {
        self.document(tag, &json!({ "format": 1, "tag": tag, "up": up }));
    }

    pub fn document(&self, tag: &str, document: &Value) {
        self.write(&format!("migrations/{tag}.json"), document.to_string());
    }

    pub fn sql(&self, text: &str) {
        sql(&self.at("app.db"), text);
    }

    /// A run on `app.db` in this folder.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        finish(
            self.command(arguments)
                .env("DUCTAPE_URL", "sqlite://app.db"),
        )
    }

    /// The same with `--json`.
    pub fn json<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ran {
        self.run(["--json"].into_iter().chain(arguments))
    }

    /// A run that knows of no database.
    pub fn without_database<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        finish(&mut self.command(arguments))
    }

    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ductape"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("USER", "tester")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Every file below the folder and its bytes.
    pub fn bytes(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_symlink() {
                    continue;
                } else if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() {
                    let bytes = std::fs::read(&path).unwrap_or_default();
                    found.insert(path, bytes);
                }
            }
        }
        found
    }
}

pub fn create_users() -> Value {
    json!({ "type": "createCollection", "name": "users", "fields": [
        { "name": "id", "type": "uuid", "primaryKey": true },
        { "name": "email", "type": "string", "length": 255, "required": true, "unique": true },
    ] })
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Ran {
    end_of(command.spawn().unwrap())
}

/// Waits for a child's end, with a limit, and reads what it said.
pub fn end_of(mut child: Child) -> Ran {
    let stdout = read_aside(child.stdout.take().unwrap());
    let stderr = read_aside(child.stderr.take().unwrap());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > TIME_LIMIT {
            child.kill().unwrap();
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let ran = Ran {
        code: status.code(),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    };
    assert!(
        ran.code != Some(101) && !ran.stderr.contains("panicked"),
        "the program panicked: {ran:#?}"
    );
    ran
}

fn read_aside(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).expect("output is UTF-8")
    })
}

impl Ran {
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.ends_with(0)
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The document on standard output, which is the only thing there.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Ends with a code, and tells the failure in one document on standard error.
    #[track_caller]
    pub fn fails(&self, code: i32, kind: &str) -> Value {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let document: Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        let error = document.get("error").expect("the key `error`").clone();
        assert_eq!(error["kind"], kind, "{self:#?}");
        for key in [
            "message",
            "hint",
            "tag",
            "operation",
            "statement",
            "code",
            "applied",
        ] {
            assert!(error.get(key).is_some(), "{key} is missing: {self:#?}");
        }
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(error["applied"].is_array());
        error
    }
}

/// Runs statements on a SQLite file, past the program.
pub fn sql(file: &Path, text: &str) {
    on_file(file, text, Duration::ZERO);
}

/// Runs statements on a SQLite file, and keeps the connection for a while.
pub fn on_file(file: &Path, text: &str, hold: Duration) {
    use sqlx::Connection;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        tokio::time::sleep(hold).await;
        connection.close().await.unwrap();
    });
}

/// The tags of a list of migrations.
pub fn tags(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|line| line["tag"].as_str().unwrap())
        .collect()
}
