//! The ledger: what is kept in the database itself.

use crate::error::{Error, ErrorKind, Result};
use ductape_core::json::{Node, Read, Reader, parse};
use ductape_core::operation::CreateCollection;
use ductape_core::schema::NativeDefinition;
use ductape_core::{Checksum, Collection, Direction, Migration, Name, Operation, Step, Tag};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The format of the ledger that this version writes.
pub const LEDGER_FORMAT: u32 = 1;

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EntryStatus {
    /// Everything is done.
    Applied,
    /// A run is under way, or was killed.
    Running,
    /// A run failed half-way.
    Failed,
}

impl EntryStatus {
    /// The word in the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            EntryStatus::Applied => "applied",
            EntryStatus::Running => "running",
            EntryStatus::Failed => "failed",
        }
    }

    /// The status that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Applied, Self::Running, Self::Failed]
            .into_iter()
            .find(|status| status.word() == word)
    }
}

/// How far a journaled run came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// Whether it is a rollback.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub down: bool,
    /// Whether the step after those that are done was started.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub started: bool,
    /// The catalog's mark before it, where the catalog tells nothing else of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// Where the data work of that step came to, in the backend's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One migration's entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The order of application.
    pub seq: i64,
    /// The migration's tag.
    pub tag: Tag,
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub description: Option<String>,
    /// The checksum of what was authored.
    pub checksum: Checksum,
    /// Where it stands.
    pub status: EntryStatus,
    /// The migration as authored: the JSON of its file.
    pub migration: String,
    /// The way back: a JSON list of operations, or the reason why there is none, as a text.
    pub down: String,
    /// The frozen plan, until it is done: JSON.
    pub plan: Option<String>,
    /// How far the run came.
    pub progress: Progress,
    /// The steps that are done.
    pub steps_done: u32,
    /// The steps in all.
    pub steps_total: u32,
    /// When it was applied, in RFC 3339.
    pub applied_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Who applied it.
    pub applied_by: String,
    /// The version that applied it.
    pub tool_version: String,
}

/// What an overview needs of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct EntrySummary {
    /// The order of application.
    pub seq: i64,
    /// The migration's tag.
    pub tag: Tag,
    /// The checksum of what was authored.
    pub checksum: Checksum,
    /// Where it stands.
    pub status: EntryStatus,
    /// When it was applied, in RFC 3339.
    pub applied_at: String,
}

/// Which entries.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryQuery {
    /// Every one, in the order of application.
    All,
    /// Those with these tags.
    Tags(Vec<Tag>),
    /// The last ones, so many.
    Last(usize),
    /// Those that are not done.
    Unfinished,
    /// Those after a place in the order of application.
    After(i64),
}

fn damaged(tag: &Tag, what: &str, why: impl std::fmt::Display) -> Error {
    Error::of(
        ErrorKind::Mismatch,
        format!("the ledger's {what} of {tag} cannot be read: {why}"),
    )
    .tag(Some(tag))
    .hint("the row was changed by hand or is damaged; restore it from a backup, or use `ductape repair`")
}

impl Entry {
    /// The migration, with its tag and the way back that was derived for it.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the row is damaged: it cannot be read, or is not what its checksum
    /// says.
    pub fn migration(&self) -> Result<Migration> {
        let migration = Migration::parse_with_limit(&self.migration, usize::MAX)
            .map_err(|problems| damaged(&self.tag, "migration", problems))?;
        if *migration.checksum() != self.checksum {
            return Err(damaged(
                &self.tag,
                "migration",
                format!(
                    "its checksum is {} and not {}",
                    migration.checksum(),
                    self.checksum
                ),
            ));
        }
        self.agrees_with(&migration)?;
        Ok(match self.way_back()? {
            Ok(down) => migration.with_derived_down(down),
            Err(_) => migration,
        })
    }

    /// Its columns say the same twice; where they do not, one of them was changed.
    fn agrees_with(&self, migration: &Migration) -> Result<()> {
        if migration.tag() != Some(&self.tag) {
            return Err(damaged(&self.tag, "migration", "it is that of another tag"));
        }
        if self.name != self.tag.name() {
            let why = format!("it is {:?}, and the tag says otherwise", self.name);
            return Err(damaged(&self.tag, "name", why));
        }
        if self.description.as_deref() != migration.description() {
            return Err(damaged(
                &self.tag,
                "description",
                "the migration has another",
            ));
        }
        if let Err(why) = self.applied_at.parse::<jiff::Timestamp>() {
            return Err(damaged(&self.tag, "time of application", why));
        }
        Ok(())
    }

    /// The operations of the way back, or why there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the row is damaged.
    pub fn way_back(&self) -> Result<std::result::Result<Vec<Operation>, String>> {
        let value: Value =
            serde_json::from_str(&self.down).map_err(|e| damaged(&self.tag, "way back", e))?;
        if let Value::String(reason) = value {
            return Ok(Err(reason));
        }
        Migration::parse_operations(&self.down)
            .map(Ok)
            .map_err(|problems| damaged(&self.tag, "way back", problems))
    }

