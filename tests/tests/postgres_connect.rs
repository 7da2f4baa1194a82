//! Reaching PostgreSQL as `psql` does: TLS, passwords, sockets, the environment and its files. Each trial
//! is a process of its own, since its environment is.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::Database;
use ductape_tests::servers;
use libtest_mimic::{Arguments, Failed, Trial};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PASSWORD: &str = "p@ss:w/o?rd#1 %41";
const IN_URL: &str = "p%40ss%3Aw%2Fo%3Frd%231%20%2541";

fn main() {
    if let Ok(url) = std::env::var("DUCTAPE_CONNECT_URL") {
        child(&url);
        return;
    }
    let trials = TRIALS
        .iter()
        .map(|(name, trial)| {
            Trial::test(*name, move || {
                trial(site()).map_err(|told| Failed::from(told.as_str()))
            })
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Looks at the history, and prints what came of it.
fn child(url: &str) {
    let looked =
        runtime().block_on(async { Database::connect(url).await?.engine().history().await });
    match looked {
        Ok(_) => println!("reached"),
        Err(error) => {
            let hint = error.details().hint.clone().unwrap_or_default();
            println!("{}: {error} ({hint}) {error:?}", error.kind().word());
        }
    }
}

/// The server, and what a client has of it.
struct Site {
    port: u16,
    sockets: String,
    folder: PathBuf,
}

fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let server = servers::SECURE_POSTGRES.shared().unwrap();
        let folder = tempfile::tempdir().unwrap().keep();
        let (sockets, root) = runtime().block_on(async {
            let mut admin = PgConnection::connect(&server.url).await.unwrap();
            for (role, kind) in [
                ("tls_only", "scram-sha-256"),
                ("plain_only", "scram-sha-256"),
                ("anybody", "scram-sha-256"),
                ("with_md5", "md5"),
            ] {
                let text = format!(
                    "SET password_encryption = '{kind}'; DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'"
                );
                sqlx::raw_sql(AssertSqlSafe(text))
                    .execute(&mut admin)
                    .await
                    .unwrap();
            }
            let made = "SELECT 1 FROM pg_database WHERE datname = 'anybody'";
            if sqlx::query(made).fetch_optional(&mut admin).await.unwrap().is_none() {
                sqlx::raw_sql("CREATE DATABASE anybody").execute(&mut admin).await.unwrap();
            }
            let row = sqlx::query(
                "SELECT current_setting('unix_socket_directories'), pg_read_file('root.crt')",
            )
            .fetch_one(&mut admin)
            .await
            .unwrap();
            (row.get::<String, _>(0), row.get::<String, _>(1))
        });
        write(&folder.join("root.crt"), &root);
        let port = server.url.rsplit(':').next().unwrap().split('/').next().unwrap();
        Site {
            port: port.parse().unwrap(),
            sockets,
            folder,
        }
    })
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl Site {
    fn url(&self, role: &str, rest: &str) -> String {
        format!(
            "postgres://{role}:{IN_URL}@localhost:{}/postgres{rest}",
            self.port
        )
    }

    fn root(&self) -> String {
        self.folder.join("root.crt").display().to_string()
    }

    /// What a process with this environment alone comes to.
    fn tries(&self, url: &str, environment: &[(&str, &str)]) -> String {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .env_clear()
            .env("HOME", self.folder.join("nobody"))
            .env("DUCTAPE_CONNECT_URL", url);
        for (key, value) in environment {
            command.env(key, value);
        }
        let output = command.output().unwrap();
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr)
        );
        for secret in [PASSWORD, IN_URL, "S3cretive"] {
            assert!(!told.contains(secret), "a password is told: {told}");
        }
        told
    }

    fn reaches(&self, url: &str, environment: &[(&str, &str)]) -> Result<(), String> {
        match self.tries(url, environment) {
            told if told == "reached" => Ok(()),
            told => Err(format!("{url} {environment:?}: {told}")),
        }
    }

    /// Fails as a connection does, and says these things.
    fn fails(&self, url: &str, environment: &[(&str, &str)], say: &[&str]) -> Result<(), String> {
        self.fails_as("connection", url, environment, say)
    }

    fn fails_as(
        &self,
        kind: &str,
        url: &str,
        environment: &[(&str, &str)],
        say: &[&str],
    ) -> Result<(), String> {
        let told = self.tries(url, environment);
        let all =
            told.starts_with(&format!("{kind}: ")) && say.iter().all(|word| told.contains(word));
        all.then_some(()).ok_or(told)
    }
}

