//! What a database's compiler is: pure, from resolved operations to steps.

use crate::backend_name::BackendName;
use crate::capabilities::Capabilities;
use crate::name::Name;
use crate::operation::Operation;
use crate::resolve::Resolved;
use crate::risk::Risk;
use crate::schema::{Collection, Schema};
use crate::statement::Statement;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::Range;

/// Which way operations run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// As authored.
    #[default]
    Up,
    /// As a way back: what cannot come back gets a neutral value, instead of being refused.
    Down,
}

/// What a compiler is told besides the operations.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Context {
    /// Which way the operations run.
    pub direction: Direction,
}

impl Context {
    /// A context for one direction.
    pub fn new(direction: Direction) -> Self {
        Self { direction }
    }
}

/// Turns operations into one database's statements. Pure: the same input gives the same output, and
/// nothing is asked of any server.
pub trait Compiler: Send + Sync {
    /// What this database can do.
    fn capabilities(&self) -> &Capabilities;

    /// The collection as this database can hold it and give it back. What it cannot tell apart is
    /// folded into one, so that a fresh database never shows drift.
    fn normalize(&self, collection: &Collection) -> Collection;

    /// Puts together what the record knows of a collection and what the database shows.
    fn reconcile(&self, record: Option<&Collection>, live: Option<&Collection>) -> Reconciled {
        reconcile_by_normal_form(self, record, live)
    }

    /// The steps that do the operations, in order. The whole list is seen at once: a step may serve
    /// several operations, and an operation may need several steps.
    ///
    /// # Errors
    /// Every operation that this database cannot do, each with why and what to do instead.
    fn compile(
        &self,
        operations: &[Resolved],
        context: &Context,
    ) -> Result<Vec<Step>, Vec<Refusal>>;
}

/// The standard way to reconcile: where the normal form of the record is what the database shows, the
/// record is right, and knows more; elsewhere the database is.
pub fn reconcile_by_normal_form<C: Compiler + ?Sized>(
    compiler: &C,
    record: Option<&Collection>,
    live: Option<&Collection>,
) -> Reconciled {
    match (record, live) {
        (Some(record), Some(live)) => {
            let adopting;
            let record = if compiler.capabilities().respells_expressions {
                let backend = compiler.capabilities().backend;
                adopting = adopting_what_is_new(record, live, backend);
                &adopting
            } else {
                record
            };
            let normal = compiler.normalize(record);
            if normal == *live {
                return Reconciled {
                    collection: Some(record.clone()),
                    differences: Vec::new(),
                };
            }
            let differences = crate::difference::between(&normal, live);
            Reconciled {
                collection: Some(merge(record, &normal, live)),
                differences,
            }
        }
        (None, Some(live)) => Reconciled {
            collection: Some(live.clone()),
            differences: Vec::new(),
        },
        (Some(record), None) => Reconciled {
            collection: None,
            differences: vec![crate::difference::Difference::missing_collection(record)],
        },
        (None, None) => Reconciled::default(),
    }
}

/// The record with the live spelling of each expression whose spelling is not on record yet: the run
/// that made it was cut off before it could read it back.
fn adopting_what_is_new(
    record: &Collection,
    live: &Collection,
    backend: BackendName,
) -> Collection {
    let mut spellings = live.spellings(backend);
    spellings.extend(record.adopted());
    record.clone().adopting(&spellings)
}

/// The live collection with every part that the record agrees with as the record has it.
fn merge(record: &Collection, normal: &Collection, live: &Collection) -> Collection {
    let mut merged = live.clone();
    for field in &mut merged.fields {
        if normal.field(&field.name) == Some(field)
            && let Some(known) = record.field(&field.name)
        {
            *field = known.clone();
        }
    }
    for index in &mut merged.indexes {
        if let Some(name) = &index.name
            && normal.index(name) == Some(index)
            && let Some(known) = record.index(name)
        {
            *index = known.clone();
        }
    }
    for constraint in &mut merged.constraints {
        if let Some(name) = &constraint.name
            && normal.constraint(name) == Some(constraint)
            && let Some(known) = record.constraint(name)
        {
            *constraint = known.clone();
        }
    }
    if normal.options == live.options {
        merged.options = record.options.clone();
    }
    if normal.comment == live.comment {
        merged.comment.clone_from(&record.comment);
    }
    merged
}

/// What the record and the database make together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reconciled {
    /// The collection at hand, if there is one.
    pub collection: Option<Collection>,
    /// Where the database is not as recorded.
    pub differences: Vec<crate::difference::Difference>,
}

/// What one step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A statement.
    Statement(Statement),
    /// Work on data, in batches.
    Data(Box<DataJob>),
}

/// Work on the data of a collection that is too long for one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataJob {
    /// The collection.
    pub collection: Name,
    /// What one batch does, as a plan shows it.
    pub statement: Statement,
    /// What the backend needs to do it; only the backend reads this.
    pub work: Value,
}

/// What a step needs around it to share a transaction with others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Before the transaction begins.
    pub prologue: Vec<String>,
    /// After it ended, either way.
    pub epilogue: Vec<String>,
}

/// Whether a step shares a transaction with others and with the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Atomicity {
    /// It joins a transaction. Steps with different settings cannot share one; a step without a
    /// setting joins any.
    Joins {
        /// What must stand around the transaction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        setting: Option<Setting>,
    },
    /// It cannot stand in a transaction.
    Alone,
}

impl Atomicity {
    /// Joins any transaction.
    pub const JOINS: Atomicity = Atomicity::Joins { setting: None };
}

