//! The suites

pub mod generate;
pub mod servers;
pub mod instrumented;
pub mod cases;
pub mod databases;
