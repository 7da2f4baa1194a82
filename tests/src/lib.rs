//! The suites

pub mod generate;
pub mod servers;
