//! The schema at hand: the record reconciled with the live database.

use crate::backend::{Reader, Scope};
use crate::error::Result;
use crate::ledger::{
    NATIVE_PREFIX, RECORD_PREFIX, native_key, read_native, read_record, record_key,
};
use ductape_core::difference::Difference;
use ductape_core::schema::NativeDefinition;
use ductape_core::{Compiler, Name, Operation, Schema};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The schema at hand, and where the database is not as recorded.
#[derive(Debug, Default)]
pub(crate) struct AtHand {
    pub schema: Schema,
    pub differences: Vec<Difference>,
    /// The collections on record, within the scope.
    pub recorded: BTreeSet<Name>,
    /// The native definitions on record by their keys; read if the scope has any.
    pub recorded_natives: BTreeMap<String, NativeDefinition>,
    /// The keys of those that are not as recorded, or not on record.
    unlike_natives: BTreeSet<String>,
}

/// What was not as recorded before a run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Drifted {
    /// The names of collections.
    pub collections: BTreeSet<String>,
    /// The keys of native definitions.
    pub natives: BTreeSet<String>,
}

impl AtHand {
    /// What is not as recorded.
    pub fn drifted(&self) -> Drifted {
        Drifted {
            collections: self
                .differences
                .iter()
                .filter_map(|difference| Some(difference.collection.as_ref()?.to_string()))
                .collect(),
            natives: self.unlike_natives.clone(),
        }
    }

    /// Compares the native definitions with those on record. One that is not on record is no
    /// difference: nobody here made it.
    fn compare_natives(&mut self, scope: &Scope) {
        for native in self.schema.natives() {
            let key = native_key(native);
            if self.recorded_natives.get(&key) != Some(&**native) {
                self.unlike_natives.insert(key);
            }
        }
        for (key, native) in &self.recorded_natives {
            let live = self.schema.native(native).map(|live| &**live);
            if scope.covers(native)
                && let Some(difference) = Difference::of_native(native, live)
            {
                self.unlike_natives.insert(key.clone());
                self.differences.push(difference);
            }
        }
    }
}

impl Scope {
    /// Whether a definition is sure to be read with it. A view may stand on anything.
    fn covers(&self, native: &NativeDefinition) -> bool {
        match self {
            Scope::All => true,
            Scope::Only(names) => native.on.as_ref().is_some_and(|on| names.contains(on)),
        }
    }
}

/// Reads the live schema and the record of a scope, once each.
pub(crate) async fn at_hand(
    reader: &mut dyn Reader,
    compiler: &dyn Compiler,
    scope: &Scope,
    has_ledger: bool,
) -> Result<AtHand> {
    let live = reader.introspect(scope).await?;
    let mut recorded_natives = BTreeMap::new();
    if has_ledger && (*scope == Scope::All || live.natives().next().is_some()) {
        for (key, value) in reader.state(NATIVE_PREFIX).await? {
            let native = read_native(&key, &value)?;
            recorded_natives.insert(key, native);
        }
    }
    let rows = match scope {
        _ if !has_ledger => Vec::new(),
        Scope::All => reader.state(RECORD_PREFIX).await?,
        Scope::Only(names) => {
            let keys: BTreeSet<String> = names
                .iter()
                .chain(live.collections().map(|collection| &collection.name))
                .map(record_key)
                .collect();
            let keys: Vec<String> = keys.into_iter().collect();
            reader.state_of(&keys).await?
        }
    };
    let mut records = BTreeMap::new();
    for (key, value) in &rows {
        let record = read_record(key, value)?;
        records.insert(record.name.clone(), record);
    }
    let mut schema = Schema::new().of(compiler.capabilities().backend);
    let mut differences = Vec::new();
    let mut names: BTreeSet<&Name> = records.keys().collect();
    names.extend(live.collections().map(|collection| &collection.name));
    for name in names {
        let reconciled =
            compiler.reconcile(records.get(name), live.collection(name).map(|c| c.as_ref()));
        differences.extend(reconciled.differences);
        if let Some(collection) = reconciled.collection {
            schema.put(collection);
        }
    }
    for native in live.natives() {
        schema.put_native(native.clone());
    }
    let mut at_hand = AtHand {
        schema,
        differences,
        recorded: records.into_keys().collect(),
        recorded_natives,
        unlike_natives: BTreeSet::new(),
    };
    at_hand.compare_natives(scope);
    Ok(at_hand)
}

/// The collections that operations are about, for reading no more than is needed.
pub(crate) fn scope_of<'o>(operations: impl IntoIterator<Item = &'o Operation>) -> Scope {
    let mut names = BTreeSet::new();
    for operation in operations {
        match operation {
            // A raw statement may be about anything, and a definition may name anything.
            Operation::Raw(_) | Operation::Restore(_) => return Scope::All,
            Operation::RenameCollection(rename) => {
                names.insert(rename.to.clone());
            }
            Operation::CreateCollection(create) => names.extend(
                create
                    .constraints
                    .iter()
                    .filter_map(|constraint| Some(constraint.references()?.table.clone())),
            ),
            Operation::AddConstraint(add) => {
                names.extend(add.constraint.references().map(|r| r.table.clone()));
            }
            _ => {}
        }
        names.extend(operation.collection().cloned());
    }
    Scope::Only(names)
}

/// The collections that operations may change, those that only follow a new name included.
pub(crate) fn touched(resolved: &[ductape_core::Resolved]) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for resolved in resolved {
        let operation = &resolved.operation;
        names.extend(operation.collection().cloned());
        if let Operation::RenameCollection(rename) = operation {
            names.insert(rename.to.clone());
        }
        if let (Operation::RenameCollection(_) | Operation::RenameField(_), Some(name)) =
            (operation, operation.collection())
        {
            names.extend(resolved.before.referencing(name).map(|c| c.name.clone()));
        }
    }
    names
}
