//! The way back of an operation.

use crate::json::words;
use crate::operation::Operation;
use std::fmt;

words! {
    /// How much a way back brings back.
    pub enum Reversibility = "a reversibility" {
        /// Everything, data included.
        "lossless" => Lossless,
        /// The shape; not all of the data.
        "structureOnly" => StructureOnly,
        /// Nothing: there is no way back.
        "irreversible" => Irreversible,
    }
}

/// The operations that undo one, and what they cannot bring back.
#[derive(Debug, Clone, PartialEq)]
pub struct Inverse {
    /// In the order in which they are applied. Empty means that there is nothing to undo.
    pub operations: Vec<Operation>,
    /// What does not come back, a sentence each; empty if everything does.
    pub lost: Vec<String>,
}

impl Inverse {
    /// A way back that brings everything back.
    pub fn lossless(operations: Vec<Operation>) -> Self {
        Self {
            operations,
            lost: Vec::new(),
        }
    }

    /// A way back that brings the shape back, and what it does not.
    pub fn structure_only(operations: Vec<Operation>, lost: impl Into<String>) -> Self {
        Self {
            operations,
            lost: vec![lost.into()],
        }
    }

    /// How good it is.
    pub fn reversibility(&self) -> Reversibility {
        if self.lost.is_empty() {
            Reversibility::Lossless
        } else {
            Reversibility::StructureOnly
        }
    }
}

/// Why an operation has no way back, and what would give it one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Irreversible {
    /// The operation, as a person reads it.
    pub operation: String,
    /// Why.
    pub reason: String,
    /// What the migration's author can supply.
    pub what_to_supply: String,
}

impl fmt::Display for Irreversible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no way back from: {}, because {}; supply {}",
            self.operation, self.reason, self.what_to_supply
        )
    }
}

impl std::error::Error for Irreversible {}
