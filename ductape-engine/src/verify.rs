//! Whether the database is where its history says, and the schema at hand.

use crate::at_hand::at_hand;
use crate::backend::Scope;
use crate::engine::MigrationEngine;
use crate::error::Result;
use crate::ledger::{RECORD_PREFIX, read_record};
use ductape_core::Schema;
use ductape_core::difference::Difference;
use serde::Serialize;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Whether nothing differs.
    pub ok: bool,
    /// Where the database is not as recorded.
    pub differences: Vec<Difference>,
    /// Collections that Ductape did not make: no difference.
    pub untracked: Vec<String>,
}

impl MigrationEngine {
    /// Compares the live schema with the schema on record. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached, or its ledger is damaged.
    pub async fn verify(&self) -> Result<Verification> {
        let mut reader = self.backend.read().await?;
        let compiler = self.backend.compiler();
        let at_hand = at_hand(reader.as_mut(), compiler, &Scope::All, true).await?;
        let recorded = reader.state(RECORD_PREFIX).await?;
        let mut names = std::collections::BTreeSet::new();
        for (key, value) in &recorded {
            names.insert(read_record(key, value)?.name);
        }
        let untracked = at_hand
            .schema
            .collections()
            .filter(|collection| !names.contains(&collection.name))
            .map(|collection| collection.name.to_string())
            .collect();
        Ok(Verification {
            ok: at_hand.differences.is_empty(),
            differences: at_hand.differences,
            untracked,
        })
    }

    /// The schema on record. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached, or its ledger is damaged.
    pub async fn recorded_schema(&self) -> Result<Schema> {
        let mut reader = self.backend.read().await?;
        let mut schema = Schema::new().of(self.backend.compiler().capabilities().backend);
        for (key, value) in reader.state(RECORD_PREFIX).await? {
            schema.put(read_record(&key, &value)?);
        }
        Ok(schema)
    }

    /// The live schema, in the normal form of its database. Changes nothing.
    ///
    /// # Errors
    /// When the database is not reached.
    pub async fn live_schema(&self) -> Result<Schema> {
        Ok(self.backend.read().await?.introspect(&Scope::All).await?)
    }
}
