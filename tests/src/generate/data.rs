//! Changes of data.

use super::draw::Draw;
use ductape_core::data::{Arithmetic, Comparison, Filter, ValueExpression};
use ductape_core::operation::{Update, UpdateInverse};
use ductape_core::{Collection, Field, FieldType, Name};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Draw<'_> {
    pub(super) fn expression(
        &mut self,
        collection: &Collection,
        of: &FieldType,
        depth: usize,
    ) -> ValueExpression {
        use ValueExpression as V;
        let literal = |draw: &mut Self| draw.value(of).map_or(V::Value(Value::Null), V::Value);
        if depth > 2 {
            return literal(self);
        }
        let deeper = |draw: &mut Self| draw.expression(collection, &FieldType::Text, depth + 1);
        match self.below(12) {
            1 => V::Value(Value::Null),
            2 | 3 => match self.of(&collection.fields) {
                Some(field) => V::Field(field.name.clone()),
                None => literal(self),
            },
            4 => V::Concat(vec![deeper(self), deeper(self)]),
            5 => V::Coalesce(vec![deeper(self), literal(self)]),
            6 => V::Lower(Box::new(V::Upper(Box::new(deeper(self))))),
            7 => V::Trim(Box::new(deeper(self))),
            8 => {
                let with = match self.below(4) {
                    0 => Arithmetic::Add,
                    1 => Arithmetic::Subtract,
                    2 => Arithmetic::Multiply,
                    _ => Arithmetic::Divide,
                };
                V::Arithmetic(with, Box::new([deeper(self), V::Value(json!(2))]))
            }
            9 => V::Cast(Box::new(deeper(self)), of.clone()),
            10 => V::Now,
            11 => V::Uuid,
            _ => literal(self),
        }
    }

    pub(super) fn filter(&mut self, collection: &Collection, depth: usize) -> Filter {
        // These words mean something else in a filter.
        let fields: Vec<&Field> = collection
            .fields
            .iter()
            .filter(|field| !["and", "or", "not"].contains(&field.name.as_str()))
            .collect();
        let Some(field) = self.of(&fields).copied() else {
            return Filter::default();
        };
        let list = |draw: &mut Self| -> Vec<Filter> {
            (0..draw.below(3))
                .map(|_| draw.filter(collection, depth + 1))
                .collect()
        };
        let value = self
            .value(&field.field_type)
            .filter(|value| !value.is_null());
        match self.below(8) {
            0 => self
                .all(&fields)
                .unwrap_or(Filter::Exists(field.name.clone(), true)),
            1 if depth < 2 => Filter::And(list(self)),
            2 if depth < 2 => Filter::Or(list(self)),
            3 if depth < 2 => Filter::Not(Box::new(self.filter(collection, depth + 1))),
            4 => Filter::Exists(field.name.clone(), self.once_in(2)),
            5 => Filter::In(
                field.name.clone(),
                value.into_iter().chain([json!(null)]).collect(),
            ),
            _ => match value {
                Some(value) => {
                    let comparison = match self.below(6) {
                        0 => Comparison::Equal,
                        1 => Comparison::NotEqual,
                        2 => Comparison::Greater,
                        3 => Comparison::GreaterOrEqual,
                        4 => Comparison::Less,
                        _ => Comparison::LessOrEqual,
                    };
                    Filter::Compare(field.name.clone(), comparison, value)
                }
                None => Filter::Exists(field.name.clone(), true),
            },
        }
    }

    /// What one object says of two fields.
    fn all(&mut self, fields: &[&Field]) -> Option<Filter> {
        let (a, b) = (&self.of(fields)?.name.clone(), &self.of(fields)?.name);
        let (first, second) = (a.min(b).clone(), a.max(b).clone());
        (first != second).then(|| {
            Filter::All(vec![
                Filter::Exists(first, true),
                Filter::Exists(second, false),
            ])
        })
    }

    pub(super) fn set(&mut self, collection: &Collection) -> BTreeMap<Name, ValueExpression> {
        let mut set = BTreeMap::new();
        for _ in 0..1 + self.below(2) {
            if let Some(field) = self.of(&collection.fields) {
                let value = self.expression(collection, &field.field_type, 0);
                set.insert(field.name.clone(), value);
            }
        }
        set
    }

    pub(super) fn update(&mut self) -> Option<Update> {
        let collection = self.collection()?;
        let mut update = Update::new(collection.name.clone(), self.set(&collection));
        if self.once_in(2) {
            update.filter = self.filter(&collection, 0);
        }
        if self.once_in(2) {
            update.inverse = Some(Box::new(UpdateInverse {
                set: self.set(&collection),
                filter: if self.once_in(2) {
                    self.filter(&collection, 0)
                } else {
                    Filter::default()
                },
            }));
        }
        update.allow = self.allow();
        Some(update)
    }
}
