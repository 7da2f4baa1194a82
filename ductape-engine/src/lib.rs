//! The Ductape migration engine: ledger, lock, journal; knows no database
