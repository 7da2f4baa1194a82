//! What the benchmarks share: migrations to measure with, and comparisons in rounds.
//!
//! `BENCHMARKS.md` says what is measured and how to repeat it.

pub mod compare;
pub mod database;
pub mod workload;
