//! The suites
