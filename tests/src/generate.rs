//! Random sequences of operations that fit each other.
//!
//! A sequence is drawn as a list of *choices*: a kind of operation and small numbers. They are then
//! read against a schema that grows along: the numbers pick names, fields, types and attributes among
//! those that are there. Leaving a choice out or making its numbers smaller gives a simpler sequence
//! that is still valid, so that a failure shrinks to something that a person can read.
//!
//! A [`Profile`] says what the database in question can do.

use ductape_core::data::{Arithmetic, Comparison, Filter, ValueExpression};
use ductape_core::operation::{
    AddConstraint, AddField, Allow, Backends, CollectionChanges, CreateCollection, CreateIndex,
    DropCollection, DropConstraint, DropField, DropIndex, ModifyCollection, ModifyField, Raw,
    RawStatement, RenameCollection, RenameField, Restore, Update, UpdateInverse,
};
use ductape_core::schema::{
    CassandraOptions, Change, ClusteringDirection, ClusteringOrder, Constraint, DefaultValue,
    Deferrable, DynamoIndexOptions, DynamoOptions, FieldChanges, Generated, Index, IndexKey,
    IndexTarget, KeyAttribute, KeyType, Method, MongoIndexOptions, MongoOptions, NativeDefinition,
    Nulls, Options, Projection, References, ReferentialAction, Rule, SecondaryIndex, SqlOptions,
    TypeAttributes, TypeName,
};
use ductape_core::{
    BackendName, Collection, Expression, Field, FieldType, Name, Operation, Schema,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Which constraints may wait for the end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanWait {
    /// None.
    None,
    /// Foreign keys.
    ForeignKeys,
    /// All.
    All,
}

/// Whose options a collection gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionsOf {
    /// Nobody's, but for `ifNotExists`.
    Nobody,
    /// SQLite's: a table without row ids.
    Sqlite,
    /// Every database's at once.
    Everybody,
}

/// What a database can do, and so what is drawn for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The database that the schema is of.
    pub backend: Option<BackendName>,
    /// The types of fields.
    pub types: Vec<TypeName>,
    /// Types in a database's own words.
    pub native_types: bool,
    /// Collations of fields and of keys of indexes; none if empty.
    pub collations: Vec<&'static str>,
    /// Expressions in every database's words, with every kind of quotes, instead of SQLite's alone.
    pub any_words: bool,
    /// Expressions, keys and collations fit the types of their fields, and names of keys are shared with
    /// those of indexes: what PostgreSQL demands.
    pub typed: bool,
    /// Fields made from others.
    pub generated: bool,
    /// Fields that count by themselves must be an integer that alone is the primary key.
    pub only_the_key_counts: bool,
    /// Methods of indexes; none if empty.
    pub methods: Vec<Method>,
    /// Fields stored beside the keys of an index, and what MongoDB and DynamoDB have.
    pub include: bool,
    /// Where nulls stand, operator classes, prefixes, storage options, hidden indexes.
    pub index_extras: bool,
    /// Which constraints may wait.
    pub can_wait: CanWait,
    /// The options of collections.
    pub options: OptionsOf,
    /// Raw statements.
    pub raw: bool,
    /// Native definitions (triggers, views) and `restore`.
    pub natives: bool,
    /// What a real server demands beyond the model: names that differ in more than their case, foreign
    /// keys that point at real keys, at most one constraint over the same fields, and the like.
    pub as_served: bool,
}

impl Profile {
    /// Everything that the model can hold.
    pub fn model() -> Self {
        Self {
            backend: Some(BackendName::Sqlite),
            types: TypeName::ALL.to_vec(),
            native_types: true,
            collations: vec!["NOCASE", "de_DE", "utf8mb4_bin"],
            any_words: true,
            typed: false,
            generated: true,
            only_the_key_counts: false,
            methods: Method::ALL.to_vec(),
            include: true,
            index_extras: true,
            can_wait: CanWait::All,
            options: OptionsOf::Everybody,
            raw: true,
            natives: true,
            as_served: false,
        }
    }

    /// Everything that the model can hold of a database that is not known.
    pub fn unknown() -> Self {
        Self {
            backend: None,
            natives: false,
            ..Self::model()
        }
    }

    /// What SQLite can do.
    pub fn sqlite() -> Self {
        Self {
            backend: Some(BackendName::Sqlite),
            types: TypeName::ALL.to_vec(),
            native_types: false,
            collations: vec!["NOCASE", "RTRIM", "BINARY"],
            any_words: false,
            typed: false,
            generated: true,
            only_the_key_counts: true,
            methods: Vec::new(),
            include: false,
            index_extras: false,
            can_wait: CanWait::ForeignKeys,
            options: OptionsOf::Sqlite,
            raw: false,
            natives: false,
            as_served: true,
        }
    }

    /// What PostgreSQL can do.
    pub fn postgres() -> Self {
        Self {
            backend: Some(BackendName::Postgresql),
            collations: vec!["C", "POSIX"],
            typed: true,
            only_the_key_counts: false,
            can_wait: CanWait::All,
            options: OptionsOf::Nobody,
            ..Self::sqlite()
        }
    }

    /// The schema at which a sequence starts: empty.
    pub fn start(&self) -> Schema {
        match self.backend {
            Some(backend) => Schema::new().of(backend),
            None => Schema::new(),
        }
    }

