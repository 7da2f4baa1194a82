//! What is said in the databases' own words.

use super::draw::{Draw, OTHERS, name};
use ductape_core::operation::{Backends, Raw, RawStatement, Restore};
use ductape_core::schema::NativeDefinition;
use ductape_core::{BackendName, Name};
use serde_json::{Map, json};

impl Draw<'_> {
    pub(super) fn raw(&mut self) -> Option<Raw> {
        let backend = *self.of(&[
            BackendName::Sqlite,
            BackendName::Postgresql,
            BackendName::Mongodb,
        ])?;
        let document = backend == BackendName::Mongodb;
        let statement = |draw: &mut Self| match draw.below(3) {
            _ if document => {
                let mut document = Map::new();
                document.insert("collMod".to_owned(), json!("users"));
                document.insert("validator".to_owned(), json!({ "a": null }));
                RawStatement::document(document)
            }
            2 => RawStatement::text("UPDATE \"users\" SET x = 'it''s' -- 🖌"),
            _ => RawStatement::text("VACUUM"),
        };
        let mut raw = Raw::new(backend, statement(self));
        if !document && self.once_in(3) {
            raw.backend = Backends::new([backend, BackendName::Mysql]);
        }
        if !self.next().is_multiple_of(3) {
            raw.inverse = Some(statement(self));
        }
        raw.transactional = self.maybe(3, |draw| Some(draw.once_in(2)));
        raw.allow = self.allow();
        Some(raw)
    }

    pub(super) fn restore(&mut self) -> Option<Restore> {
        let mut restore = Restore::new(self.profile.backend?, Vec::new());
        if self.once_in(12) {
            restore.backend = BackendName::Postgresql;
        }
        let there: Vec<NativeDefinition> =
            self.schema.natives().map(|n| n.as_ref().clone()).collect();
        for _ in 0..self.below(3) {
            restore.remove.extend(self.of(&there).cloned());
        }
        for number in 0..self.below(4) {
            let definition = self.native(&there, number);
            restore.definitions.extend(definition);
        }
        if restore.remove.is_empty() && restore.definitions.is_empty() {
            let definition = self.native(&there, 0);
            restore.definitions.extend(definition);
        }
        restore.allow = self.allow();
        Some(restore)
    }

    pub(super) fn native(
        &mut self,
        there: &[NativeDefinition],
        number: usize,
    ) -> Option<NativeDefinition> {
        let collection = self.collection()?;
        let other = self.collection()?;
        let on = self.spell(&collection.name);
        let (one, two) = (
            self.of(&collection.fields)?.name.clone(),
            self.of(&other.fields)?.name.clone(),
        );
        let (one, two) = (self.spell(&one), self.spell(&two));
        let kind = *self.of(&["trigger", "view", "policy"])?;
        let taken = |name: &Name| there.iter().any(|n| n.kind == kind && n.name == *name);
        let called = if self.once_in(10) {
            name(self.of(OTHERS)?)
        } else {
            self.free(OTHERS, taken)?
        };
        let definition = if kind == "trigger" {
            format!(
                "CREATE TRIGGER t AFTER INSERT ON {on} BEGIN DELETE FROM x WHERE {one} = 1; END"
            )
        } else {
            let joined = self.spell(&other.name);
            format!("CREATE VIEW v AS SELECT a.{one} AS value, b.{two} FROM {on} a JOIN {joined} b")
        };
        Some(NativeDefinition {
            kind: kind.to_owned(),
            name: called,
            definition,
            on: (kind != "view" || self.once_in(3)).then(|| collection.name.clone()),
            after: if number > 0 && self.once_in(2) {
                vec![name("one")]
            } else {
                Vec::new()
            },
        })
    }
}
