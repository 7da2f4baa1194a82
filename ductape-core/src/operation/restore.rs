use super::{Allow, Naming, Operation, SchemaError};
use crate::backend_name::BackendName;
use crate::inverse::{Inverse, Irreversible};
use crate::json::document;
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::{NativeDefinition, Schema};

document! {
    /// Brings native definitions back, as a way back of something that they hung on.
    pub struct Restore = "the operation restore" {
        required {
            /// The database whose words they are in.
            "backend" => backend: BackendName,
            /// The definitions, in the order in which they come back.
            "definitions" => definitions: Vec<NativeDefinition>,
        }
        optional {
            /// Definitions that it takes away instead: how Ductape writes what must fall first.
            "remove" => remove: Vec<NativeDefinition>,
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl Restore {
    /// Brings definitions back.
    pub fn new(backend: BackendName, definitions: Vec<NativeDefinition>) -> Self {
        Self {
            backend,
            definitions,
            remove: Vec::new(),
            allow: Vec::new(),
        }
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        None
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        _: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        if before
            .backend()
            .is_some_and(|backend| backend != self.backend)
        {
            return Ok(Some(Vec::new()));
        }
        self.check(before).map(|()| None)
    }

    fn check(&self, schema: &Schema) -> Result<(), SchemaError> {
        for native in &self.remove {
            if schema.native(native).is_none() && !native.is_settings() {
                return Err(SchemaError::missing(format!(
                    "the {} {:?} does not exist",
                    native.kind, native.name
                )));
            }
        }
        for native in &self.definitions {
            let goes = self.remove.iter().any(|other| other.is_named_like(native));
            if let Some(there) = schema.native(native)
                && !goes
                && !native.is_settings()
            {
                return Err(SchemaError::exists(
                    **there == *native,
                    format!("the {} {:?} already exists", native.kind, native.name),
                ));
            }
            if let Some(on) = &native.on
                && schema.collection(on).is_none()
            {
                return Err(SchemaError::missing(format!(
                    "the {} {:?} stands on the collection {on:?}, which does not exist",
                    native.kind, native.name
                )));
            }
        }
        Ok(())
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        self.check(schema)?;
        for native in &self.remove {
            schema.remove_native(native);
        }
        for native in &self.definitions {
            schema.put_native(native.clone());
        }
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        // What was there is what comes back, and not what the operation says of it.
        let there = |native: &NativeDefinition| {
            before
                .native(native)
                .map_or_else(|| native.clone(), |native| native.as_ref().clone())
        };
        let removed = |native: &NativeDefinition| {
            let mut others = self.remove.iter();
            others.any(|other| other.is_named_like(native))
        };
        let overwritten = self.definitions.iter().filter_map(|native| {
            let there = before.native(native)?;
            (!removed(native)).then(|| there.as_ref().clone())
        });
        let removed = self.remove.iter().rev().map(there);
        Ok(Inverse::lossless(vec![
            Restore {
                backend: self.backend,
                definitions: removed.chain(overwritten).collect(),
                remove: self.definitions.iter().rev().cloned().collect(),
                allow: self.allow.clone(),
            }
            .into(),
        ]))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        let list = |verb: &str, natives: &[NativeDefinition]| {
            let names: Vec<String> = natives
                .iter()
                .map(|native| format!("{} {}", native.kind, native.name))
                .collect();
            (!names.is_empty()).then(|| format!("{verb} {}", names.join(", ")))
        };
        [
            list("drop", &self.remove),
            list("restore", &self.definitions),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" and ")
    }
}