    /// The kinds of operations, each as often as it weighs.
    fn kinds(&self) -> Vec<Kind> {
        use Kind as K;
        let weights = [
            (K::CreateCollection, 8),
            (K::DropCollection, 4),
            (K::RenameCollection, 4),
            (K::ModifyCollection, 4),
            (K::AddField, 6),
            (K::DropField, 6),
            (K::RenameField, 7),
            (K::ModifyField, 10),
            (K::CreateIndex, 8),
            (K::DropIndex, 5),
            (K::AddConstraint, 10),
            (K::DropConstraint, 5),
            // Random values are seldom of the types of their fields.
            (K::Update, if self.typed { 0 } else { 4 }),
            (K::Raw, if self.raw { 3 } else { 0 }),
            (K::Restore, if self.natives { 5 } else { 0 }),
        ];
        weights
            .into_iter()
            .flat_map(|(kind, weight)| std::iter::repeat_n(kind, weight))
            .collect()
    }
}

/// A kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are called as the operations are")]
pub enum Kind {
    CreateCollection,
    DropCollection,
    RenameCollection,
    ModifyCollection,
    AddField,
    DropField,
    RenameField,
    ModifyField,
    CreateIndex,
    DropIndex,
    AddConstraint,
    DropConstraint,
    Update,
    Raw,
    Restore,
}

/// One choice: a kind of operation, and the numbers by which it is made concrete.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The kind.
    pub kind: Kind,
    /// The numbers; where they end, zeros go on.
    pub numbers: Vec<u8>,
}

/// Lists of choices.
pub fn choices(
    profile: &Profile,
    length: Range<usize>,
) -> impl Strategy<Value = Vec<Choice>> + use<> {
    let choice = (
        proptest::sample::select(profile.kinds()),
        proptest::collection::vec(any::<u8>(), 0..72),
    )
        .prop_map(|(kind, numbers)| Choice { kind, numbers });
    proptest::collection::vec(choice, length)
}

/// Sequences of operations that can be applied one after the other, beginning with an empty schema
/// ([`Profile::start`]).
pub fn sequence(
    profile: Profile,
    length: Range<usize>,
) -> impl Strategy<Value = Vec<Operation>> + use<> {
    choices(&profile, length).prop_map(move |choices| interpret(&profile, &choices))
}

/// Makes choices concrete. One that does not fit is passed over.
pub fn interpret(profile: &Profile, choices: &[Choice]) -> Vec<Operation> {
    let mut schema = profile.start();
    let mut operations = Vec::with_capacity(choices.len());
    for choice in choices {
        let mut draw = Draw {
            profile,
            schema: &schema,
            numbers: &choice.numbers,
            at: 0,
        };
        let Some(operation) = draw.operation(choice.kind) else {
            continue;
        };
        let mut after = schema.clone();
        if operation.apply(&mut after).is_ok()
            && (!profile.as_served || is_servable(profile, &after))
        {
            schema = after;
            operations.push(operation);
        }
    }
    operations
}

const COLLECTIONS: &[&str] = &[
    "users",
    "orders",
    "select",
    "Order Items",
    "tbl \"quoted\"",
    "größe",
    "🧾 receipts",
    "it's",
    "b]c",
    "UserAccounts",
    "group",
    "x`y",
    "a.b",
    "名前",
    "a_table_whose_name_is_longer_than_what_most_of_the_databases_can_hold_in_a_name",
];

const FIELDS: &[&str] = &[
    "id",
    "name",
    "email",
    "order",
    "date",
    "end",
    "null",
    "Amount",
    "first name",
    "the \"price\"",
    "straße",
    "🧾",
    "value",
    "lower",
    "1st",
    "from",
    "it's",
    "`tick`",
    "b]c",
    "a,b",
    "year",
    "is",
    "created_at",
    "x",
    "not",
    "amount_",
    "群",
    "a_field_whose_name_is_longer_than_what_most_of_the_databases_can_hold_in_a_name",
];

const OTHERS: &[&str] = &[
    "one",
    "Two",
    "three \"3\"",
    "vier ü",
    "🖇️",
    "unique",
    "it's six",
    "sev`en",
    "ei]ght",
    "a_name_of_an_index_or_a_constraint_that_is_longer_than_most_databases_can_hold",
];

const WORDS: &[&str] = &["red", "it's green", "\"blue\"", "", "ÄÖ 🖌", "null", "red "];

fn name(text: &str) -> Name {
    Name::made(text, [])
}

/// What a choice is made concrete with.
struct Draw<'d> {
    profile: &'d Profile,
    schema: &'d Schema,
    numbers: &'d [u8],
    at: usize,
}

