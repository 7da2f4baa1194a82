//! An index of a collection.

use crate::expression::Expression;
use crate::json::{Node, Read, Reader, document, is_default, words};
use crate::name::Name;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

words! {
    /// The order of a key.
    pub enum Order = "an order" {
        /// Ascending.
        "asc" => Ascending,
        /// Descending.
        "desc" => Descending,
    }
}

words! {
    /// Where nulls stand in an index.
    pub enum Nulls = "a place for nulls" {
        /// Before all values.
        "first" => First,
        /// After all values.
        "last" => Last,
    }
}

/// What an entry of an index is made from.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexTarget {
    /// A field.
    Field(Name),
    /// An expression over fields.
    Expression(Expression),
}

/// One key of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexKey {
    /// A field or an expression.
    pub target: IndexTarget,
    /// Descending instead of ascending.
    pub descending: bool,
    /// How many characters or bytes of the value count (MySQL, MariaDB).
    pub length: Option<u32>,
    /// Where nulls stand (PostgreSQL).
    pub nulls: Option<Nulls>,
    /// The operator class (PostgreSQL).
    pub operator_class: Option<String>,
    /// The collation, by its name in the database.
    pub collation: Option<String>,
}

impl IndexKey {
    /// An ascending key over a field.
    pub fn field(name: Name) -> Self {
        Self::new(IndexTarget::Field(name))
    }

    /// An ascending key.
    pub fn new(target: IndexTarget) -> Self {
        Self {
            target,
            descending: false,
            length: None,
            nulls: None,
            operator_class: None,
            collation: None,
        }
    }

    /// The field, if it is over a field alone.
    pub fn name(&self) -> Option<&Name> {
        match &self.target {
            IndexTarget::Field(name) => Some(name),
            IndexTarget::Expression(_) => None,
        }
    }

    fn mentions(&self, field: &Name) -> bool {
        match &self.target {
            IndexTarget::Field(name) => name == field,
            IndexTarget::Expression(expression) => expression.mentions(field),
        }
    }
}

const KEY_KEYS: [&str; 7] = [
    "name",
    "expression",
    "order",
    "length",
    "nulls",
    "operatorClass",
    "collation",
];

impl Read for IndexKey {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if let Node::Text(_) = node {
            return Name::read(node, reader).map(IndexKey::field);
        }
        let entries = reader.object(node, "a key of an index", &KEY_KEYS)?;
        let name: Option<Option<Name>> = reader.optional(entries, "name");
        let expression: Option<Option<Expression>> = reader.optional(entries, "expression");
        let order: Option<Option<Order>> = reader.optional(entries, "order");
        let length = reader.optional(entries, "length");
        let nulls = reader.optional(entries, "nulls");
        let operator_class = reader.optional(entries, "operatorClass");
        let collation = reader.optional(entries, "collation");
        if length == Some(Some(0)) {
            reader.within("length", |reader| {
                reader.problem("a length of 0 indexes nothing");
            });
        }
        let target = match (name?, expression?) {
            (Some(name), None) => IndexTarget::Field(name),
            (None, Some(expression)) => IndexTarget::Expression(expression),
            _ => {
                reader.problem("a key has either a name or an expression");
                return None;
            }
        };
        Some(Self {
            target,
            descending: order? == Some(Order::Descending),
            length: length?,
            nulls: nulls?,
            operator_class: operator_class?,
            collation: collation?,
        })
    }
}

