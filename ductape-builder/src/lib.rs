//! Typed builders for Ductape migrations
