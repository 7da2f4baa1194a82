//! The suites

pub mod cases;
pub mod databases;
pub mod file;
pub mod generate;
pub mod instrumented;
pub mod proxy;
pub mod scene;
pub mod served;
pub mod servers;
pub mod walk;
