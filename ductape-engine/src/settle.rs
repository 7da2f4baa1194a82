//! What is left to do to the record after a run: following what raw statements did, and reading back
//! how the server spells the expressions that it was given.
//!
//! Each piece of it is noted in the state together with the change that makes it necessary. A run that
//! is cut off before it has done it leaves it to the next.

use crate::at_hand::Drifted;
use crate::backend::Scope;
use crate::error::Result;
use crate::ledger::{
    FOLLOW_KEY, Put, RESPELL_PREFIX, TODO_PREFIX, native_key, read_record, record_key, record_value,
};
use crate::prepare::Prepared;
use crate::run::Run;
use ductape_core::Name;
use std::collections::BTreeSet;

/// What a run knows of what is left to do.
#[derive(Debug)]
pub(crate) struct Unsettled {
    /// Whether there may be notes in the state.
    pub noted: bool,
    /// Whether the record has followed everything, so that a note of that is only to be taken away.
    pub followed: bool,
}

impl Default for Unsettled {
    /// An earlier run may have been cut off.
    fn default() -> Self {
        Self {
            noted: true,
            followed: false,
        }
    }
}

impl Run<'_> {
    /// Adds to what a migration writes what will be left to do after it.
    pub(crate) fn note_to_follow(&mut self, ready: &mut Prepared, drifted: &Drifted) {
        if ready.followed {
            let before = serde_json::to_string(drifted).unwrap_or_default();
            ready.rows.push((FOLLOW_KEY.to_owned(), Some(before)));
            self.unsettled.followed = false;
        }
        self.unsettled.noted |= ready
            .rows
            .iter()
            .any(|(key, _)| key.starts_with(TODO_PREFIX));
    }

    /// Does what is left to do to the record, of this run or an earlier one.
    pub(crate) async fn settle_record(&mut self) -> Result<()> {
        if !self.unsettled.noted {
            return Ok(());
        }
        let rows = self.session.state(TODO_PREFIX).await?;
        if let Some((_, before)) = rows.iter().find(|(key, _)| key == FOLLOW_KEY)
            && !self.unsettled.followed
        {
            // What cannot be read tells of no earlier difference.
            let drifted: Drifted = serde_json::from_str(before).unwrap_or_default();
            self.follow(&drifted).await?;
        }
        let mut puts = self.respelled(&rows).await?;
        puts.extend(
            rows.into_iter()
                .map(|(key, _)| Put::State { key, value: None }),
        );
        if !puts.is_empty() {
            self.session.record(&puts).await?;
        }
        self.unsettled = Unsettled {
            noted: false,
            followed: true,
        };
        Ok(())
    }

    /// The record of collections whose expressions the server has, in its spelling.
    async fn respelled(&mut self, rows: &[(String, String)]) -> Result<Vec<Put>> {
        let names: BTreeSet<Name> = rows
            .iter()
            .filter_map(|(key, _)| Name::new(key.strip_prefix(RESPELL_PREFIX)?).ok())
            .collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let backend = self.engine.backend.compiler().capabilities().backend;
        let keys: Vec<String> = names.iter().map(record_key).collect();
        let live = self.session.introspect(&Scope::Only(names)).await?;
        let mut puts = Vec::new();
        for (key, value) in self.session.state_of(&keys).await? {
            let record = read_record(&key, &value)?;
            if let Some(live) = live.collection(&record.name) {
                let adopted = record.adopting(&live.spellings(backend));
                puts.push(Put::State {
                    key,
                    value: Some(record_value(&adopted)),
                });
            }
        }
        Ok(puts)
    }

    /// What a raw statement did to collections on record is history, too: the record follows. What was
    /// not as recorded before the run stays a difference, and a definition that was there before the
    /// run stays nobody's.
    pub(crate) async fn follow(&mut self, before: &Drifted) -> Result<()> {
        let now = self.at_hand(&Scope::All).await?;
        let mut puts = Vec::new();
        let differing: BTreeSet<&Name> = now
            .differences
            .iter()
            .filter_map(|difference| difference.collection.as_ref())
            .collect();
        for name in differing {
            if before.collections.contains(name.as_str()) {
                continue;
            }
            if now.recorded.contains(name) {
                puts.push(Put::State {
                    key: record_key(name),
                    value: now.schema.collection(name).map(|c| record_value(c)),
                });
            }
        }
        let mut gone = now.recorded_natives;
        for native in now.schema.natives() {
            let key = native_key(native);
            let known = gone.remove(&key);
            if known.as_ref() == Some(&**native) || before.natives.contains(&key) {
                continue;
            }
            puts.push(Put::State {
                key,
                value: serde_json::to_string(&**native).ok(),
            });
        }
        puts.extend(
            gone.into_keys()
                .filter(|key| !before.natives.contains(key))
                .map(|key| Put::State { key, value: None }),
        );
        if !puts.is_empty() {
            self.session.record(&puts).await?;
        }
        self.unsettled.followed = true;
        Ok(())
    }
}