impl Draw<'_> {
    fn next(&mut self) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        number.into()
    }

    fn below(&mut self, count: usize) -> usize {
        match count {
            0 | 1 => 0,
            count => self.next() % count,
        }
    }

    /// True once in so many times; false where the numbers have ended.
    fn once_in(&mut self, times: usize) -> bool {
        self.next() % times == times - 1
    }

    fn of<T, I>(&mut self, list: I) -> Option<T>
    where
        I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    {
        let mut items = list.into_iter();
        let at = self.below(items.len());
        items.nth(at)
    }

    fn maybe<T>(&mut self, times: usize, make: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.once_in(times) {
            make(self)
        } else {
            None
        }
    }

    /// The first free name of a list, from a drawn place on.
    fn free(&mut self, list: &[&str], taken: impl Fn(&Name) -> bool) -> Option<Name> {
        let start = self.below(list.len());
        (0..list.len())
            .filter_map(|step| list.get((start + step) % list.len()))
            .map(|text| name(text))
            .find(|name| !taken(name))
    }

    fn collection(&mut self) -> Option<Arc<Collection>> {
        let at = self.below(self.schema.len());
        self.schema.collections().nth(at).cloned()
    }

    fn comment(&mut self) -> Option<String> {
        self.maybe(6, |draw| draw.of(WORDS).map(|word| (*word).to_owned()))
    }

    fn allow(&mut self) -> Vec<Allow> {
        match self.below(12) {
            10 => vec![Allow::RecordOnly],
            11 => vec![Allow::Copy, Allow::RecordOnly],
            _ => Vec::new(),
        }
    }

    fn operation(&mut self, kind: Kind) -> Option<Operation> {
        // With nothing there, there is little else to do.
        let kind = match kind {
            Kind::Raw => Kind::Raw,
            _ if self.schema.is_empty() => Kind::CreateCollection,
            Kind::CreateCollection if self.schema.len() > 4 => Kind::AddField,
            kind => kind,
        };
        Some(match kind {
            Kind::CreateCollection => self.create_collection()?.into(),
            Kind::DropCollection => self.drop_collection()?.into(),
            Kind::RenameCollection => self.rename_collection()?.into(),
            Kind::ModifyCollection => self.modify_collection()?.into(),
            Kind::AddField => self.add_field()?.into(),
            Kind::DropField => self.drop_field()?.into(),
            Kind::RenameField => self.rename_field()?.into(),
            Kind::ModifyField => self.modify_field()?.into(),
            Kind::CreateIndex => self.create_index()?.into(),
            Kind::DropIndex => match self.drop_index() {
                Some(drop) => drop.into(),
                None => self.create_index()?.into(),
            },
            Kind::AddConstraint => self.add_constraint()?.into(),
            Kind::DropConstraint => match self.drop_constraint() {
                Some(drop) => drop.into(),
                None => self.add_constraint()?.into(),
            },
            Kind::Update => self.update()?.into(),
            Kind::Raw => self.raw()?.into(),
            Kind::Restore => self.restore()?.into(),
        })
    }

    // ---- collections

    fn create_collection(&mut self) -> Option<CreateCollection> {
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

    fn drop_collection(&mut self) -> Option<DropCollection> {
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

    fn rename_collection(&mut self) -> Option<RenameCollection> {
        let from = self.collection()?.name.clone();
        let schema = self.schema;
        let to = self.free(COLLECTIONS, |name| schema.collection(name).is_some())?;
        let mut rename = RenameCollection::new(from, to);
        rename.allow = self.allow();
        Some(rename)
    }

    fn options(&mut self, collection: &Collection) -> Options {
        let mut options = Options::default();
        match self.profile.options {
            OptionsOf::Nobody => {}
            OptionsOf::Sqlite => options.sql.without_rowid = self.once_in(5),
            OptionsOf::Everybody => {
                if self.once_in(4) {
                    options.sql = self.sql_options();
                }
                if self.once_in(6) {
                    options.mongo = self.mongo_options();
                }
                if self.once_in(6) {
                    options.dynamo = self.dynamo_options(collection);
                }
                if self.once_in(6) {
                    options.cassandra = self.cassandra_options(collection);
                }
            }
        }
        options
    }

    fn sql_options(&mut self) -> SqlOptions {
        SqlOptions {
            if_not_exists: self.once_in(5),
            temporary: self.once_in(5),
            unlogged: self.once_in(5),
            engine: self.maybe(3, |_| Some("InnoDB".to_owned())),
            charset: self.maybe(3, |_| Some("utf8mb4".to_owned())),
            collation: self.maybe(3, |_| Some("utf8mb4_bin".to_owned())),
            strict: self.once_in(4),
            without_rowid: self.once_in(4),
        }
    }

    fn mongo_options(&mut self) -> MongoOptions {
        MongoOptions {
            capped: self.once_in(3),
            size: self.maybe(2, |draw| Some(1 << draw.below(60))),
            max: self.maybe(3, |_| Some(u64::MAX)),
            validator: self.maybe(2, |draw| draw.document().filter(|value| !value.is_null())),
            validation_level: self.maybe(3, |_| Some("moderate".to_owned())),
            validation_action: self.maybe(3, |_| Some("warn".to_owned())),
            timeseries: self.maybe(4, |draw| draw.document().filter(Value::is_object)),
            collation: self.maybe(4, |_| Some(json!({ "locale": "de", "strength": 2 }))),
            clustered_index: self.maybe(4, |draw| draw.document().filter(Value::is_object)),
            shard_key: self.maybe(4, |_| Some(json!({ "a": 1, "b": -1, "c": "hashed" }))),
        }
    }

    /// A JSON value as options hold it.
    fn document(&mut self) -> Option<Value> {
        self.of(&[
            json!({ "a": { "$gt": 0.1 } }),
            json!({}),
            json!({ "a": null, "b": [null, { "c": {} }], "": 1e300 }),
            json!(null),
            json!([1, -0.5, u64::MAX, i64::MIN]),
        ])
        .cloned()
    }

    fn attribute(&mut self, collection: &Collection) -> Option<KeyAttribute> {
        Some(KeyAttribute {
            name: self.of(&collection.fields)?.name.clone(),
            key_type: self.maybe(2, |draw| draw.of(KeyType::ALL).copied()),
        })
    }

    fn secondary(&mut self, collection: &Collection) -> Option<SecondaryIndex> {
        Some(SecondaryIndex {
            name: name(self.of(OTHERS)?),
            partition_key: self.attribute(collection),
            sort_key: self.maybe(2, |draw| draw.attribute(collection)),
            projection: self.projection(collection),
            read_capacity: self.maybe(3, |_| Some(5)),
            write_capacity: None,
        })
    }

    fn projection(&mut self, collection: &Collection) -> Projection {
        match self.below(3) {
            0 => Projection::All,
            1 => Projection::KeysOnly,
            _ => Projection::Include(self.some_fields(collection, 3)),
        }
    }

    fn dynamo_options(&mut self, collection: &Collection) -> DynamoOptions {
        let mut tags = BTreeMap::new();
        if self.once_in(3) {
            tags.insert("team \"x\"".to_owned(), "🚀".to_owned());
        }
        DynamoOptions {
            partition_key: self.maybe(2, |draw| draw.attribute(collection)),
            sort_key: self.maybe(3, |draw| draw.attribute(collection)),
            billing_mode: self.maybe(3, |_| Some("PROVISIONED".to_owned())),
            read_capacity: self.maybe(3, |_| Some(5)),
            write_capacity: self.maybe(3, |_| Some(6)),
            global_secondary_indexes: self
                .maybe(2, |draw| draw.secondary(collection))
                .into_iter()
                .collect(),
            local_secondary_indexes: self
                .maybe(3, |draw| draw.secondary(collection))
                .into_iter()
                .collect(),
            stream_enabled: self.once_in(3),
            stream_view_type: self.maybe(4, |_| Some("NEW_IMAGE".to_owned())),
            ttl_attribute: self.maybe(2, |draw| draw.field_or_other(collection)),
            point_in_time_recovery: self.once_in(3),
            deletion_protection: self.once_in(3),
            tags,
        }
    }

    fn cassandra_options(&mut self, collection: &Collection) -> CassandraOptions {
        let mut settings = BTreeMap::new();
        settings.insert("class".to_owned(), json!("LeveledCompactionStrategy"));
        settings.insert("enabled".to_owned(), json!(null));
        let order = self.of(&collection.fields).map(|field| ClusteringOrder {
            column: field.name.clone(),
            order: ClusteringDirection::Desc,
        });
        CassandraOptions {
            partition_key: self.some_fields(collection, 2),
            clustering_columns: self.some_fields(collection, 2),
            clustering_order: order.into_iter().filter(|_| self.once_in(2)).collect(),
            default_ttl: self.maybe(3, |_| Some(86_400)),
            compaction: self.maybe(2, |_| Some(settings.clone())),
            compression: self.maybe(3, |_| Some(BTreeMap::new())),
            gc_grace_seconds: self.maybe(3, |_| Some(0)),
            comment: self.comment(),
            static_columns: self.some_fields(collection, 1),
        }
    }

    /// A field, or the name of something that is none (any more).
    fn field_or_other(&mut self, collection: &Collection) -> Option<Name> {
        if self.once_in(3) {
            return self.of(FIELDS).map(|text| name(text));
        }
        self.of(&collection.fields).map(|field| field.name.clone())
    }

    fn modify_collection(&mut self) -> Option<ModifyCollection> {
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

    fn field_type(&mut self, name: TypeName, depth: usize) -> Option<FieldType> {
        let mut attributes = TypeAttributes::default();
        match name {
            TypeName::String | TypeName::Binary => {
                attributes.length = self.maybe(2, |draw| draw.of(&[20, 1, 255, 70_000]).copied());
            }
            TypeName::Decimal => {
                attributes.precision = self.maybe(2, |draw| draw.of(&[10, 1, 38]).copied());
                if attributes.precision.is_some() {
                    attributes.scale = self.maybe(2, |draw| draw.of(&[1, 0]).copied());
                }
            }
            TypeName::Enum => {
                let count = 1 + self.below(4);
                let values = WORDS.iter().take(count).map(|w| (*w).to_owned()).collect();
                attributes.enum_values = Some(values);
            }
            TypeName::Array => {
                let of = self.of(TypeName::ALL).copied()?;
                let of = if of == TypeName::Array && depth > 1 {
                    TypeName::Text
                } else {
                    of
                };
                attributes.items = Some(Box::new(self.field_type(of, depth + 1)?));
            }
            _ => {}
        }
        FieldType::from_parts(name, attributes).ok()
    }

    fn default(&mut self, collection: &Collection, of: &FieldType) -> Option<DefaultValue> {
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

    fn default_expression(&mut self, _: &Collection, of: &FieldType) -> Option<Expression> {
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
    fn value(&mut self, of: &FieldType) -> Option<Value> {
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

    /// A field that the collection does not have; in the key or unique once in `flags` times.
    fn field(&mut self, collection: &Collection, flags: usize) -> Option<Field> {
        let called = self.free(FIELDS, |name| collection.field(name).is_some())?;
        let types = self.profile.types.clone();
        let word = *self.of(&types)?;
        let mut field = Field::new(called, self.field_type(word, 0)?);
        field.primary_key = self.once_in(flags);
        field.unique = self.once_in(6);
        field.required = !field.primary_key && self.once_in(3);
        field.comment = self.comment();
        match self.below(5) {
            3 if self.profile.generated => {
                field.generated = self.generated(collection, &field.field_type);
                field.primary_key &= self.profile.any_words;
            }
            4 => {
                let only_key = !self.profile.only_the_key_counts || field.primary_key;
                let counts = [TypeName::Integer, TypeName::Bigint, TypeName::Smallint];
                field.auto_increment = only_key && counts.contains(&word);
            }
            1 | 2 => field.default = self.default(collection, &field.field_type),
            _ => {}
        }
        if has_collation(word) && !(self.profile.typed && word == TypeName::Enum) {
            field.collation = self.collation();
        }
        if self.profile.native_types && self.once_in(8) {
            field
                .native
                .insert(BackendName::Postgresql, "citext".to_owned());
        }
        Some(field)
    }

    fn collation(&mut self) -> Option<String> {
        let collations = self.profile.collations.clone();
        self.maybe(5, |draw| draw.of(&collations).map(|c| (*c).to_owned()))
    }

    fn generated(&mut self, collection: &Collection, of: &FieldType) -> Option<Generated> {
        if self.profile.typed {
            return self.typed_generated(collection, of);
        }
        let from = self.of(&collection.fields)?.name.clone();
        let from = self.spell(&from);
        let templates: &[&str] = if self.profile.any_words {
            &[
                "lower({a})",
                "{a} || 'F'",
                "EXTRACT(year FROM {a})",
                "({a})::date",
            ]
        } else {
            &["lower({a})", "{a} || 'F'", "length({a}) + 1"]
        };
        let text = self.of(templates)?.replace("{a}", &from);
        Some(Generated {
            expression: Expression::new(text),
            stored: self.once_in(2),
        })
    }

    /// A generated field whose expression is of its type, from a field that is none itself.
    fn typed_generated(&mut self, collection: &Collection, of: &FieldType) -> Option<Generated> {
        let templates: &[&str] = match of.name() {
            TypeName::Text => &["lower({a})", "{a} || 'F'"],
            TypeName::Integer | TypeName::Bigint => &["length({a}) + 1"],
            _ => return None,
        };
        let texts: Vec<&Field> = collection
            .fields
            .iter()
            .filter(|field| is_text(&field.field_type) && field.generated.is_none())
            .collect();
        let from = self.of(&texts)?.name.clone();
        let text = self.of(templates)?.replace("{a}", &self.spell(&from));
        Some(Generated {
            expression: Expression::new(text),
            stored: true,
        })
    }

    /// A field's name as it stands in an expression.
    fn spell(&mut self, field: &Name) -> String {
        let text = field.as_str();
        let double = format!("\"{}\"", text.replace('"', "\"\""));
        if !self.profile.any_words {
            return double;
        }
        let plain = ductape_core::expression::is_plain(text);
        match self.below(5) {
            0 | 1 if plain => text.to_owned(),
            2 if plain => text.to_uppercase(),
            3 => format!("`{}`", text.replace('`', "``")),
            4 if plain => format!("[{text}]"),
            _ => double,
        }
    }

    fn some_fields(&mut self, collection: &Collection, most: usize) -> Vec<Name> {
        let mut names: Vec<Name> = Vec::new();
        for _ in 0..1 + self.below(most) {
            if let Some(field) = self.of(&collection.fields)
                && !names.contains(&field.name)
            {
                names.push(field.name.clone());
            }
        }
        names
    }

    fn add_field(&mut self) -> Option<AddField> {
        let collection = self.collection()?;
        let flags = if collection.key().is_empty() { 3 } else { 200 };
        let field = self.field(&collection, flags)?;
        let mut add = AddField::new(collection.name.clone(), field);
        add.allow = self.allow();
        Some(add)
    }

    /// A field that can go, or else any.
    fn drop_field(&mut self) -> Option<DropField> {
        let collection = self.collection()?;
        let start = self.below(collection.fields.len());
        let count = collection.fields.len();
        let mut drop = (0..count)
            .filter_map(|step| collection.fields.get((start + step) % count))
            .map(|field| DropField::new(collection.name.clone(), field.name.clone()))
            .find(|drop| {
                Operation::from(drop.clone())
                    .apply(&mut self.schema.clone())
                    .is_ok()
            })?;
        drop.allow = self.allow();
        Some(drop)
    }

    fn rename_field(&mut self) -> Option<RenameField> {
        let mut collection = self.collection()?;
        let mut from = self.of(&collection.fields)?.name.clone();
        if !self.next().is_multiple_of(3) {
            // One that others point at: this is where a renaming goes wrong.
            let schema = self.schema;
            let pointed: Vec<(Arc<Collection>, Name)> = schema
                .collections()
                .flat_map(|target| {
                    schema
                        .foreign_keys_to(&target.name)
                        .filter_map(|(_, key)| key.references())
                        .flat_map(|references| &references.columns)
                        .map(|column| (target.clone(), column.clone()))
                })
                .collect();
            if let Some(other) = self.of(&pointed) {
                (collection, from) = other.clone();
            }
        }
        let to = self.free(FIELDS, |name| collection.field(name).is_some())?;
        let mut rename = RenameField::new(collection.name.clone(), from, to);
        rename.allow = self.allow();
        Some(rename)
    }

    fn modify_field(&mut self) -> Option<ModifyField> {
        let collection = self.collection()?;
        let field = self.of(&collection.fields)?.clone();
        let mut changes = FieldChanges::default();
        for _ in 0..1 + self.below(3) {
            self.change(&collection, &field, &mut changes);
        }
        // What no longer fits is taken away with it.
        if let Err(wrong) = changes.apply_to(&field) {
            for (key, _) in wrong {
                match key {
                    "default" => changes.default = Change::Remove,
                    "autoIncrement" => changes.auto_increment = Some(false),
                    "collation" => changes.collation = Change::Remove,
                    _ => {}
                }
            }
        }
        if changes.is_empty() {
            return None;
        }
        let mut modify = ModifyField::new(collection.name.clone(), field.name.clone(), changes);
        if self.profile.any_words && self.once_in(8) {
            let text = format!("lower({})", self.spell(&field.name));
            modify.using.insert(BackendName::Postgresql, text);
        }
        modify.allow = self.allow();
        Some(modify)
    }

    fn change(&mut self, collection: &Collection, field: &Field, changes: &mut FieldChanges) {
        let after = changes.apply_to(field).unwrap_or_else(|_| field.clone());
        let now = after.field_type.clone();
        let only = std::slice::from_ref(&field.name);
        let has = |rule: fn(&Rule) -> bool| {
            collection
                .constraints
                .iter()
                .any(|c| rule(&c.rule) && c.columns() == only)
        };
        match self.below(14) {
            0 => changes.required = Some(!after.required),
            1 => {
                let there = has(|rule| matches!(rule, Rule::Unique(_)));
                changes.unique = Some(if self.once_in(8) { there } else { !there });
            }
            2 => {
                let there = has(|rule| matches!(rule, Rule::PrimaryKey(_)));
                changes.primary_key = Some(!there);
                if there && self.once_in(2) {
                    changes.required = Some(false);
                }
            }
            3 | 4 => {
                changes.default = match self.default(collection, &now) {
                    Some(default) if after.generated.is_none() => Change::Set(default),
                    _ => Change::Remove,
                }
            }
            5 => changes.default = Change::Remove,
            6 => {
                changes.comment = match self.of(WORDS) {
                    Some(word) if after.comment.is_none() || self.once_in(2) => {
                        Change::Set((*word).to_owned())
                    }
                    _ => Change::Remove,
                }
            }
            7..=9 => {
                let types = self.profile.types.clone();
                let word = self.of(&types).copied().unwrap_or(TypeName::Text);
                if let Some(new) = self.field_type(word, 0) {
                    changes.field_type = Some(word);
                    changes.length = Change::Keep;
                    changes.precision = Change::Keep;
                    changes.scale = Change::Keep;
                    changes.enum_values = Change::Keep;
                    changes.items = Change::Keep;
                    set_attributes(&new, changes);
                }
            }
            10 => {
                // Other attributes of the same type.
                let word = now.name();
                if let Some(new) = self.field_type(word, 0) {
                    set_attributes(&new, changes);
                    if new.attributes().length.is_none() && word.attributes().contains(&"length") {
                        changes.length = Change::Remove;
                    }
                    if new.attributes().precision.is_none() && word == TypeName::Decimal {
                        changes.precision = Change::Remove;
                    }
                }
            }
            11 => {
                changes.collation = match self.profile.collations.first() {
                    Some(collation)
                        if after.collation.is_none()
                            && has_collation(now.name())
                            && !(self.profile.typed && now.name() == TypeName::Enum) =>
                    {
                        Change::Set((*collation).to_owned())
                    }
                    _ => Change::Remove,
                }
            }
            12 if self.profile.generated => {
                let mut others = collection.clone();
                others.fields.retain(|other| {
                    other.name != field.name
                        && !other.expressions().any(|e| e.mentions(&field.name))
                });
                changes.generated = match self.generated(&others, &now) {
                    Some(generated) if after.generated.is_none() => {
                        changes.default = Change::Remove;
                        Change::Set(generated)
                    }
                    _ => Change::Remove,
                };
            }
            13 if self.profile.native_types => {
                changes.native = match self.below(3) {
                    0 => Change::Set(BTreeMap::from([(
                        BackendName::Mysql,
                        "MEDIUMINT UNSIGNED".to_owned(),
                    )])),
                    1 => Change::Set(BTreeMap::new()),
                    _ => Change::Remove,
                }
            }
            _ => {
                let counts = matches!(
                    now,
                    FieldType::Integer | FieldType::Bigint | FieldType::Smallint
                );
                if after.auto_increment || counts {
                    changes.auto_increment = Some(!after.auto_increment);
                } else {
                    changes.required = Some(!after.required);
                }
            }
        }
    }

    // ---- indexes

    fn index(&mut self, collection: &Collection) -> Option<Index> {
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

    fn per_backend(&mut self, text: &str) -> Expression {
        if self.profile.any_words && self.once_in(4) {
            return Expression::per_backend(BTreeMap::from([
                (BackendName::Postgresql, text.to_owned()),
                (BackendName::Sqlite, format!("({text})")),
            ]));
        }
        Expression::new(text)
    }

    /// Something that holds for a row or does not.
    fn condition(&mut self, collection: &Collection) -> Option<Expression> {
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

    fn create_index(&mut self) -> Option<CreateIndex> {
        let collection = self.collection()?;
        let mut create = CreateIndex::new(collection.name.clone(), self.index(&collection)?);
        create.allow = self.allow();
        Some(create)
    }

    fn drop_index(&mut self) -> Option<DropIndex> {
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

    fn constraint(&mut self, collection: &Collection, new: bool) -> Option<Constraint> {
        let keyless = collection.key().is_empty()
            && !(new && collection.fields.iter().any(|field| field.primary_key));
        let rule = match self.below(6) {
            0 | 1 => self.foreign_key(collection)?,
            2 => Rule::Check(self.condition(collection)?),
            3 if keyless => Rule::PrimaryKey(self.some_fields(collection, 2)),
            _ => Rule::Unique(self.some_fields(collection, 3)),
        };
        let mut constraint = Constraint::new(rule);
        constraint.name = self.maybe(2, |draw| {
            draw.free(OTHERS, |n| collection.constraint(n).is_some())
        });
        let can_wait = match self.profile.can_wait {
            CanWait::None => false,
            CanWait::ForeignKeys => constraint.references().is_some(),
            CanWait::All => !self.profile.typed || !matches!(constraint.rule, Rule::Check(_)),
        };
        if can_wait {
            constraint.deferrable = self.maybe(4, |draw| draw.of(Deferrable::ALL).copied());
        }
        Some(constraint)
    }

    fn foreign_key(&mut self, collection: &Collection) -> Option<Rule> {
        // Every key there is, and where it is.
        let mut keys: Vec<(Name, Vec<Name>)> = Vec::new();
        for other in self.schema.collections() {
            let of_constraints = other
                .constraints
                .iter()
                .filter(|c| matches!(c.rule, Rule::PrimaryKey(_) | Rule::Unique(_)))
                .map(|c| c.columns().to_vec());
            let of_indexes = other
                .indexes
                .iter()
                .filter(|index| index.unique && index.predicate.is_none())
                .filter_map(|index| {
                    let names = index.fields.iter().map(|key| key.name().cloned());
                    names.collect::<Option<Vec<Name>>>()
                });
            let mut found: Vec<Vec<Name>> = of_constraints.chain(of_indexes).collect();
            // Others before itself: these are the interesting ones.
            let place = if other.name == collection.name {
                keys.len()
            } else {
                0
            };
            found.dedup();
            for columns in found {
                keys.insert(place, (other.name.clone(), columns));
            }
        }
        let flagged = collection
            .fields
            .iter()
            .filter(|field| field.primary_key || field.unique)
            .map(|field| (collection.name.clone(), vec![field.name.clone()]));
        keys.extend(flagged);
        let (table, mut columns) = self.of(&keys)?.clone();
        if columns.len() > 1 && self.once_in(2) {
            columns.reverse();
        }
        let mut own: Vec<Name> = Vec::new();
        let start = self.below(collection.fields.len());
        for step in 0..columns.len().min(collection.fields.len()) {
            let at = (start + step) % collection.fields.len();
            own.extend(collection.fields.get(at).map(|field| field.name.clone()));
        }
        let references = References {
            table,
            columns,
            on_delete: self.maybe(2, |draw| draw.of(ReferentialAction::ALL).copied()),
            on_update: self.maybe(2, |draw| draw.of(ReferentialAction::ALL).copied()),
        };
        (own.len() == references.columns.len()).then_some(Rule::ForeignKey(own, references))
    }

    fn add_constraint(&mut self) -> Option<AddConstraint> {
        let collection = self.collection()?;
        let constraint = match self.constraint(&collection, false) {
            Some(constraint) => constraint,
            None => Constraint::new(Rule::Unique(self.some_fields(&collection, 2))),
        };
        let mut add = AddConstraint::new(collection.name.clone(), constraint);
        add.allow = self.allow();
        Some(add)
    }

    fn drop_constraint(&mut self) -> Option<DropConstraint> {
        let all: Vec<DropConstraint> = self
            .schema
            .collections()
            .flat_map(|collection| {
                collection.constraints.iter().filter_map(|constraint| {
                    let name = constraint.name.clone()?;
                    Some(DropConstraint::new(collection.name.clone(), name))
                })
            })
            .filter(|drop| {
                Operation::from(drop.clone())
                    .apply(&mut self.schema.clone())
                    .is_ok()
            })
            .collect();
        let mut drop = self.of(&all)?.clone();
        drop.allow = self.allow();
        Some(drop)
    }

    // ---- data, raw statements and native definitions

    fn expression(
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

    fn filter(&mut self, collection: &Collection, depth: usize) -> Filter {
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
        match self.below(7) {
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

    fn set(&mut self, collection: &Collection) -> BTreeMap<Name, ValueExpression> {
        let mut set = BTreeMap::new();
        for _ in 0..1 + self.below(2) {
            if let Some(field) = self.of(&collection.fields) {
                let value = self.expression(collection, &field.field_type, 0);
                set.insert(field.name.clone(), value);
            }
        }
        set
    }

    fn update(&mut self) -> Option<Update> {
        let collection = self.collection()?;
        let mut update = Update::new(collection.name.clone(), self.set(&collection));
        if self.once_in(2) {
            update.filter = self.filter(&collection, 0);
        }
        if self.once_in(2) {
            update.inverse = Some(UpdateInverse {
                set: self.set(&collection),
                filter: if self.once_in(2) {
                    self.filter(&collection, 0)
                } else {
                    Filter::default()
                },
            });
        }
        update.allow = self.allow();
        Some(update)
    }

    fn raw(&mut self) -> Option<Raw> {
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

    fn restore(&mut self) -> Option<Restore> {
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

    fn native(&mut self, there: &[NativeDefinition], number: usize) -> Option<NativeDefinition> {
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

fn is_text(field_type: &FieldType) -> bool {
    matches!(field_type, FieldType::Text | FieldType::String { .. })
}

fn has_collation(word: TypeName) -> bool {
    matches!(word, TypeName::String | TypeName::Text | TypeName::Enum)
}

fn set_attributes(to: &FieldType, changes: &mut FieldChanges) {
    let attributes = to.attributes();
    if let Some(length) = attributes.length {
        changes.length = Change::Set(length);
    }
    if let Some(precision) = attributes.precision {
        changes.precision = Change::Set(precision);
        changes.scale = attributes.scale.map_or(Change::Remove, Change::Set);
    }
    if let Some(values) = attributes.enum_values {
        changes.enum_values = Change::Set(values);
    }
    if let Some(items) = attributes.items {
        changes.items = Change::Set(items);
    }
}

/// Whether a server like SQLite can hold the schema.
fn is_servable(profile: &Profile, schema: &Schema) -> bool {
    // Tables and indexes share one space of names, and the case of letters makes no difference.
    let mut names = BTreeSet::new();
    let all = schema.collections().all(|collection| {
        names.insert(collection.name.as_str().to_lowercase())
            && collection.indexes.iter().all(|index| {
                index
                    .name
                    .as_ref()
                    .is_some_and(|name| names.insert(name.as_str().to_lowercase()))
            })
            && (!profile.typed
                || has_keys_of_its_own_name(collection, &mut names) && has_short_names(collection))
    });
    all && schema
        .collections()
        .all(|collection| is_servable_table(profile, schema, collection))
}

/// No name is longer than PostgreSQL's, which are of 63 bytes.
fn has_short_names(collection: &Collection) -> bool {
    let indexes = collection.indexes.iter().filter_map(|i| i.name.as_ref());
    let constraints = collection
        .constraints
        .iter()
        .filter_map(|c| c.name.as_ref());
    std::iter::once(&collection.name)
        .chain(collection.fields.iter().map(|field| &field.name))
        .chain(indexes)
        .chain(constraints)
        .all(|name| name.as_str().len() <= 63)
}

/// An index stands behind each key, and has its name.
fn has_keys_of_its_own_name(collection: &Collection, names: &mut BTreeSet<String>) -> bool {
    collection
        .constraints
        .iter()
        .filter(|constraint| matches!(constraint.rule, Rule::PrimaryKey(_) | Rule::Unique(_)))
        .filter_map(|constraint| constraint.name.as_ref())
        .all(|name| names.insert(name.as_str().to_lowercase()))
}

fn is_servable_table(profile: &Profile, schema: &Schema, collection: &Collection) -> bool {
    let key = collection.key();
    let mut names = BTreeSet::new();
    let mut constraints = BTreeSet::new();
    let mut rules = Vec::new();
    let fields = collection.fields.iter().all(|field| {
        let counts = field.auto_increment;
        names.insert(field.name.as_str().to_lowercase())
            && (!counts
                || !profile.only_the_key_counts
                || field.field_type == FieldType::Integer
                    && key == std::slice::from_ref(&field.name)
                    && !collection.options.sql.without_rowid)
            && !(field.generated.is_some() && key.contains(&field.name))
    });
    let stored = collection.fields.iter().any(|f| f.generated.is_none());
    let rules = collection.constraints.iter().all(|constraint| {
        let name = constraint
            .name
            .as_ref()
            .map(|name| name.as_str().to_lowercase());
        let columns = constraint.columns().to_vec();
        let once = matches!(constraint.rule, Rule::ForeignKey(..) | Rule::Check(_))
            || !rules.contains(&columns);
        rules.push(columns);
        let own = |name: &Name| {
            collection
                .field(name)
                .is_some_and(|field| field.generated.is_none())
        };
        name.is_some_and(|name| constraints.insert(name))
            && once
            && match &constraint.rule {
                Rule::ForeignKey(columns, references) => {
                    columns.iter().all(own)
                        && schema.collection(&references.table).is_some_and(|target| {
                            has_key(target, &references.columns)
                                && (!profile.typed
                                    || fits(collection, columns, target, &references.columns))
                        })
                }
                _ => true,
            }
    });
    let circular = collection.fields.iter().any(|field| {
        field
            .generated
            .as_ref()
            .is_some_and(|generated| generated.expression.mentions(&field.name))
    });
    fields
        && stored
        && rules
        && !circular
        && (!collection.options.sql.without_rowid || !key.is_empty())
}

/// Whether a foreign key's fields are of the types of those that they point at, which do not wait.
fn fits(collection: &Collection, own: &[Name], target: &Collection, theirs: &[Name]) -> bool {
    let word = |collection: &Collection, name: &Name| {
        collection.field(name).map(|field| field.field_type.name())
    };
    let at_once = target.constraints.iter().any(|constraint| {
        matches!(constraint.rule, Rule::PrimaryKey(_) | Rule::Unique(_))
            && constraint.deferrable.is_none()
            && constraint.columns().len() == theirs.len()
            && theirs
                .iter()
                .all(|name| constraint.columns().contains(name))
    });
    at_once
        && own.iter().zip(theirs).all(|(mine, theirs)| {
            let (mine, theirs) = (word(collection, mine), word(target, theirs));
            mine == theirs && mine != Some(TypeName::Enum) && mine != Some(TypeName::Array)
        })
}

fn has_key(collection: &Collection, columns: &[Name]) -> bool {
    let same = |key: &[Name]| {
        key.len() == columns.len() && columns.iter().all(|column| key.contains(column))
    };
    collection.constraints.iter().any(|constraint| {
        matches!(constraint.rule, Rule::PrimaryKey(_) | Rule::Unique(_))
            && same(constraint.columns())
    }) || collection.indexes.iter().any(|index| {
        let names: Vec<Name> = index
            .fields
            .iter()
            .filter_map(|key| key.name().cloned())
            .collect();
        index.unique
            && index.predicate.is_none()
            && names.len() == index.fields.len()
            && index.fields.iter().all(|key| key.collation.is_none())
            && same(&names)
    })
}
