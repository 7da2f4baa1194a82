//! Random sequences of operations that fit each other.
//!
//! A sequence is drawn as a list of *choices*: a kind of operation and small numbers. They are then
//! read against a schema that grows along: the numbers pick names, fields, types and attributes among
//! those that are there. Leaving a choice out or making its numbers smaller gives a simpler sequence
//! that is still valid, so that a failure shrinks to something that a person can read.
//!
//! A [`Profile`] says what the database in question can do.

mod collection;
mod constraint;
mod data;
mod draw;
mod field;
mod index;
mod native;
mod options;
mod servable;
mod values;

use draw::Draw;
use ductape_core::schema::{Method, TypeName};
use ductape_core::{BackendName, Operation, Schema};
use proptest::prelude::*;
use servable::is_servable;
use std::ops::Range;

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
