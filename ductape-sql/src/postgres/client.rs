//! One connection, spoken to in the simple protocol: a text of one or many statements out, the answers of
//! all of them back, in one round trip.

use ductape_engine::DbError;
use futures_util::TryStreamExt;
use rustls::crypto::CryptoProvider;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgRow, PgSeverity, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, PgConnection, Row};
use std::time::Duration;

/// What one statement answered: its rows, each value as text, and how many rows it changed.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub rows: Vec<Vec<Option<String>>>,
    pub affected: u64,
}

impl Answer {
    /// A value of the first row.
    pub fn first(&self, column: usize) -> Option<&str> {
        self.rows.first()?.get(column)?.as_deref()
    }
}

/// Why a text was not done to its end.
#[derive(Debug)]
pub(super) struct Broken {
    /// The answers of the statements that were done before.
    pub answers: Vec<Answer>,
    /// What went wrong.
    pub error: DbError,
}

impl Broken {
    /// Whether the connection is gone, so that nobody knows what the server did.
    pub fn lost(&self) -> bool {
        self.error.connection
    }

    /// Whether somebody else was in the way, and trying again may do (errcodes-appendix): a lock that
    /// was not to be had in time, a deadlock, a serialization failure.
    pub fn contended(&self) -> bool {
        matches!(
            self.error.code.as_deref(),
            Some("55P03" | "40P01" | "40001")
        )
    }
}

impl From<Broken> for DbError {
    fn from(broken: Broken) -> Self {
        broken.error
    }
}

/// A connection. It has no pool to go back to: dropped, it is closed, and whatever lock it held ends with it.
pub(super) struct Client {
    connection: PgConnection,
}

impl Client {
    /// Reaches the server.
    pub async fn connect(options: &PgConnectOptions, timeout: Duration) -> Result<Self, DbError> {
        let reached = match tokio::time::timeout(timeout, reach(options)).await {
            Ok(reached) => reached,
            Err(_) => {
                return Err(DbError::connection(format!(
                    "the server at {} did not answer within {} s",
                    address(options),
                    timeout.as_secs()
                )));
            }
        };
        match reached {
            Ok(connection) => Ok(Self { connection }),
            Err(error) => Err(not_reached(options, &error)),
        }
    }

    /// Runs a text of one or many statements, up to the first that fails.
    pub async fn ask(&mut self, text: String) -> Result<Vec<Answer>, Broken> {
        let mut answers = Vec::new();
        let mut rows = Vec::new();
        let mut results = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut self.connection);
        loop {
            match results.try_next().await {
                Ok(None) => return Ok(answers),
                Ok(Some(Either::Left(done))) => answers.push(Answer {
                    rows: std::mem::take(&mut rows),
                    affected: done.rows_affected(),
                }),
                Ok(Some(Either::Right(row))) => rows.push(texts(&row)),
                Err(error) => {
                    let error = db_error(&error);
                    return Err(Broken { answers, error });
                }
            }
        }
    }

    /// The answer of the last statement of a text.
    pub async fn answer(&mut self, text: String) -> Result<Answer, DbError> {
        Ok(self.ask(text).await?.pop().unwrap_or_default())
    }

    /// Says goodbye. Whether the server hears it or not, the connection is closed.
    pub async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.close()).await;
    }
}

/// Connects; with the other of TLS and none where the server refuses the first, as far as the mode leaves
/// it to the server (libpq-ssl).
async fn reach(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    if matches!(options.get_ssl_mode(), PgSslMode::VerifyCa)
        && CryptoProvider::get_default().is_none()
    {
        // For this mode the driver asks rustls for the process's own, and rustls panics where other crates
        // have brought several. Whoever else was first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let first = options.connect().await;
    let other = match (&first, options.get_ssl_mode()) {
        (Err(error), PgSslMode::Prefer) if refused(error) => PgSslMode::Disable,
        (Err(error), PgSslMode::Allow) if refused(error) => PgSslMode::Require,
        _ => return first,
    };
    match options.clone().ssl_mode(other).connect().await {
        Ok(connection) => Ok(connection),
        Err(_) => first,
    }
}

/// Whether there is no line in `pg_hba.conf` for such a connection (28000), or TLS did not come about.
fn refused(error: &sqlx::Error) -> bool {
    match error {
        error if is_of_tls(error) => true,
        sqlx::Error::Database(error) => error.code().as_deref() == Some("28000"),
        _ => false,
    }
}

/// Whether TLS did not come about. What is wrong with a certificate is told as bad data of the stream.
fn is_of_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// What went wrong, and what to do about it.
fn not_reached(options: &PgConnectOptions, error: &sqlx::Error) -> DbError {
    let place = address(options);
    let mut told = db_error(error);
    told.connection = true;
    told.refused = match told.code.as_deref() {
        Some("28P01" | "28000") => Some(
            "the password is that of the URL, of PGPASSWORD or of the password file; who may connect from where is in the server's pg_hba.conf",
        ),
        Some("3D000") => Some("make it with CREATE DATABASE, or mend the URL"),
        _ => None,
    };
    let why = match error {
        sqlx::Error::Database(_) => {
            told.message = format!(
                "the server at {place} refused the connection: {}",
                told.message
            );
            return told;
        }
        error if is_of_tls(error) => {
            told.refused = Some(
                "sslmode says whether TLS has to be, and sslrootcert which certificate the server's is judged by",
            );
            let why = match error {
                sqlx::Error::Tls(error) => error.to_string(),
                sqlx::Error::Io(error) => error.to_string(),
                other => other.to_string(),
            };
            format!("TLS did not come about: {why}")
        }
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    told.message = format!("the server at {place} was not reached: {why}");
    told
}

/// Where a server is, for people. No user, no password.
fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("{} (port {})", socket.display(), options.get_port()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

/// The values of a row in their text form, as the simple protocol sends them.
fn texts(row: &PgRow) -> Vec<Option<String>> {
    (0..row.len())
        .map(|column| {
            let value = row.try_get_raw(column).ok()?;
            Some(value.as_str().ok()?.to_owned())
        })
        .collect()
}

/// What the server or the driver said.
pub(super) fn db_error(error: &sqlx::Error) -> DbError {
    let Some(said) = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
    else {
        return DbError::connection(format!("the connection was lost: {error}"));
    };
    let mut message = said.message().to_owned();
    if let Some(detail) = said.detail() {
        message.push_str(&format!(" ({detail})"));
    }
    let mut answer = DbError::new(message).code(Some(said.code().to_owned()));
    // The server ends the connection with such an answer: a shutdown, pg_terminate_backend.
    answer.connection = matches!(said.severity(), PgSeverity::Fatal | PgSeverity::Panic);
    answer
}
