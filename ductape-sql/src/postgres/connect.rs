//! A PostgreSQL server, as a URL names it.

use super::client::{CONNECT_TIMEOUT, Client};
use super::dialect::{Postgres, sql};
use super::lock;
use super::place::Place;
use super::session::PostgresSession;
use async_trait::async_trait;
use ductape_core::{Compiler, Name};
use ductape_engine::backend::{Reader, Session};
use ductape_engine::ledger::{HEAD_KEY, Head};
use ductape_engine::{Actor, Backend, DbError, Error, ErrorKind, Holder, Patience};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;
use std::time::Duration;

/// Parameters of a URL that the driver takes.
const TAKEN: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "schema",
    "connect_timeout",
];

/// Parameters that other programs take, and that change nothing for one connection of Ductape's.
const PASSED_OVER: [&str; 14] = [
    "channel_binding",
    "client_encoding",
    "connection_limit",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "pgbouncer",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
];

/// A PostgreSQL database.
#[derive(Clone)]
pub struct PostgresBackend {
    options: PgConnectOptions,
    /// The schema that the URL names; the session's own if it names none.
    schema: Option<Name>,
    timeout: Duration,
}

impl std::fmt::Debug for PostgresBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresBackend")
            .field("host", &self.options.get_host())
            .field("database", &self.options.get_database())
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl PostgresBackend {
    /// The database of a URL: `postgres://user@host:5432/app?sslmode=require&schema=public`. What the URL
    /// does not say comes from `PGHOST`, `PGUSER` and their like and from the password file, as with
    /// `psql`. Nothing is reached yet.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if it is no such URL.
    pub fn new(url: &str) -> Result<Self, Error> {
        let (rest, query) = url.split_once('?').unwrap_or((url, ""));
        let mut schema = None;
        let mut timeout = CONNECT_TIMEOUT;
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !TAKEN.contains(&key) && !key.starts_with("options[") {
                if PASSED_OVER.contains(&key) {
                    continue;
                }
                return Err(usage(format!("a PostgreSQL URL has no parameter {key:?}")));
            }
            match key {
                "schema" => {
                    let name = Name::new(decoded(value))
                        .map_err(|error| usage(format!("the schema of the URL: {error}")))?;
                    schema = Some(name);
                }
                "connect_timeout" => {
                    let seconds: u64 = value
                        .parse()
                        .map_err(|_| usage("connect_timeout is a number of seconds".to_owned()))?;
                    // As libpq has it: zero is no limit, and one second is not enough.
                    timeout = match seconds {
                        0 => Duration::from_secs(24 * 60 * 60),
                        seconds => Duration::from_secs(seconds.max(2)),
                    };
                }
                _ => kept.push(pair),
            }
        }
        let url = match kept.as_slice() {
            [] => rest.to_owned(),
            kept => format!("{rest}?{}", kept.join("&")),
        };
        let options = PgConnectOptions::from_str(&url)
            .map_err(|error| usage(format!("this is no PostgreSQL URL: {error}")))?
            // A pooler refuses start-up parameters that it does not know, and nothing here reads floats.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("ductape"),
        };
        Ok(Self {
            options,
            schema,
            timeout,
        })
    }

    pub(super) fn schema(&self) -> Option<&Name> {
        self.schema.as_ref()
    }

    pub(super) async fn connect(&self) -> Result<Client, DbError> {
        Client::connect(&self.options, self.timeout).await
    }
}

fn usage(message: String) -> Error {
    Error::of(ErrorKind::Usage, message)
        .hint("write postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require&schema=SCHEMA")
}

/// A value of a URL without its percent signs.
fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = value
            .get(at + 1..at + 3)
            .filter(|_| *byte == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[async_trait]
impl Backend for PostgresBackend {
    fn compiler(&self) -> &dyn Compiler {
        &Postgres
    }

    async fn head(&self) -> Result<Option<Head>, Error> {
        let mut client = self.connect().await?;
        let mut text = sql().words("SELECT value FROM ");
        if let Some(schema) = &self.schema {
            text = text.name(schema).words(".");
        }
        let text = text
            .name(&crate::ledger::LedgerNames::default().state)
            .words(" WHERE key = ")
            .text(HEAD_KEY)
            .finish();
        let answer = client.answer(text).await;
        client.close().await;
        match answer {
            Ok(answer) => answer.first(0).map(crate::ledger::read_head).transpose(),
            // There is no such table, or no such schema.
            Err(error) if matches!(error.code.as_deref(), Some("42P01" | "3F000")) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn read(&self) -> Result<Box<dyn Reader>, Error> {
        let mut client = self.connect().await?;
        let place = Place::find(&mut client, self.schema.as_ref()).await?;
        Ok(Box::new(PostgresSession::for_reading(
            self.clone(),
            client,
            place,
        )))
    }

    async fn lock(&self, actor: &Actor, patience: &Patience) -> Result<Box<dyn Session>, Error> {
        let session = PostgresSession::locked(self.clone(), actor.clone(), *patience).await?;
        Ok(Box::new(session))
    }

    async fn force_release(&self) -> Result<Option<Holder>, Error> {
        lock::take_away(self).await
    }
}
