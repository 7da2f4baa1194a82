//! Native requests, as plain data.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// One request to one database. It prints, serializes and snapshots; only a session runs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Statement {
    /// An SQL or CQL text.
    Sql(String),
    /// A MongoDB command.
    Command {
        /// The database that it is for, if it is another one than the migration's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        database: Option<String>,
        /// The command document.
        document: Value,
    },
    /// A call of a web service.
    Call {
        /// Which one: `CreateTable`.
        action: String,
        /// What it is given.
        input: Value,
    },
}

impl Statement {
    /// An SQL or CQL text.
    pub fn sql(text: impl Into<String>) -> Self {
        Statement::Sql(text.into())
    }

    /// A call of a web service.
    pub fn call(action: impl Into<String>, input: Value) -> Self {
        Statement::Call {
            action: action.into(),
            input,
        }
    }

    /// The text, if it is SQL or CQL.
    pub fn as_sql(&self) -> Option<&str> {
        match self {
            Statement::Sql(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statement::Sql(text) => f.write_str(text),
            Statement::Command { database, document } => {
                if let Some(database) = database {
                    write!(f, "[{database}] ")?;
                }
                write!(f, "{document}")
            }
            Statement::Call { action, input } => write!(f, "{action} {input}"),
        }
    }
}
