//! Why an operation does not fit a schema.

use std::fmt;

/// What is wrong between an operation and a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaErrorKind {
    /// What it makes is there already; `same` tells whether it is just what would be made.
    AlreadyExists {
        /// Whether the one that is there is equal.
        same: bool,
    },
    /// What it is about is not there.
    Missing,
    /// It contradicts itself or the schema.
    Invalid,
    /// Others depend on what it takes away.
    Depended,
}

/// Why an operation does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// What kind of misfit.
    pub kind: SchemaErrorKind,
    /// What, where and why.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl SchemaError {
    fn new(kind: SchemaErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn exists(same: bool, message: impl Into<String>) -> Self {
        Self::new(SchemaErrorKind::AlreadyExists { same }, message)
    }

    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::new(SchemaErrorKind::Missing, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(SchemaErrorKind::Invalid, message)
    }

    pub(crate) fn depended(message: impl Into<String>) -> Self {
        Self::new(SchemaErrorKind::Depended, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for SchemaError {}
