//! How PostgreSQL quotes.

use crate::writer::{Quoting, Sql};

/// PostgreSQL, and its way of quoting.
#[derive(Debug, Clone, Copy)]
pub struct Postgres;

impl Quoting for Postgres {
    // `standard_conforming_strings` is the session's to set; a marked text does not depend on it.
    const MARKS_BACKSLASHES: bool = true;
    // The fence of a unit notes when it begins (`lock/held.rs`); behind a pooler, and after a raw RESET, nobody knows.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    const TOOK: Option<&'static str> = Some(
        "coalesce(((extract(epoch FROM clock_timestamp())::numeric - nullif(current_setting('ductape.began', true), '')::numeric) * 1000)::bigint, 0)",
    );
}

/// An empty text.
pub(crate) fn sql() -> Sql {
    Sql::new::<Postgres>()
}
