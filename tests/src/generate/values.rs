//! Values and defaults.

use super::draw::Draw;
use ductape_core::schema::{DefaultValue, TypeName};
use ductape_core::{BackendName, Collection, Expression, FieldType};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Draw<'_> {
    pub(super) fn default(
        &mut self,
        collection: &Collection,
        of: &FieldType,
    ) -> Option<DefaultValue> {
        match self.below(4) {
            2 => {
                let made = [DefaultValue::Now, DefaultValue::Uuid];
                let fitting = made
                    .into_iter()
                    .find(|default| default.clone().canonical_for(of).is_ok());
                if fitting.is_some() {
                    return fitting;
                }
            }
            3 => {
                return self
                    .default_expression(collection, of)
                    .map(DefaultValue::Expression);
            }
            _ => {}
        }
        let value = self.value(of)?;
        DefaultValue::Value(value).canonical_for(of).ok()
    }

    pub(super) fn default_expression(
        &mut self,
        _: &Collection,
        of: &FieldType,
    ) -> Option<Expression> {
        if self.profile.typed {
            let texts: &[&str] = match of.name() {
                TypeName::Text => &["lower('A''b')", "'a' || 'b'"],
                TypeName::Integer | TypeName::Bigint | TypeName::Double => &["1 + 1", "abs(-3)"],
                TypeName::Timestamp => &["now() + interval '1 day'"],
                _ => return None,
            };
            return self.of(texts).map(|text| Expression::new(*text));
        }
        if !self.profile.any_words {
            let texts = [
                "1 + 1",
                "abs(-3)",
                "lower('A''b')",
                "NULL",
                "CURRENT_TIMESTAMP",
            ];
            return self.of(&texts).map(|text| Expression::new(*text));
        }
        let texts = [
            "1 + 1",
            "coalesce(NULL, lower('A''b'))",
            "date('now')",
            "('now'::text)::date",
            "nextval('users_id_seq'::regclass)",
            "value + 1",
        ];
        let text = *self.of(&texts)?;
        if self.once_in(3) {
            let texts = BTreeMap::from([
                (BackendName::Postgresql, text.to_owned()),
                (BackendName::Mysql, "(uuid())".to_owned()),
            ]);
            return Some(Expression::per_backend(texts));
        }
        Some(Expression::new(text))
    }

    /// A value of a type.
    pub(super) fn value(&mut self, of: &FieldType) -> Option<Value> {
        let values = match of {
            FieldType::Smallint | FieldType::Integer => vec![json!(0), json!(-1), json!(32_767)],
            FieldType::Bigint => vec![json!(0), json!(i64::MAX), json!(i64::MIN), json!("12")],
            FieldType::Float | FieldType::Double => {
                vec![
                    json!(0),
                    json!(0.1),
                    json!(-1.5e-7),
                    json!(1e300),
                    json!(3.0),
                ]
            }
            FieldType::Decimal { .. } => {
                vec![
                    json!(0),
                    json!("1.50"),
                    json!(-0.1),
                    json!("12345678901234567890.25"),
                ]
            }
            FieldType::String { .. } | FieldType::Text => {
                vec![
                    json!(""),
                    json!("a"),
                    json!("it's \"x\" \\ 🖌"),
                    json!("null"),
                ]
            }
            FieldType::Boolean => vec![json!(false), json!(true)],
            FieldType::Date => vec![json!("1970-01-01"), json!("2024-02-29")],
            FieldType::Time => vec![json!("00:00:00"), json!("23:59"), json!("14:30:52.125")],
            FieldType::Datetime => {
                vec![json!("2024-01-15T14:30:52"), json!("2024-01-15 14:30:52.5")]
            }
            FieldType::Timestamp => {
                vec![
                    json!("2024-01-15T14:30:52Z"),
                    json!("2024-01-15 14:30:52.5+01:00"),
                ]
            }
            FieldType::Json => vec![
                json!({}),
                json!({ "now": true }),
                json!({ "value": { "expression": 1 } }),
                json!(null),
                json!([1, { "a": null }, "x"]),
                json!("text"),
            ],
            FieldType::Uuid => vec![json!("123e4567-e89b-12d3-a456-42661417400A")],
            FieldType::Enum { values } => values.iter().map(|value| json!(value)).collect(),
            FieldType::Array { items } => {
                let item = self.value(items)?;
                vec![json!([]), json!([item, item]), json!([item])]
            }
            FieldType::Binary { .. } | FieldType::Blob => vec![json!(""), json!("AP+A")],
        };
        self.of(&values).cloned()
    }
}