impl serde::Serialize for IndexKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        match &self.target {
            IndexTarget::Field(name) => map.serialize_entry("name", name)?,
            IndexTarget::Expression(expression) => map.serialize_entry("expression", expression)?,
        }
        if self.descending {
            map.serialize_entry("order", &Order::Descending)?;
        }
        if let Some(length) = &self.length {
            map.serialize_entry("length", length)?;
        }
        if let Some(nulls) = &self.nulls {
            map.serialize_entry("nulls", nulls)?;
        }
        if let Some(operator_class) = &self.operator_class {
            map.serialize_entry("operatorClass", operator_class)?;
        }
        if let Some(collation) = &self.collation {
            map.serialize_entry("collation", collation)?;
        }
        map.end()
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for IndexKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IndexKey".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<Name>();
        let expression = generator.subschema_for::<Expression>();
        let order = generator.subschema_for::<Order>();
        let nulls = generator.subschema_for::<Nulls>();
        schemars::json_schema!({
            "description": "A field's name, or a field or an expression with its order.",
            "anyOf": [
                name,
                {
                    "type": "object",
                    "properties": {
                        "name": name,
                        "expression": expression,
                        "order": order,
                        "length": { "type": "integer", "minimum": 1, "maximum": u32::MAX },
                        "nulls": nulls,
                        "operatorClass": { "type": "string" },
                        "collation": { "type": "string" }
                    },
                    "oneOf": [{ "required": ["name"] }, { "required": ["expression"] }],
                    "additionalProperties": false
                }
            ]
        })
    }
}

words! {
    /// How an index is built; which ones a database has is one of its capabilities.
    pub enum Method = "an index method" {
        /// Balanced tree.
        "btree" => Btree,
        /// Hash.
        "hash" => Hash,
        /// Generalized inverted index.
        "gin" => Gin,
        /// Generalized search tree.
        "gist" => Gist,
        /// Space-partitioned search tree.
        "spgist" => Spgist,
        /// Block ranges.
        "brin" => Brin,
        /// Words of texts (MySQL, MariaDB).
        "fulltext" => Fulltext,
        /// Geometry (MySQL, MariaDB).
        "spatial" => Spatial,
        /// Words of texts (MongoDB).
        "text" => Text,
        /// Geometry on a sphere (MongoDB).
        "2dsphere" => Sphere2d,
        /// Geometry on a plane (MongoDB).
        "2d" => Plane2d,
        /// Hash of one field (MongoDB).
        "hashed" => Hashed,
        /// Every field (MongoDB).
        "wildcard" => Wildcard,
        /// Storage-attached (Cassandra).
        "sai" => Sai,
        /// One column's values (Cassandra).
        "secondary" => Secondary,
    }
}

document! {
    /// What only MongoDB's indexes have.
    #[derive(Default)]
    pub struct MongoIndexOptions = "MongoDB's options of an index" {
        required {}
        optional {
            /// Leaves out documents without the field.
            "sparse" => sparse: Option<bool>,
            /// Deletes documents so many seconds after the field's time.
            "expireAfterSeconds" => expire_after_seconds: Option<u64>,
            /// Indexes only the documents that match.
            "partialFilterExpression" => partial_filter_expression: Option<Value>,
            /// The collation document.
            "collation" => collation: Option<Value>,
        }
    }
}

/// What a DynamoDB index copies from the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Projection {
    /// Every attribute.
    #[default]
    All,
    /// The keys alone.
    KeysOnly,
    /// The keys and these attributes.
    Include(Vec<Name>),
}

impl Read for Projection {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match node {
            Node::Text(word) if word == "ALL" => Some(Projection::All),
            Node::Text(word) if word == "KEYS_ONLY" => Some(Projection::KeysOnly),
            Node::List(_) => Vec::read(node, reader).map(Projection::Include),
            other => reader.expected("\"ALL\", \"KEYS_ONLY\" or a list of names", other),
        }
    }
}

impl serde::Serialize for Projection {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Projection::All => serializer.serialize_str("ALL"),
            Projection::KeysOnly => serializer.serialize_str("KEYS_ONLY"),
            Projection::Include(names) => names.serialize(serializer),
        }
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Projection {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Projection".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = generator.subschema_for::<Vec<Name>>();
        schemars::json_schema!({ "anyOf": [{ "enum": ["ALL", "KEYS_ONLY"] }, names] })
    }
}

