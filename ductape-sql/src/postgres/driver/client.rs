//! One connection, spoken to in the simple protocol: a text of one or many statements out, the answers of
//! all of them back, in one round trip.

use super::break_off::BreakOff;
use super::planned::Planned;
use super::reach::reach;
use ductape_engine::DbError;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgRow, PgSeverity};
use sqlx::{AssertSqlSafe, Connection, Either, PgConnection, Row};
use std::time::Duration;

/// `query_canceled` (errcodes-appendix).
const CANCELED: &str = "57014";

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
    /// What its session has planned.
    pub planned: Planned,
    /// What breaks off the statement under way.
    pub break_off: Option<BreakOff>,
}

impl Client {
    /// Reaches the server.
    pub async fn connect(options: &PgConnectOptions, timeout: Duration) -> Result<Self, DbError> {
        let connection = reach(options, timeout).await?;
        Ok(Self {
            connection,
            planned: Planned::default(),
            break_off: None,
        })
    }

    /// Runs a text of one or many statements, up to the first that fails.
    pub async fn ask(&mut self, text: String) -> Result<Vec<Answer>, Broken> {
        let mut answers = Vec::new();
        let mut rows = Vec::new();
        let mut results = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut self.connection);
        let mut broken_off = false;
        loop {
            let next = match &self.break_off {
                Some(by) => by.heeding(results.try_next(), &mut broken_off).await,
                None => results.try_next().await,
            };
            match next {
                Ok(None) => return Ok(answers),
                Ok(Some(Either::Left(done))) => answers.push(Answer {
                    rows: std::mem::take(&mut rows),
                    affected: done.rows_affected(),
                }),
                Ok(Some(Either::Right(row))) => rows.push(texts(&row)),
                Err(error) => {
                    let error = db_error(&error);
                    let broken_off = broken_off && error.code.as_deref() == Some(CANCELED);
                    let error = error.broken_off(broken_off);
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