type Attempt = fn(&Site) -> Result<(), String>;

const TRIALS: &[(&str, Attempt)] = &[
    ("a_password_by_scram_and_by_md5", |site| {
        site.reaches(&site.url("anybody", ""), &[])?;
        site.reaches(&site.url("with_md5", ""), &[])?;
        site.reaches(&site.url("with_md5", "?sslmode=disable"), &[])
    }),
    ("tls_as_far_as_sslmode_says", |site| {
        let root = site.root();
        for rest in ["", "?sslmode=require", "?sslmode=prefer", "?sslmode=allow"] {
            site.reaches(&site.url("tls_only", rest), &[])?;
        }
        for mode in ["require", "verify-ca", "verify-full"] {
            let rest = format!("?sslmode={mode}&sslrootcert={root}");
            site.reaches(&site.url("tls_only", &rest), &[])?;
        }
        site.fails(
            &site.url("tls_only", "?sslmode=disable"),
            &[],
            &["refused the connection"],
        )
    }),
    ("no_tls_as_far_as_sslmode_says", |site| {
        for rest in ["", "?sslmode=prefer", "?sslmode=allow", "?sslmode=disable"] {
            site.reaches(&site.url("plain_only", rest), &[])?;
        }
        site.fails(
            &site.url("plain_only", "?sslmode=require"),
            &[],
            &["pg_hba"],
        )
    }),
    ("a_certificate_is_judged", |site| {
        let root = site.root();
        let by_number = site
            .url(
                "tls_only",
                &format!("?sslmode=verify-full&sslrootcert={root}"),
            )
            .replace("localhost", "127.0.0.1");
        site.fails(&by_number, &[], &["TLS", "sslrootcert"])?;
        site.reaches(&by_number.replace("verify-full", "verify-ca"), &[])?;
        // One that is not known, also where a root certificate is given and only TLS asked for.
        let other = site.folder.join("other.crt");
        let made = Command::new("openssl")
            .args([
                "req",
                "-new",
                "-x509",
                "-nodes",
                "-subj",
                "/CN=other",
                "-keyout",
                "/dev/null",
                "-out",
            ])
            .arg(&other)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        for mode in ["require", "verify-ca", "verify-full"] {
            let rest = format!("?sslmode={mode}&sslrootcert={}", other.display());
            site.fails(&site.url("tls_only", &rest), &[], &["TLS"])?;
        }
        site.fails(&site.url("tls_only", "?sslmode=verify-full"), &[], &["TLS"])?;
        site.fails(&site.url("tls_only", "?sslrootcert=system"), &[], &["TLS"])
    }),
    ("the_variables_of_psql", |site| {
        let port = site.port.to_string();
        let root = site.root();
        let all = [
            ("PGHOST", "localhost"),
            ("PGPORT", port.as_str()),
            ("PGUSER", "tls_only"),
            ("PGPASSWORD", PASSWORD),
            ("PGDATABASE", "postgres"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", root.as_str()),
        ];
        site.reaches("postgres://", &all)?;
        site.reaches("postgresql:///postgres", &all)?;
        let wrong = [&all[..], &[("PGSSLMODE", "verify")]].concat();
        site.fails_as("usage", "postgres://", &wrong, &["PGSSLMODE", "verify-ca"])?;
        let wrong = [&all[..], &[("PGPORT", "many")]].concat();
        site.fails_as("usage", "postgres://", &wrong, &["PGPORT"])?;
        // The URL goes before the environment.
        site.reaches(&site.url("anybody", "?sslmode=disable"), &all)
    }),
    ("a_password_file", |site| {
        let line = format!(
            "localhost:{}:anybody:anybody:{}\n",
            site.port,
            PASSWORD.replace(':', "\\:")
        );
        let file = site.folder.join("passwords");
        write(&file, &format!("# ours\nelsewhere:*:*:*:S3cretive\n{line}"));
        let named = [("PGPASSFILE", file.to_str().unwrap())];
        let without = format!("postgres://anybody@localhost:{}", site.port);
        // The database is the one of the user's name, as the server takes it.
        site.reaches(&without, &named)?;
        site.reaches(&format!("{without}/anybody"), &named)?;
        site.fails(&format!("{without}/postgres"), &named, &["PGPASSWORD"])?;
        let home = site.folder.join("somebody");
        std::fs::create_dir_all(&home).unwrap();
        write(&home.join(".pgpass"), &line);
        site.reaches(&without, &[("HOME", home.to_str().unwrap())])
    }),
    ("a_socket", |site| {
        let encoded = site.sockets.replace('/', "%2F");
        let (port, sockets) = (site.port, &site.sockets);
        site.reaches(
            &format!("postgres://anybody:{IN_URL}@{encoded}:{port}/postgres"),
            &[],
        )?;
        site.reaches(
            &format!(
                "postgres://anybody:{IN_URL}@/postgres?host={sockets}&port={port}&sslmode=require"
            ),
            &[],
        )?;
        let port = port.to_string();
        let all = [
            ("PGHOST", sockets.as_str()),
            ("PGPORT", port.as_str()),
            ("PGPASSWORD", PASSWORD),
        ];
        site.reaches("postgres://anybody@/postgres", &all)
    }),
    ("a_service", |site| {
        let file = site.folder.join("services");
        write(
            &file,
            &format!(
                "[other]\nhost=elsewhere\n[ours]\nhost=localhost\nport={}\nuser=tls_only\npassword={PASSWORD}\ndbname=nowhere\nsslmode=require\n",
                site.port
            ),
        );
        let named = [
            ("PGSERVICEFILE", file.to_str().unwrap()),
            ("PGSERVICE", "ours"),
        ];
        // What the URL says goes before the service.
        site.reaches("postgres:///postgres", &named)?;
        site.reaches("postgres:///postgres?service=ours", &named[..1])?;
        site.fails("postgres://", &named, &["nowhere"])?;
        site.fails_as(
            "usage",
            "postgres:///?service=missing",
            &named[..1],
            &["missing"],
        )
    }),
    ("what_is_wrong_is_said", |site| {
        let port = site.port;
        let refused = "refused the connection";
        site.fails(
            &format!("postgres://anybody:S3cretive@localhost:{port}/postgres"),
            &[],
            &[refused, "password authentication failed", "PGPASSWORD"],
        )?;
        site.fails(
            &format!("postgres://anybody@localhost:{port}/postgres"),
            &[],
            &["password"],
        )?;
        site.fails(
            &site.url("anybody", "").replace("/postgres", "/nowhere"),
            &[],
            &[refused, "nowhere", "CREATE DATABASE"],
        )?;
        site.fails(
            "postgres://me:S3cretive@no-such-host.invalid/app",
            &[],
            &["no-such-host.invalid", "was not reached"],
        )?;
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let nobody = free.local_addr().unwrap().port();
        drop(free);
        site.fails(
            &format!("postgres://me:S3cretive@127.0.0.1:{nobody}/app"),
            &[],
            &["was not reached", "refused"],
        )?;
        let plain = servers::postgres().unwrap().url;
        site.fails(
            &format!("{plain}?sslmode=require"),
            &[],
            &["TLS", "sslmode"],
        )
    }),
];