document! {
    /// What only DynamoDB's indexes have.
    #[derive(Default)]
    pub struct DynamoIndexOptions = "DynamoDB's options of an index" {
        required {}
        optional {
            /// The attributes that the index holds.
            "projection" => projection: Projection,
            /// Reads a second, where the table's capacity is provisioned.
            "readCapacity" => read_capacity: Option<u64>,
            /// Writes a second, where the table's capacity is provisioned.
            "writeCapacity" => write_capacity: Option<u64>,
        }
    }
}

/// An index of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Its name; made from the collection and the fields if absent.
    pub name: Option<Name>,
    /// Its keys, in order.
    pub fields: Vec<IndexKey>,
    /// No two rows share the keys.
    pub unique: bool,
    /// Nulls count as equal in a unique index (PostgreSQL 15).
    pub nulls_not_distinct: bool,
    /// Indexes only the rows for which this holds.
    pub predicate: Option<Expression>,
    /// How it is built; the database's usual way if absent.
    pub method: Option<Method>,
    /// Storage and method options.
    pub with: BTreeMap<String, Value>,
    /// Fields that are stored beside the keys.
    pub include: Vec<Name>,
    /// Kept, but not used by queries.
    pub hidden: bool,
    /// A note for people.
    pub comment: Option<String>,
    /// Whether to build it without blocking writers; decided by the plan if absent. Not a property of
    /// the index: the model does not keep it.
    pub online: Option<bool>,
    /// What only MongoDB has.
    pub mongo: MongoIndexOptions,
    /// What only DynamoDB has.
    pub dynamo: DynamoIndexOptions,
}

impl Index {
    /// An index over keys, with nothing else said.
    pub fn new(fields: Vec<IndexKey>) -> Self {
        Self {
            name: None,
            fields,
            unique: false,
            nulls_not_distinct: false,
            predicate: None,
            method: None,
            with: BTreeMap::new(),
            include: Vec::new(),
            hidden: false,
            comment: None,
            online: None,
            mongo: MongoIndexOptions::default(),
            dynamo: DynamoIndexOptions::default(),
        }
    }

    /// The name that is made where none is given.
    pub fn made_name(&self, collection: &Name) -> Name {
        let expression = Name::made("expr", []);
        Name::made(
            "idx",
            std::iter::once(collection).chain(
                self.fields
                    .iter()
                    .map(|key| key.name().unwrap_or(&expression)),
            ),
        )
    }

    /// Whether the index is over a field in any way.
    pub fn mentions(&self, field: &Name) -> bool {
        self.fields.iter().any(|key| key.mentions(field))
            || self.include.contains(field)
            || self.predicate.as_ref().is_some_and(|p| p.mentions(field))
            || matches!(&self.dynamo.projection, Projection::Include(names) if names.contains(field))
    }

    /// Follows a renamed field.
    pub(crate) fn rename_field(&mut self, from: &Name, to: &Name) {
        for key in &mut self.fields {
            match &mut key.target {
                IndexTarget::Field(name) if name == from => *name = to.clone(),
                IndexTarget::Field(_) => {}
                IndexTarget::Expression(expression) => *expression = expression.renamed(from, to),
            }
        }
        let projected = match &mut self.dynamo.projection {
            Projection::Include(names) => names.as_mut_slice(),
            _ => &mut [],
        };
        for name in self.include.iter_mut().chain(projected) {
            if name == from {
                *name = to.clone();
            }
        }
        if let Some(predicate) = &mut self.predicate {
            *predicate = predicate.renamed(from, to);
        }
    }

    /// The expressions in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.fields
            .iter()
            .filter_map(|key| match &key.target {
                IndexTarget::Expression(expression) => Some(expression),
                IndexTarget::Field(_) => None,
            })
            .chain(&self.predicate)
    }

    /// The index under a name, without what is decided anew each time it is built.
    pub(crate) fn settled(index: &Arc<Self>, name: &Name) -> Arc<Self> {
        if index.name.as_ref() == Some(name) && index.online.is_none() {
            return index.clone();
        }
        let mut settled = Self::clone(index);
        settled.name = Some(name.clone());
        settled.online = None;
        Arc::new(settled)
    }
}

