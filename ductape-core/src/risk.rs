//! What may hurt when an operation runs.

use crate::json::words;
use serde::Serialize;

words! {
    /// The kinds of risks.
    pub enum RiskKind = "a kind of risk" {
        /// Rows or values go.
        "dataLoss" => DataLoss,
        /// The way back brings the shape, and not this data.
        "notRestored" => NotRestored,
        /// The whole table is written anew.
        "tableRewrite" => TableRewrite,
        /// Others wait while it runs.
        "blockingLock" => BlockingLock,
        /// The database does not keep this promise; it stands in the record alone.
        "notEnforced" => NotEnforced,
        /// The database keeps fewer digits than the type promises.
        "precision" => Precision,
        /// The statement cannot stand in a transaction.
        "notTransactional" => NotTransactional,
        /// What will run is known only once a raw statement before it has run.
        "unknown" => Unknown,
        /// For a while, a promise does not hold.
        "window" => Window,
    }
}

/// Something that may hurt, told before it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// What kind it is.
    pub kind: RiskKind,
    /// What happens, to what.
    pub message: String,
}

impl Risk {
    /// A risk.
    pub fn new(kind: RiskKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}
