//! Ductape on SQL databases
