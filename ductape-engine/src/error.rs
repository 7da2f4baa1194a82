//! Errors: what happened, where, why, and what to do.

use crate::lock::Holder;
use crate::report::Report;
use ductape_core::difference::Difference;
use ductape_core::{Problems, Refusal, Tag};
use serde::Serialize;
use std::fmt;

/// What a database answered when it did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DbError {
    /// What it said.
    pub message: String,
    /// Its own code, if it has one: an SQLSTATE, an error number, an exception's name.
    pub code: Option<String>,
    /// The statement, if the error is about one.
    pub statement: Option<String>,
    /// Whether the database was not reached at all.
    pub connection: bool,
    /// Whether another program was at it.
    pub busy: bool,
    /// Where it refused to break what hangs on the change: what to do about it.
    pub refused: Option<&'static str>,
    /// Whether it broke the statement off because it was asked to, and took it back.
    pub broken_off: bool,
}

impl DbError {
    /// An error about a request.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: None,
            statement: None,
            connection: false,
            busy: false,
            refused: None,
            broken_off: false,
        }
    }

    /// An error of reaching the database.
    pub fn connection(message: impl Into<String>) -> Self {
        Self {
            connection: true,
            ..Self::new(message)
        }
    }

    /// Says whether another program was at it.
    #[must_use]
    pub fn busy(mut self, busy: bool) -> Self {
        self.busy = busy;
        self
    }

    /// Adds the database's code.
    #[must_use]
    pub fn code(mut self, code: Option<String>) -> Self {
        self.code = code;
        self
    }

    /// Says that nothing was wrong but what the change would break, and what to do about it.
    #[must_use]
    pub fn refused(mut self, hint: &'static str) -> Self {
        self.refused = Some(hint);
        self
    }

    /// Says whether the statement was broken off because somebody asked for it, and taken back.
    #[must_use]
    pub fn broken_off(mut self, broken_off: bool) -> Self {
        self.broken_off = broken_off;
        self
    }

    /// Adds the statement.
    #[must_use]
    pub fn statement(mut self, statement: impl Into<String>) -> Self {
        self.statement = Some(statement.into());
        self
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for DbError {}

/// The words for kinds of errors, as programs see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is documented at Error")]
pub enum ErrorKind {
    Database,
    Connection,
    Io,
    Internal,
    Usage,
    Invalid,
    Pending,
    Edited,
    OutOfOrder,
    Drift,
    Mismatch,
    AlreadyExists,
    Undecided,
    Locked,
    Unsupported,
    Irreversible,
    Refused,
    Interrupted,
}

impl ErrorKind {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            ErrorKind::Database => "database",
            ErrorKind::Connection => "connection",
            ErrorKind::Io => "io",
            ErrorKind::Internal => "internal",
            ErrorKind::Usage => "usage",
            ErrorKind::Invalid => "invalid",
            ErrorKind::Pending => "pending",
            ErrorKind::Edited => "edited",
            ErrorKind::OutOfOrder => "outOfOrder",
            ErrorKind::Drift => "drift",
            ErrorKind::Mismatch => "mismatch",
            ErrorKind::AlreadyExists => "alreadyExists",
            ErrorKind::Undecided => "undecided",
            ErrorKind::Locked => "locked",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Irreversible => "irreversible",
            ErrorKind::Refused => "refused",
            ErrorKind::Interrupted => "interrupted",
        }
    }

    /// The exit code of a program that fails so.
    pub const fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Database | ErrorKind::Connection | ErrorKind::Io | ErrorKind::Internal => 1,
            ErrorKind::Usage | ErrorKind::Invalid => 2,
            ErrorKind::Pending => 3,
            ErrorKind::Edited
            | ErrorKind::OutOfOrder
            | ErrorKind::Drift
            | ErrorKind::Mismatch
            | ErrorKind::AlreadyExists
            | ErrorKind::Undecided => 4,
            ErrorKind::Locked => 5,
            ErrorKind::Unsupported | ErrorKind::Irreversible | ErrorKind::Refused => 6,
            ErrorKind::Interrupted => 130,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Everything there is to say about an error.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// What happened, and why.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The migration.
    pub tag: Option<Tag>,
    /// The operation, as a person reads it.
    pub operation: Option<String>,
    /// The statement.
    pub statement: Option<String>,
    /// The database's own code.
    pub code: Option<String>,
    /// Where the database is not as recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What was done before it.
    #[serde(flatten)]
    pub done: Report,
}

