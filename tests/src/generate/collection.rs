//! Collections: made, dropped, renamed, modified.

use super::OptionsOf;
use super::draw::{COLLECTIONS, Draw};
use ductape_core::Collection;
use ductape_core::operation::{
    CollectionChanges, CreateCollection, DropCollection, ModifyCollection, RenameCollection,
};
use ductape_core::schema::Options;
use serde_json::{Map, Value, json};
use std::sync::Arc;

impl Draw<'_> {
    pub(super) fn create_collection(&mut self) -> Option<CreateCollection> {
        if !self.schema.is_empty() && self.once_in(12) {
            // It is there already, and just so.
            let there = self.collection()?;
            let written = if self.once_in(2) {
                there.written()
            } else {
                Collection::clone(&there)
            };
            let mut create = CreateCollection::of(&written);
            Arc::make_mut(&mut create.options).sql.if_not_exists = true;
            return Some(create);
        }
        let schema = self.schema;
        let called = self.free(COLLECTIONS, |name| schema.collection(name).is_some())?;
        let mut sketch = Collection::new(called.clone());
        for number in 0..1 + self.below(5) {
            let flags = if number == 0 { 2 } else { 6 };
            if let Some(field) = self.field(&sketch, flags) {
                sketch.fields.push(field);
            }
        }
        let mut create = CreateCollection::new(called, Vec::new());
        create.timestamps = self.once_in(4);
        create.comment = self.comment();
        create.options = Arc::new(self.options(&sketch));
        create.options = {
            let mut options = Options::clone(&create.options);
            options.sql.if_not_exists = self.once_in(6);
            Arc::new(options)
        };
        for _ in 0..self.below(3) {
            let constraint = self.constraint(&sketch, true);
            create.constraints.extend(constraint);
        }
        for _ in 0..self.below(3) {
            let index = self.index(&sketch);
            create.indexes.extend(index);
        }
        create.fields = sketch.fields;
        create.allow = self.allow();
        Some(create)
    }

    pub(super) fn drop_collection(&mut self) -> Option<DropCollection> {
        if self.once_in(10) {
            let schema = self.schema;
            let gone = self.free(COLLECTIONS, |name| schema.collection(name).is_some())?;
            let mut drop = DropCollection::new(gone);
            drop.if_exists = true;
            return Some(drop);
        }
        let collection = self.collection()?;
        let mut drop = DropCollection::new(collection.name.clone());
        drop.cascade = !self.next().is_multiple_of(4);
        drop.if_exists = self.once_in(4);
        drop.allow = self.allow();
        Some(drop)
    }

    pub(super) fn rename_collection(&mut self) -> Option<RenameCollection> {
        let from = self.collection()?.name.clone();
        let schema = self.schema;
        let to = self.free(COLLECTIONS, |name| schema.collection(name).is_some())?;
        let mut rename = RenameCollection::new(from, to);
        rename.allow = self.allow();
        Some(rename)
    }

    pub(super) fn modify_collection(&mut self) -> Option<ModifyCollection> {
        let collection = self.collection()?;
        let mut changes = Map::new();
        if self.next().is_multiple_of(3) {
            let comments = [json!("new"), json!("it's \"ÄÖ\" 🖌"), json!(null), json!("")];
            let comment = self.of(&comments);
            changes.insert("comment".to_owned(), comment.cloned().unwrap_or_default());
        }
        let target = match self.profile.options {
            OptionsOf::Nobody => json!({}),
            OptionsOf::Sqlite => {
                let keep = Options::clone(&collection.options);
                let without_rowid = self.once_in(2);
                match (keep.sql.without_rowid, without_rowid) {
                    (true, _) if self.once_in(2) => json!({ "sqlOptions": null }),
                    (true, false) => json!({ "sqlOptions": { "withoutRowid": null } }),
                    (_, wanted) => json!({ "sqlOptions": { "withoutRowid": wanted } }),
                }
            }
            OptionsOf::Everybody => {
                let mut groups = self.options(&collection).to_value();
                // Some of it is taken away instead.
                if let Value::Object(groups) = &mut groups {
                    for key in [
                        "sqlOptions",
                        "mongoOptions",
                        "dynamoOptions",
                        "cassandraOptions",
                    ] {
                        if self.once_in(6) {
                            groups.insert(key.to_owned(), Value::Null);
                        }
                    }
                    for group in groups.values_mut().filter_map(Value::as_object_mut) {
                        for value in group.values_mut() {
                            if self.once_in(4) {
                                *value = Value::Null;
                            }
                        }
                        if self.once_in(3) {
                            let known: &[&str] = if group.contains_key("engine") {
                                &["charset", "strict", "ifNotExists"]
                            } else {
                                &[]
                            };
                            for key in known {
                                group.insert((*key).to_owned(), Value::Null);
                            }
                        }
                    }
                }
                groups
            }
        };
        if let Value::Object(groups) = target {
            changes.extend(groups);
        }
        if changes.is_empty() {
            changes.insert("comment".to_owned(), json!("changed"));
        }
        let changes = CollectionChanges::from_value(changes);
        let mut modify = ModifyCollection::new(collection.name.clone(), changes);
        modify.allow = self.allow();
        Some(modify)
    }

    // ---- fields
}
