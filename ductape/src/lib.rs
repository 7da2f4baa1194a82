//! One reversible schema migration for every database