macro_rules! errors {
    ($( $(#[$meta:meta])* $variant:ident ),* $(,)?) => {
        /// Why a call failed. Each variant holds all there is to say: [`Error::details`].
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum Error {
            $( $(#[$meta])* $variant(Box<Details>), )*
            /// What it makes is there already.
            AlreadyExists {
                /// Whether it is just what would have been made.
                same: bool,
                /// The rest.
                details: Box<Details>,
            },
        }

        impl Error {
            /// What kind it is, as a word for programs.
            pub fn kind(&self) -> ErrorKind {
                match self {
                    $( Error::$variant(_) => ErrorKind::$variant, )*
                    Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
                }
            }

            /// Everything there is to say about it.
            pub fn details(&self) -> &Details {
                match self {
                    $( Error::$variant(details) => details, )*
                    Error::AlreadyExists { details, .. } => details,
                }
            }

            /// The same, to be added to.
            pub fn details_mut(&mut self) -> &mut Details {
                match self {
                    $( Error::$variant(details) => details, )*
                    Error::AlreadyExists { details, .. } => details,
                }
            }

            /// An error of a kind, with what happened.
            pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
                let details = Box::new(Details { message: message.into(), ..Details::default() });
                match kind {
                    $( ErrorKind::$variant => Error::$variant(details), )*
                    ErrorKind::AlreadyExists => Error::AlreadyExists { same: false, details },
                }
            }
        }
    };
}

errors! {
    /// The database refused a statement.
    Database,
    /// The database was not reached, or the connection was lost.
    Connection,
    /// A file could not be read or written.
    Io,
    /// Ductape itself is wrong; please report it.
    Internal,
    /// A call contradicts itself.
    Usage,
    /// A migration or the configuration is wrong; nothing was touched.
    Invalid,
    /// Something is pending where nothing should be.
    Pending,
    /// An applied migration has been edited.
    Edited,
    /// A pending migration is older than the last applied one.
    OutOfOrder,
    /// The database is not as recorded.
    Drift,
    /// An operation does not fit the database.
    Mismatch,
    /// A raw statement was cut off, and nothing tells whether it ran.
    Undecided,
    /// Another runner holds the lock.
    Locked,
    /// This database cannot do it; nothing was touched.
    Unsupported,
    /// There is no way back; nothing was touched.
    Irreversible,
    /// Data stands in the way, or a policy forbids it; nothing was touched.
    Refused,
    /// It was interrupted between two statements; what was done is recorded.
    Interrupted,
}

impl Error {
    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.details_mut().hint = Some(hint.into());
        self
    }

    /// Adds the migration, unless it is known already.
    #[must_use]
    pub fn tag(mut self, tag: Option<&Tag>) -> Self {
        let details = self.details_mut();
        if details.tag.is_none() {
            details.tag = tag.cloned();
        }
        self
    }

    /// Adds the operation, unless it is known already.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        let details = self.details_mut();
        if details.operation.is_none() {
            details.operation = Some(operation.into());
        }
        self
    }

    /// Adds the differences.
    #[must_use]
    pub fn differences(mut self, differences: Vec<Difference>) -> Self {
        self.details_mut().differences = differences;
        self
    }

    /// Adds what was done before it.
    #[must_use]
    pub fn after(mut self, done: Report) -> Self {
        self.details_mut().done = done;
        self
    }

    /// What a held lock is told as.
    pub fn locked(holder: Option<&Holder>, waited: std::time::Duration) -> Self {
        let who = holder.map_or_else(|| "another runner".to_owned(), Holder::describe);
        let with_its_connection = holder.is_some_and(|holder| holder.lease_ms.is_none());
        Self::of(
            ErrorKind::Locked,
            format!("the lock is held by {who}; waited {} s", waited.as_secs()),
        )
        .hint(match with_its_connection {
            true => "wait for it to end; if it is dead, its lock ends as soon as the server has ended what it began",
            false => "wait for it to end; if it is dead, its lock ends by itself with its lease",
        })
    }

    /// Something that cannot be, unless Ductape is wrong.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Internal, message).hint("this is a defect of Ductape; please report it")
    }

    /// Operations that the database cannot do.
    pub fn unsupported(title: &str, refusals: &[Refusal]) -> Self {
        let list: Vec<String> = refusals
            .iter()
            .map(|refusal| {
                format!(
                    "{}: {} ({})",
                    refusal.describe, refusal.reason, refusal.hint
                )
            })
            .collect();
        let error = Self::of(
            ErrorKind::Unsupported,
            format!("{title} cannot do this: {}", list.join("; ")),
        );
        match refusals.first() {
            Some(first) => error.hint(first.hint.clone()).operation(&first.describe),
            None => error,
        }
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        let kind = if error.connection {
            ErrorKind::Connection
        } else if error.refused.is_some() {
            ErrorKind::Refused
        } else if error.busy {
            ErrorKind::Locked
        } else if error.broken_off {
            ErrorKind::Interrupted
        } else {
            ErrorKind::Database
        };
        let (message, hint) = match kind {
            ErrorKind::Interrupted => (
                "interrupted; the statement under way was broken off".to_owned(),
                Some("`ductape up` goes on from there, and clears up what it may have left"),
            ),
            ErrorKind::Locked => (
                error.message,
                Some("another program has the database; run again when it is done"),
            ),
            _ => (error.message, error.refused),
        };
        let mut result = Self::of(kind, message);
        let details = result.details_mut();
        details.hint = hint.map(str::to_owned);
        details.code = error.code;
        details.statement = error.statement;
        result
    }
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self::of(ErrorKind::Invalid, problems.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = self.details();
        if let Some(tag) = &details.tag {
            write!(f, "{tag}: ")?;
        }
        if let Some(operation) = &details.operation {
            write!(f, "{operation}: ")?;
        }
        f.write_str(&details.message)?;
        if let Some(code) = &details.code {
            write!(f, " [{code}]")?;
        }
        if let Some(statement) = &details.statement {
            write!(f, "\n  in: {statement}")?;
        }
        for difference in &details.differences {
            write!(f, "\n  {}", difference.message)?;
        }
        if let Some(hint) = &details.hint {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// What the engine's calls return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_database_is_told_with_what_to_do() {
        let error = Error::from(DbError::new("database is locked").busy(true));
        assert_eq!(error.kind(), ErrorKind::Locked);
        assert!(error.details().hint.is_some());
    }
}