const INDEX_KEYS: [&str; 13] = [
    "name",
    "fields",
    "unique",
    "nullsNotDistinct",
    "where",
    "method",
    "with",
    "include",
    "hidden",
    "comment",
    "online",
    "mongo",
    "dynamo",
];

impl Read for Index {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = reader.object(node, "an index", &INDEX_KEYS)?;
        let name = reader.optional(entries, "name");
        let fields: Option<Vec<IndexKey>> = reader.required(entries, "fields");
        let unique = reader.optional(entries, "unique");
        let nulls_not_distinct = reader.optional(entries, "nullsNotDistinct");
        let predicate = reader.optional(entries, "where");
        let method = reader.optional(entries, "method");
        let with = reader.optional(entries, "with");
        let include = reader.optional(entries, "include");
        let hidden = reader.optional(entries, "hidden");
        let comment = reader.optional(entries, "comment");
        let online = reader.optional(entries, "online");
        let mongo = reader.optional(entries, "mongo");
        let dynamo = reader.optional(entries, "dynamo");
        if let Some(fields) = &fields {
            reader.within("fields", |reader| {
                if fields.is_empty() {
                    reader.problem("an index needs at least one key");
                }
                for (index, key) in fields.iter().enumerate() {
                    if fields
                        .iter()
                        .take(index)
                        .any(|earlier| earlier.target == key.target && key.name().is_some())
                    {
                        reader.at(index, |reader| {
                            reader.problem("this field stands twice in the index")
                        });
                    }
                }
            });
        }
        Some(Self {
            name: name?,
            fields: fields?,
            unique: unique?,
            nulls_not_distinct: nulls_not_distinct?,
            predicate: predicate?,
            method: method?,
            with: with?,
            include: include?,
            hidden: hidden?,
            comment: comment?,
            online: online?,
            mongo: mongo?,
            dynamo: dynamo?,
        })
    }
}

impl serde::Serialize for Index {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &self.name {
            map.serialize_entry("name", name)?;
        }
        map.serialize_entry("fields", &self.fields)?;
        for (key, value) in [
            ("unique", self.unique),
            ("nullsNotDistinct", self.nulls_not_distinct),
            ("hidden", self.hidden),
        ] {
            if value {
                map.serialize_entry(key, &true)?;
            }
        }
        macro_rules! entry {
            ($key:literal, $value:expr) => {
                if !is_default($value) {
                    map.serialize_entry($key, $value)?;
                }
            };
        }
        entry!("where", &self.predicate);
        entry!("method", &self.method);
        entry!("with", &self.with);
        entry!("include", &self.include);
        entry!("comment", &self.comment);
        entry!("online", &self.online);
        entry!("mongo", &self.mongo);
        entry!("dynamo", &self.dynamo);
        map.end()
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Index {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Index".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = generator.subschema_for::<Name>();
        let names = generator.subschema_for::<Vec<Name>>();
        let keys = generator.subschema_for::<Vec<IndexKey>>();
        let expression = generator.subschema_for::<Expression>();
        let method = generator.subschema_for::<Method>();
        let mongo = generator.subschema_for::<MongoIndexOptions>();
        let dynamo = generator.subschema_for::<DynamoIndexOptions>();
        schemars::json_schema!({
            "type": "object",
            "properties": {
                "name": name,
                "fields": { "allOf": [keys, { "minItems": 1, "uniqueItems": true }] },
                "unique": { "type": "boolean" },
                "nullsNotDistinct": { "type": "boolean" },
                "where": expression,
                "method": method,
                "with": { "type": "object" },
                "include": names,
                "hidden": { "type": "boolean" },
                "comment": { "type": "string" },
                "online": { "type": "boolean" },
                "mongo": mongo,
                "dynamo": dynamo
            },
            "required": ["fields"],
            "additionalProperties": false
        })
    }
}
