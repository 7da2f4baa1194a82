//! What a call did, as values.

use ductape_core::{Checksum, Migration, Tag};
use serde::Serialize;

/// One migration that was applied or rolled back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Its tag.
    pub tag: Tag,
    /// Its name.
    pub name: String,
    /// Its checksum.
    pub checksum: Checksum,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many statements ran.
    pub statements: usize,
    /// The migration, with its tag and its way back.
    #[serde(skip)]
    pub migration: Migration,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The migrations that were applied, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<Done>,
    /// The migrations that were rolled back, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rolled_back: Vec<Done>,
}