    /// The frozen plan.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] if the row is damaged.
    pub fn frozen(&self) -> Result<Frozen> {
        let Some(plan) = &self.plan else {
            return Err(damaged(&self.tag, "plan", "it is not there"));
        };
        serde_json::from_str(plan).map_err(|e| damaged(&self.tag, "plan", e))
    }

    /// Its summary.
    pub fn summary(&self) -> EntrySummary {
        EntrySummary {
            seq: self.seq,
            tag: self.tag.clone(),
            checksum: self.checksum.clone(),
            status: self.status,
            applied_at: self.applied_at.clone(),
        }
    }
}

/// A plan as the ledger keeps it before the first statement goes out: a resumed run goes on with it,
/// and never compiles anew from a half-changed catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// The spelled operations, as JSON, each with the operations that undo it.
    pub operations: Vec<FrozenOperation>,
    /// The steps.
    pub steps: Vec<Step>,
    /// The rows of the state when it is done: the collections on record, and what is left to do to
    /// the record. Nothing where a row goes.
    pub rows: Vec<(String, Option<String>)>,
}

/// A spelled operation in a frozen plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrozenOperation {
    /// The operation.
    pub operation: Value,
    /// What undoes it; nothing if nothing can.
    pub inverse: Option<Value>,
}

/// A line of the log, which is only ever added to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// When, in RFC 3339.
    pub at: String,
    /// `up`, `down`, `repair` or `failure`.
    pub action: String,
    /// The migration.
    pub tag: String,
    /// Who.
    pub actor: String,
    /// On which machine.
    pub host: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What went wrong, or what was repaired.
    pub detail: Option<String>,
}

/// What one row tells of the whole ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// The format of the ledger.
    pub format: u32,
    /// The digests of the sets last seen complete. Any change of an entry clears them.
    #[serde(default)]
    pub complete: Vec<String>,
    /// How many entries there are.
    #[serde(default)]
    pub entries: u64,
    /// The last entry.
    #[serde(default)]
    pub last: Option<LastApplied>,
}

/// The migration applied last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastApplied {
    /// Its tag.
    pub tag: String,
    /// Its name.
    pub name: String,
    /// When, in RFC 3339.
    pub applied_at: String,
}

impl LastApplied {
    /// The last of the entries that is applied; they are in the order of application.
    pub fn among(entries: &[EntrySummary]) -> Option<Self> {
        let applied = |entry: &&EntrySummary| entry.status == EntryStatus::Applied;
        entries.iter().rev().find(applied).map(|entry| Self {
            tag: entry.tag.to_string(),
            name: entry.tag.name().to_owned(),
            applied_at: entry.applied_at.clone(),
        })
    }
}

impl Put {
    /// The same write, saying how long the migration took, where it says nothing of that yet and there is
    /// something to say: a unit's writes are made before it runs.
    pub fn lasting(&self, duration_ms: u64) -> Cow<'_, Self> {
        let mut put = Cow::Borrowed(self);
        let said = match self {
            Put::Insert(entry) => entry.duration_ms,
            Put::Log(line) => line.duration_ms,
            _ => duration_ms,
        };
        if said == 0 && duration_ms > 0 {
            match put.to_mut() {
                Put::Insert(entry) => entry.duration_ms = duration_ms,
                Put::Log(line) => line.duration_ms = duration_ms,
                _ => {}
            }
        }
        put
    }
}

/// A write to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// A new entry.
    Insert(Entry),
    /// An entry as it is now, by its place in the order.
    Update(Entry),
    /// How far a journaled run came; its other columns stay.
    Progress {
        /// The entry.
        seq: i64,
        /// Where it stands.
        status: EntryStatus,
        /// The steps that are done.
        steps_done: u32,
        /// The rest.
        progress: Progress,
    },
    /// An entry that is rolled back or forgotten goes.
    Delete {
        /// The entry.
        seq: i64,
    },
    /// A line of the log.
    Log(LogLine),
    /// A row of the state: a collection or native definition on record, or the head.
    State {
        /// Its key.
        key: String,
        /// Its value; nothing takes it away.
        value: Option<String>,
    },
}

/// The key of the head in the state.
pub const HEAD_KEY: &str = "head";
/// The key of the lock in the state.
pub const LOCK_KEY: &str = "lock";
/// What the keys of collections on record begin with.
pub const RECORD_PREFIX: &str = "schema:";
/// What the keys of native definitions on record begin with.
pub const NATIVE_PREFIX: &str = "native:";

/// What the keys of work begin with that is left to do to the record: written together with the
/// change that makes it necessary, so that a run that is cut off leaves it to the next.
pub const TODO_PREFIX: &str = "todo:";
/// The key that says that the record is to follow what raw statements and definitions did.
pub const FOLLOW_KEY: &str = "todo:follow";
/// What the keys begin with that name collections whose expressions are to be read back in the
/// spelling of the server.
pub const RESPELL_PREFIX: &str = "todo:respell:";