/// What a step changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the words say it")]
pub enum Target {
    Collection(Name),
    Field {
        collection: Name,
        field: Name,
    },
    Index {
        collection: Name,
        index: Name,
    },
    Constraint {
        collection: Name,
        constraint: Name,
    },
    Options {
        collection: Name,
    },
    Native {
        kind: String,
        name: Name,
        /// The collection that it stands on; a trigger's name may be taken once on each.
        on: Option<Name>,
    },
    /// Rows, whose change the catalog does not show.
    Data {
        collection: Name,
    },
    /// Nobody knows.
    Anything,
}

/// How a target looks in the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// It is not there.
    Absent,
    /// It is there.
    Present,
    /// It is there and looks like this, in the backend's own form.
    Like(Value),
    /// It is there, in a form that only the catalog tells once it is done: as far as the rows allow.
    AsFarAsRowsAllow,
}

/// "Was it done?" as data: what the catalog shows of a target before and after a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// What changes.
    pub target: Target,
    /// How it looks before.
    pub before: Mark,
    /// How it looks after.
    pub after: Mark,
}

impl Effect {
    /// Something is made.
    pub fn made(target: Target) -> Self {
        Self {
            target,
            before: Mark::Absent,
            after: Mark::Present,
        }
    }

    /// What is known of a statement in the database's own language from its first word: whether it
    /// always changes the catalog (absent, then present), can be run again without harm (absent, then
    /// absent), or neither (present, then present).
    ///
    /// ```
    /// use ductape_core::compiler::{Effect, Mark};
    ///
    /// assert_eq!(Effect::of_raw("CREATE TABLE t (a INTEGER);").after, Mark::Present);
    /// assert_eq!(Effect::of_raw("VACUUM").after, Mark::Absent);
    /// assert_eq!(Effect::of_raw("CREATE TABLE t (a INTEGER); DELETE FROM u").before, Mark::Present);
    /// ```
    pub fn of_raw(text: &str) -> Self {
        const CATALOG: [&str; 6] = ["CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE"];
        const REPEATABLE: [&str; 6] = [
            "VACUUM",
            "ANALYZE",
            "REINDEX",
            "REFRESH",
            "CLUSTER",
            "CHECKPOINT",
        ];
        let mut tokens = crate::expression::tokens(text);
        let first = tokens.next();
        let begins = |words: &[&str]| {
            first.is_some_and(|token| words.iter().any(|word| token.is_word(word)))
        };
        let one = tokens
            .skip_while(|token| !token.is_symbol(";"))
            .all(|token| token.is_symbol(";"));
        let (before, after) = match one {
            true if begins(&CATALOG) => (Mark::Absent, Mark::Present),
            true if begins(&REPEATABLE) => (Mark::Absent, Mark::Absent),
            _ => (Mark::Present, Mark::Present),
        };
        Self {
            target: Target::Anything,
            before,
            after,
        }
    }
}

/// What must hold of the data before a step, counted before anything is touched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guard {
    /// The collection whose rows are counted.
    pub collection: Name,
    /// The other collections that the question reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Name>,
    /// Gives one row: the number of rows in the way, and up to three examples as texts.
    pub question: Statement,
    /// What the rows in the way are: "rows with null in users.email".
    pub rows: String,
    /// What to do about them.
    pub hint: String,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The operations that it serves, as positions in the compiled list.
    pub serves: Range<usize>,
    /// What it does.
    pub action: Action,
    /// Whether it shares a transaction.
    pub atomicity: Atomicity,
    /// What it changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// What must hold before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// What may hurt when it runs; for people, and not kept.
    #[serde(skip)]
    pub risks: Vec<Risk>,
}

impl Step {
    /// A statement that joins any transaction.
    pub fn statement(serves: Range<usize>, statement: Statement) -> Self {
        Self {
            serves,
            action: Action::Statement(statement),
            atomicity: Atomicity::JOINS,
            effects: Vec::new(),
            guards: Vec::new(),
            risks: Vec::new(),
        }
    }

    /// The statement that a plan shows for it.
    pub fn shown(&self) -> &Statement {
        match &self.action {
            Action::Statement(statement) => statement,
            Action::Data(job) => &job.statement,
        }
    }

    /// Whether it is in the database's own language, so that its effects are not known.
    pub fn is_raw(&self) -> bool {
        self.effects
            .iter()
            .any(|effect| effect.target == Target::Anything)
    }

    /// Whether only the catalog tells how something is after it.
    pub fn is_open(&self) -> bool {
        let open = |effect: &Effect| effect.after == Mark::AsFarAsRowsAllow;
        self.is_raw() || self.effects.iter().any(open)
    }

    /// Whether it stands in a transaction.
    pub fn is_transactional(&self) -> bool {
        matches!(self.atomicity, Atomicity::Joins { .. })
    }
}

/// Why a database will not do an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Which operation of the compiled list.
    #[serde(skip)]
    pub operation: usize,
    /// What it is, for people.
    pub describe: String,
    /// Why.
    pub reason: String,
    /// What to do instead.
    pub hint: String,
}

impl Refusal {
    /// A refusal of an operation.
    pub fn new(
        operation: usize,
        refused: &Operation,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            operation,
            describe: refused.describe(),
            reason: reason.into(),
            hint: hint.into(),
        }
    }
}

/// A schema as a database can hold it.
pub fn normalize_schema<C: Compiler + ?Sized>(compiler: &C, schema: &Schema) -> Schema {
    let mut normal: Schema = schema
        .collections()
        .map(|collection| compiler.normalize(collection))
        .collect();
    for native in schema.natives() {
        normal.put_native(native.clone());
    }
    match schema.backend() {
        Some(backend) => normal.of(backend),
        None => normal,
    }
}
