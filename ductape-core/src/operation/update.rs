use super::{Allow, Naming, Operation, SchemaError, existing};
use crate::data::{Filter, ValueExpression};
use crate::inverse::{Inverse, Irreversible};
use crate::json::{Node, Read, Reader, document};
use crate::name::Name;
use crate::risk::{Risk, RiskKind};
use crate::schema::Schema;
use std::collections::BTreeMap;

document! {
    /// What brings the data of an `update` back.
    pub struct UpdateInverse = "the inverse of an update" {
        required {
            /// The values that the way back sets.
            #[cfg_attr(feature = "json-schema", schemars(extend("minProperties" = 1)))]
            "set" => set: BTreeMap<Name, ValueExpression>,
        }
        optional {
            /// The rows that it is for.
            "where" => filter: Filter,
        }
    }
}

document! {
    /// Moves data, in batches.
    pub struct Update = "the operation update" {
        required {
            /// The collection.
            "collection" => collection: Name,
            /// The values that it sets.
            #[cfg_attr(feature = "json-schema", schemars(extend("minProperties" = 1)))]
            "set" => set: BTreeMap<Name, ValueExpression>,
        }
        optional {
            /// The rows that it is for; every row if absent.
            "where" => filter: Filter,
            /// What brings the data back; without it the way back leaves the data as it is.
            "inverse" => inverse: Option<Box<UpdateInverse>>,
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl Read for BTreeMap<Name, ValueExpression> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::Object(entries) = node else {
            return reader.expected("an object of fields to values", node);
        };
        if entries.is_empty() {
            reader.problem("at least one field is needed");
        }
        let read: Vec<Option<(Name, ValueExpression)>> = entries
            .iter()
            .map(|(key, value)| {
                reader.within(key, |reader| {
                    let name = Name::read(&Node::Text(key.clone()), reader);
                    let value = ValueExpression::read(value, reader);
                    name.zip(value)
                })
            })
            .collect();
        read.into_iter().collect()
    }
}

impl Update {
    /// Sets values in every row.
    pub fn new(collection: Name, set: BTreeMap<Name, ValueExpression>) -> Self {
        Self {
            collection,
            set,
            filter: Filter::default(),
            inverse: None,
            allow: Vec::new(),
        }
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        Some(&self.collection)
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        _: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        self.check(before)?;
        Ok(None)
    }

    fn check(&self, schema: &Schema) -> Result<(), SchemaError> {
        let collection = existing(schema, &self.collection)?;
        let mut named: Vec<&Name> = self.set.keys().collect();
        self.set.values().for_each(|value| value.fields(&mut named));
        self.filter.fields(&mut named);
        if let Some(inverse) = &self.inverse {
            named.extend(inverse.set.keys());
            inverse
                .set
                .values()
                .for_each(|value| value.fields(&mut named));
            inverse.filter.fields(&mut named);
        }
        for name in named {
            if collection.field(name).is_none() {
                return Err(SchemaError::missing(format!(
                    "the update names the field {}.{name}, which does not exist",
                    self.collection
                )));
            }
        }
        let back = self.inverse.iter().flat_map(|inverse| &inverse.set);
        for (name, value) in self.set.iter().chain(back) {
            if let Some(field) = collection.field(name) {
                if field.generated.is_some() {
                    return Err(SchemaError::invalid(format!(
                        "{}.{name} is generated and cannot be set",
                        self.collection
                    )));
                }
                if let ValueExpression::Value(value) = value {
                    if value.is_null() && field.required {
                        return Err(SchemaError::invalid(format!(
                            "{}.{name} is required and cannot be set to null",
                            self.collection
                        )));
                    }
                    if !value.is_null() {
                        field.field_type.value(value).map_err(|message| {
                            SchemaError::invalid(format!(
                                "the value of {}.{name}: {message}",
                                self.collection
                            ))
                        })?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        self.check(schema)
    }

    pub(super) fn inverse(&self, _: &Schema) -> Result<Inverse, Irreversible> {
        Ok(match &self.inverse {
            Some(inverse) => Inverse::lossless(vec![
                Update {
                    collection: self.collection.clone(),
                    set: inverse.set.clone(),
                    filter: inverse.filter.clone(),
                    inverse: Some(Box::new(UpdateInverse {
                        set: self.set.clone(),
                        filter: self.filter.clone(),
                    })),
                    allow: self.allow.clone(),
                }
                .into(),
            ]),
            None => Inverse::structure_only(
                Vec::new(),
                format!(
                    "the values of {} as they were before the update: the data stays as it is",
                    self.collection
                ),
            ),
        })
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        if self.inverse.is_some() {
            return Vec::new();
        }
        vec![Risk::new(
            RiskKind::NotRestored,
            format!(
                "the way back leaves the data of {} as the update made it",
                self.collection
            ),
        )]
    }

    pub(super) fn describe(&self) -> String {
        let fields: Vec<&str> = self.set.keys().map(Name::as_str).collect();
        format!("update {} ({})", self.collection, fields.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{made, operation};

    #[test]
    fn an_inverse_that_could_not_be_applied_is_refused() {
        let mut schema = made(
            r#"[{"type": "createCollection", "name": "t", "fields": [
                    {"name": "a", "type": "integer", "required": true},
                    {"name": "g", "type": "integer", "generated": {"expression": "a + 1"}}]}]"#,
        );
        for (set, fits) in [
            (r#"{"a": 1}"#, true),
            (r#"{"a": null}"#, false),
            (r#"{"a": "x"}"#, false),
            (r#"{"g": 1}"#, false),
        ] {
            let update = operation(&format!(
                r#"{{"type": "update", "collection": "t", "set": {{"a": 2}}, "inverse": {{"set": {set}}}}}"#
            ));
            assert_eq!(update.apply(&mut schema).is_ok(), fits, "{set}");
        }
    }
}
