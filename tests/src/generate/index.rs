//! Indexes and the conditions of partial ones.

use super::draw::{Draw, OTHERS};
use super::field::is_text;
use ductape_core::operation::{CreateIndex, DropIndex};
use ductape_core::schema::{
    DynamoIndexOptions, Index, IndexKey, IndexTarget, MongoIndexOptions, Nulls,
};
use ductape_core::{BackendName, Collection, Expression, FieldType, Name};
use serde_json::json;
use std::collections::BTreeMap;

impl Draw<'_> {
    pub(super) fn index(&mut self, collection: &Collection) -> Option<Index> {
        let extras = self.profile.index_extras;
        let mut keys: Vec<IndexKey> = Vec::new();
        for field in self.some_fields(collection, 3) {
            let mut key = IndexKey::field(field.clone());
            let text = !self.profile.typed
                || collection
                    .field(&field)
                    .is_some_and(|field| is_text(&field.field_type));
            if text && self.once_in(6) {
                let text = format!("lower({})", self.spell(&field));
                key = IndexKey::new(IndexTarget::Expression(self.per_backend(&text)));
            }
            key.descending = self.once_in(3);
            if extras {
                key.length = self.maybe(8, |_| Some(10));
                key.nulls = self.maybe(8, |draw| draw.of(Nulls::ALL).copied());
                key.operator_class = self.maybe(8, |_| Some("text_pattern_ops".to_owned()));
            }
            if text {
                key.collation = self.collation();
            }
            keys.push(key);
        }
        let mut index = Index::new(keys);
        index.name = self.maybe(2, |draw| {
            draw.free(OTHERS, |n| collection.index(n).is_some())
        });
        index.unique = self.once_in(3);
        index.predicate = self.maybe(4, |draw| draw.condition(collection));
        index.comment = self.comment();
        index.online = self.maybe(6, |draw| Some(draw.once_in(2)));
        if extras {
            index.nulls_not_distinct = self.once_in(8);
            index.hidden = self.once_in(8);
            let methods = self.profile.methods.clone();
            index.method = self.maybe(5, |draw| draw.of(&methods).copied());
            if self.once_in(8) {
                let with = [
                    ("fillfactor".to_owned(), json!(70)),
                    ("x".to_owned(), json!(null)),
                ];
                index.with = BTreeMap::from(with);
            }
        }
        if self.profile.include {
            if self.once_in(5) {
                index.include = self.some_fields(collection, 2);
            }
            if self.once_in(8) {
                index.mongo = MongoIndexOptions {
                    sparse: Some(self.once_in(2)),
                    expire_after_seconds: self.maybe(2, |_| Some(0)),
                    partial_filter_expression: self.maybe(2, |draw| draw.document()),
                    collation: None,
                };
            }
            if self.once_in(6) {
                index.dynamo = DynamoIndexOptions {
                    projection: self.projection(collection),
                    read_capacity: self.maybe(2, |_| Some(1)),
                    write_capacity: None,
                };
            }
        }
        Some(index)
    }

    pub(super) fn per_backend(&mut self, text: &str) -> Expression {
        if self.profile.any_words && self.once_in(4) {
            return Expression::per_backend(BTreeMap::from([
                (BackendName::Postgresql, text.to_owned()),
                (BackendName::Sqlite, format!("({text})")),
            ]));
        }
        Expression::new(text)
    }

    /// Something that holds for a row or does not.
    pub(super) fn condition(&mut self, collection: &Collection) -> Option<Expression> {
        let (one, two) = (
            self.of(&collection.fields)?.name.clone(),
            self.of(&collection.fields)?.name.clone(),
        );
        let kind = collection.field(&one).map(|field| field.field_type.clone());
        let (one, two) = (self.spell(&one), self.spell(&two));
        let templates: &[&str] = if self.profile.typed {
            match kind {
                Some(kind) if is_text(&kind) => &[
                    "{a} IN ('a', 'b')",
                    "length({a}) < 100 AND {a} <> 'it''s \"x\"'",
                    "{a} IS NOT NULL",
                    "CASE WHEN {a} = '1' THEN {b} IS NULL ELSE false END",
                ],
                Some(FieldType::Integer | FieldType::Bigint | FieldType::Smallint) => &[
                    "{a} > 0",
                    "{a} BETWEEN 1 AND 10 OR {b} IS NULL",
                    "{a} IN (1, 2)",
                ],
                _ => &["{a} IS NOT NULL", "{a} IS NULL OR {b} IS NOT NULL"],
            }
        } else if self.profile.any_words {
            &[
                "{a} > 0",
                "{a} IS NOT NULL",
                "length({a}) < 100 AND {b} <> 'it''s \"x\"'",
                "{a} IN ('a', {b})",
                "CASE WHEN {a} = 1 THEN {b} ELSE 0 END = 1",
                "{a} > date('now') AND {b} < order",
                "EXTRACT(year FROM {a}) > 2000",
                "{a}::date > '2020-01-01'::date",
                "value({a}) AND NOT order",
            ]
        } else {
            &[
                "{a} > 0",
                "{a} IS NOT NULL",
                "length({a}) < 100 AND {b} <> 'it''s \"x\"'",
                "{a} IN ('a', 'b')",
                "CASE WHEN {a} = 1 THEN {b} ELSE 0 END = 1",
            ]
        };
        let text = self
            .of(templates)?
            .replace("{a}", &one)
            .replace("{b}", &two);
        Some(self.per_backend(&text))
    }

    pub(super) fn create_index(&mut self) -> Option<CreateIndex> {
        let collection = self.collection()?;
        let mut create = CreateIndex::new(collection.name.clone(), self.index(&collection)?);
        create.allow = self.allow();
        Some(create)
    }

    pub(super) fn drop_index(&mut self) -> Option<DropIndex> {
        let all: Vec<(Name, Name)> = self
            .schema
            .collections()
            .flat_map(|c| {
                c.indexes
                    .iter()
                    .filter_map(|i| Some((c.name.clone(), i.name.clone()?)))
            })
            .collect();
        let (collection, index) = self.of(&all)?.clone();
        let mut drop = DropIndex::new(collection, index);
        drop.allow = self.allow();
        Some(drop)
    }

    // ---- constraints
}