/// The key that says that a collection's expressions are to be read back.
pub fn respell_key(name: &Name) -> String {
    format!("{RESPELL_PREFIX}{name}")
}

/// The key of a native definition on record.
pub fn native_key(native: &NativeDefinition) -> String {
    let named = (&native.kind, &native.on, &native.name);
    let named = serde_json::to_string(&named).unwrap_or_default();
    format!("{NATIVE_PREFIX}{named}")
}

/// A native definition read from the record.
///
/// # Errors
/// [`ErrorKind::Mismatch`] if the row is damaged.
pub fn read_native(key: &str, value: &str) -> Result<NativeDefinition> {
    let mut reader = Reader::new();
    let native = parse(value, usize::MAX)
        .ok()
        .and_then(|node| NativeDefinition::read(&node, &mut reader));
    native
        .filter(|_| reader.finish().is_empty())
        .ok_or_else(|| {
            Error::of(
                ErrorKind::Mismatch,
                format!("the ledger's record {key:?} cannot be read"),
            )
            .hint("take the live schema as the record with `ductape repair --to-live`")
        })
}

/// The key of a collection on record.
pub fn record_key(name: &Name) -> String {
    format!("{RECORD_PREFIX}{name}")
}

/// The spellings that a server adopted for expressions, in a collection's row of the record.
const ADOPTED: &str = "adopted";

/// A collection as it stands on record: as `createCollection` has it, and beside it the spellings that
/// the server adopted for its expressions.
pub fn record_value(collection: &Collection) -> String {
    let adopted = collection.adopted();
    if adopted.is_empty() {
        return serde_json::to_string(&CreateCollection::of(collection)).unwrap_or_default();
    }
    let mut value = serde_json::to_value(CreateCollection::of(collection)).unwrap_or_default();
    if let Value::Object(object) = &mut value {
        let adopted = adopted.into_iter().map(|(k, v)| (k, Value::String(v)));
        object.insert(ADOPTED.to_owned(), Value::Object(adopted.collect()));
    }
    value.to_string()
}

/// A collection read from the record.
///
/// # Errors
/// [`ErrorKind::Mismatch`] if the row is damaged.
pub fn read_record(key: &str, value: &str) -> Result<Collection> {
    let broken = |why: String| {
        Error::of(
            ErrorKind::Mismatch,
            format!("the ledger's record {key:?} cannot be read: {why}"),
        )
        .hint("take the live schema as the record with `ductape repair --to-live`")
    };
    let node = parse(value, usize::MAX).map_err(|problem| broken(problem.to_string()))?;
    let mut reader = Reader::new();
    let mut adopted = BTreeMap::new();
    let mut operation = vec![("type".to_owned(), Node::Text("createCollection".to_owned()))];
    if let Node::Object(entries) = node {
        for (name, value) in entries {
            if name == ADOPTED {
                adopted = reader
                    .within(ADOPTED, |reader| BTreeMap::read(&value, reader))
                    .unwrap_or_default();
            } else {
                operation.push((name, value));
            }
        }
    }
    let operation = Operation::read(&Node::Object(operation), &mut reader);
    let problems = reader.finish();
    match (operation, problems.first()) {
        (Some(Operation::CreateCollection(create)), None) => {
            Ok(create.as_collection().adopting(&adopted))
        }
        (_, problem) => Err(broken(
            problem.map_or_else(|| "it is no collection".to_owned(), ToString::to_string),
        )),
    }
}

/// Which way a run goes, as the log has it.
pub fn action_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_record_keeps_the_spellings_that_a_server_adopted() {
        let written = r#"{"name":"orders","fields":[
            {"name":"total","type":"integer","default":{"expression":"1+1"}},
            {"name":"double","type":"integer","generated":{"expression":"total*2","stored":true}}],
            "indexes":[{"name":"big","fields":["total",{"expression":"abs(total)"}],"where":"total>9"}],
            "constraints":[{"name":"positive","type":"check","expression":"total>0"}]}"#;
        let record = read_record("schema:orders", written).unwrap();
        assert_eq!(read_record("", &record_value(&record)).unwrap(), record);
        let places: Vec<String> = record.expressions().map(|(place, _)| place).collect();
        let spellings: BTreeMap<String, String> = places
            .iter()
            .map(|place| (place.clone(), format!("(adopted at {place})")))
            .collect();
        let adopted = record.adopting(&spellings);
        assert_eq!(adopted.adopted(), spellings);
        assert_eq!(spellings.len(), 5);
        let again = read_record("", &record_value(&adopted)).unwrap();
        assert_eq!(again.adopted(), spellings);
        let authored = again
            .expressions()
            .find(|(place, _)| place == "indexes.big.where");
        let backend = ductape_core::BackendName::Postgresql;
        assert_eq!(authored.unwrap().1.authored(backend), Some("total>9"));
    }
}
