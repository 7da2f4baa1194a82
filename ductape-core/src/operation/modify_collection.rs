use super::{Allow, Naming, Operation, SchemaError, existing};
use crate::inverse::{Inverse, Irreversible};
use crate::json::{Node, Read, Reader, document};
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::options::OPTION_KEYS;
use crate::schema::{
    CassandraOptions, Collection, DynamoOptions, MongoOptions, Options, Schema, SqlOptions,
};
use serde_json::{Map, Value};

/// Changes of a collection's comment and options, merged key by key; null takes a key away.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct CollectionChanges(Map<String, Value>);

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for CollectionChanges {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CollectionChanges".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        use crate::schema::{CassandraOptions, DynamoOptions, MongoOptions, SqlOptions};
        /// The options of a group, each of which may also be null: that takes it away.
        fn changes<T: schemars::JsonSchema>(generator: &mut schemars::SchemaGenerator) -> Value {
            let group = T::json_schema(generator);
            let properties: Map<String, Value> = group
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(key, option)| {
                    let or_null = serde_json::json!({ "anyOf": [option, { "type": "null" }] });
                    (key.clone(), or_null)
                })
                .collect();
            serde_json::json!({
                "type": ["object", "null"], "properties": properties, "additionalProperties": false
            })
        }
        let sql = changes::<SqlOptions>(generator);
        let mongo = changes::<MongoOptions>(generator);
        let dynamo = changes::<DynamoOptions>(generator);
        let cassandra = changes::<CassandraOptions>(generator);
        schemars::json_schema!({
            "description": "Changes of a collection's comment and options, merged key by key; null takes a key away.",
            "type": "object",
            "properties": {
                "comment": { "type": ["string", "null"] },
                "sqlOptions": sql,
                "mongoOptions": mongo,
                "dynamoOptions": dynamo,
                "cassandraOptions": cassandra
            },
            "minProperties": 1,
            "additionalProperties": false
        })
    }
}

