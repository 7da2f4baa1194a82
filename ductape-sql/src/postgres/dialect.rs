//! How PostgreSQL quotes.

use crate::writer::{Quoting, Sql};

/// PostgreSQL, and its way of quoting.
#[derive(Debug, Clone, Copy)]
pub struct Postgres;

impl Quoting for Postgres {
    // `standard_conforming_strings` is the session's to set; a marked text does not depend on it.
    const MARKS_BACKSLASHES: bool = true;
}

/// An empty text.
pub(crate) fn sql() -> Sql {
    Sql::new::<Postgres>()
}
