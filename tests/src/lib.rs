//! The suites

pub mod cases;
pub mod databases;
pub mod generate;
pub mod instrumented;
pub mod proxy;
pub mod servers;