impl CollectionChanges {
    /// Changes from the JSON that a migration file has.
    pub fn from_value(changes: Map<String, Value>) -> Self {
        Self(changes)
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The changes as JSON.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    fn state(collection: &Collection) -> Map<String, Value> {
        let mut state = match collection.options.to_value() {
            Value::Object(groups) => groups,
            _ => Map::new(),
        };
        if let Some(comment) = &collection.comment {
            state.insert("comment".to_owned(), Value::String(comment.clone()));
        }
        state
    }

    /// The collection after the changes.
    fn apply_to(&self, collection: &Collection) -> Result<Collection, SchemaError> {
        let mut state = Value::Object(Self::state(collection));
        for (key, change) in &self.0 {
            match (change, state.get_mut(key)) {
                (Value::Object(changes), Some(Value::Object(group))) if key != "comment" => {
                    for (option, value) in changes {
                        if value.is_null() {
                            group.remove(option);
                        } else {
                            group.insert(option.clone(), value.clone());
                        }
                    }
                }
                (Value::Null, _) => {
                    if let Value::Object(groups) = &mut state {
                        groups.remove(key);
                    }
                }
                (value, _) => {
                    if let Value::Object(groups) = &mut state {
                        groups.insert(key.clone(), without_nulls(value));
                    }
                }
            }
        }
        let node: Node = serde_json::from_value(state)
            .map_err(|error| SchemaError::invalid(error.to_string()))?;
        let mut reader = Reader::new();
        let Node::Object(entries) = &node else {
            return Err(SchemaError::invalid("the changes are no object"));
        };
        let options = Options::read(entries, &mut reader);
        let comment = reader.optional(entries, "comment");
        let problems = reader.finish();
        match (options, comment, problems.first()) {
            (Some(mut options), Some(comment), None) => {
                // How it is made, and not how it is.
                options.sql.if_not_exists = false;
                let mut collection = collection.clone();
                collection.options = std::sync::Arc::new(options);
                collection.comment = comment;
                Ok(collection)
            }
            (.., problem) => Err(SchemaError::invalid(
                problem.map_or_else(|| "the changes do not fit".to_owned(), ToString::to_string),
            )),
        }
    }

    /// The changes that lead from one collection's options to another's.
    pub fn between(from: &Collection, to: &Collection) -> Self {
        let (from, to) = (Self::state(from), Self::state(to));
        let mut changes = Map::new();
        for key in from.keys().chain(to.keys()) {
            match (from.get(key), to.get(key)) {
                (before, after) if before == after => {}
                (Some(Value::Object(before)), Some(Value::Object(after))) => {
                    let mut group = Map::new();
                    for option in before.keys().chain(after.keys()) {
                        if before.get(option) != after.get(option) {
                            group.insert(
                                option.clone(),
                                after.get(option).cloned().unwrap_or(Value::Null),
                            );
                        }
                    }
                    changes.insert(key.clone(), Value::Object(group));
                }
                (_, after) => {
                    changes.insert(key.clone(), after.cloned().unwrap_or(Value::Null));
                }
            }
        }
        Self(changes)
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(group) => Value::Object(
            group
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        value => value.clone(),
    }
}

impl Read for CollectionChanges {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let mut keys = vec!["comment"];
        keys.extend(OPTION_KEYS);
        let entries = reader.object(node, "the changes of a collection", &keys)?;
        if entries.is_empty() {
            reader.problem("at least one change is needed");
        }
        // A key that is taken away must be one that could be there.
        for (group, value) in entries {
            let known = match group.as_str() {
                "sqlOptions" => SqlOptions::KEYS,
                "mongoOptions" => MongoOptions::KEYS,
                "dynamoOptions" => DynamoOptions::KEYS,
                "cassandraOptions" => CassandraOptions::KEYS,
                _ => continue,
            };
            if let Node::Object(options) = value {
                let taken: Vec<(String, Node)> = options
                    .iter()
                    .filter(|(_, option)| *option == Node::Null)
                    .cloned()
                    .collect();
                reader.within(group, |reader| {
                    reader.object(&Node::Object(taken), "the options", known);
                });
            }
        }
        // Each group is read without its nulls, so that its keys and types are checked here already.
        let there: Vec<(String, Node)> = entries
            .iter()
            .filter(|(_, value)| *value != Node::Null)
            .map(|(key, value)| {
                let value = match value {
                    Node::Object(options) => Node::Object(
                        options
                            .iter()
                            .filter(|(_, option)| *option != Node::Null)
                            .cloned()
                            .collect(),
                    ),
                    value => value.clone(),
                };
                (key.clone(), value)
            })
            .collect();
        let options = Options::read(&there, reader);
        let comment: Option<Option<String>> = reader.optional(&there, "comment");
        options?;
        comment?;
        match node.to_value() {
            Value::Object(changes) => Some(Self(changes)),
            _ => None,
        }
    }
}

document! {
    /// Changes a collection's comment or options.
    pub struct ModifyCollection = "the operation modifyCollection" {
        required {
            /// The collection.
            "name" => name: Name,
            /// The changes, merged key by key; null takes a key away.
            "changes" => changes: CollectionChanges,
        }
        optional {
            /// What it may do that is refused without being asked for.
            "allow" => allow: Vec<Allow>,
        }
    }
}

impl ModifyCollection {
    /// Changes a collection.
    pub fn new(name: Name, changes: CollectionChanges) -> Self {
        Self {
            name,
            changes,
            allow: Vec::new(),
        }
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        Some(&self.name)
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        _: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        let collection = existing(before, &self.name)?;
        let after = self.changes.apply_to(collection)?;
        Ok((after == **collection).then(Vec::new))
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        let after = self.changes.apply_to(existing(schema, &self.name)?)?;
        schema.put(after);
        Ok(())
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let back = before.collection(&self.name).and_then(|collection| {
            let after = self.changes.apply_to(collection).ok()?;
            Some(CollectionChanges::between(&after, collection))
        });
        let mut operations = Vec::new();
        if let Some(changes) = back
            && !changes.is_empty()
        {
            let mut back = Self::new(self.name.clone(), changes);
            back.allow.clone_from(&self.allow);
            operations.push(back.into());
        }
        Ok(Inverse::lossless(operations))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        let keys: Vec<&str> = self.changes.0.keys().map(String::as_str).collect();
        format!("modify collection {} ({})", self.name, keys.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{made, there_and_back};

    #[test]
    fn if_not_exists_is_no_property_of_a_collection() {
        let changed = r#"[{"type": "createCollection", "name": "t", "fields": {"a": "integer"}},
                          {"type": "modifyCollection", "name": "t",
                           "changes": {"sqlOptions": {"ifNotExists": true, "strict": true}}}]"#;
        there_and_back(changed, r#"{"type": "dropCollection", "name": "t"}"#);
    }

    #[test]
    fn an_option_that_is_null_is_none() {
        let created = r#"[{"type": "createCollection", "name": "t", "fields": {"a": "integer"},
                           "mongoOptions": {"validator": null, "capped": true}}]"#;
        let absent = r#"[{"type": "createCollection", "name": "t", "fields": {"a": "integer"},
                          "mongoOptions": {"capped": true}}]"#;
        assert_eq!(made(created), made(absent));
        there_and_back(
            created,
            r#"{"type": "modifyCollection", "name": "t", "changes": {"mongoOptions": {"validator": {"a": 1}}}}"#,
        );
    }
}
