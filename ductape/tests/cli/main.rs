//! The program `ductape`, driven from outside: each command, flag, exit code and key of its documents,
//! and what it makes of input that nobody meant well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod changing;
mod configuration;
mod files;
mod hostile;
mod looking;
mod misuse;
mod repairing;
mod secrets;
mod signals;
mod support;
mod text;
mod troubles;
mod writing;
