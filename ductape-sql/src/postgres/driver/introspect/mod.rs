//! The live schema, from a handful of questions in one round trip.

mod queries;
mod rows;

use super::super::Postgres;
use super::super::enum_type::{is_of_theirs, owned_values};
use super::super::index::without_implied_collations;
use super::client::Answer;
use super::reader::pairs;
use super::session::PostgresSession;
use crate::ledger::{StateRows, state_sql};
use ductape_core::schema::{Field, NativeDefinition};
use ductape_core::{BackendName, Collection, Name, Schema};
use ductape_engine::DbError;
use ductape_engine::backend::{Reader, Scope};
use ductape_engine::ledger::{read_record, record_key};
use queries::Questions;
use rows::{ConstraintRow, FieldRow, IndexRow, NativeRow, TableRow};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// Reads the schema, Ductape's own tables left out.
pub(super) async fn introspect(
    session: &mut PostgresSession,
    scope: &Scope,
) -> Result<Schema, DbError> {
    let nothing = Schema::new().of(BackendName::Postgresql);
    if session.place.schema.is_none() {
        return Ok(nothing);
    }
    let questions = Questions::new(&session.place, scope);
    if let Scope::Only(names) = scope
        && !anything_of(session, names, &questions).await?
    {
        return Ok(nothing);
    }
    let answers = session
        .look(&[
            questions.tables(),
            questions.fields(),
            questions.constraints(),
            questions.indexes(),
            questions.views(),
            questions.natives(),
            questions.settings(),
        ])
        .await?;
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    let mut collections: BTreeMap<i64, Collection> = BTreeMap::new();
    let mut natives: Vec<NativeDefinition> = Vec::new();
    for table in read::<TableRow>(&next())? {
        if let Ok(name) = Name::new(&table.name) {
            collections.insert(table.id, table.collection(name));
        }
    }
    for row in read::<FieldRow>(&next())? {
        if let Some(collection) = collections.get_mut(&row.table)
            && let Some(field) = row.field(&collection.name)
        {
            collection.fields.push(field);
        }
    }
    for row in read::<ConstraintRow>(&next())? {
        let collection = collections.get_mut(&row.table);
        match (row.constraint(), collection) {
            (Some(constraint), Some(collection)) => collection.insert_constraint(constraint),
            (_, collection) => natives.extend(row.native(collection.map(|c| &c.name))),
        }
    }
    for row in read::<IndexRow>(&next())? {
        if let Some(collection) = collections.get_mut(&row.table) {
            match row.index() {
                Some(mut index) => {
                    without_implied_collations(&mut index, collection);
                    collection.insert_index(index);
                }
                None => natives.extend(row.native(&collection.name)),
            }
        }
    }
    for _ in 0..3 {
        natives.extend(
            read::<NativeRow>(&next())?
                .into_iter()
                .filter_map(NativeRow::native),
        );
    }
    keep_what_is_their_own(session, &mut collections).await?;
    let mut schema: Schema = collections.into_values().collect();
    for native in natives {
        schema.put_native(native);
    }
    Ok(schema.of(BackendName::Postgresql))
}

/// Whether anything is there of what is asked for by name. The server takes longer to plan the questions
/// about it than to answer them, and most of what is made is new. What is on record of it, which is asked
/// next, comes with the answer.
async fn anything_of(
    session: &mut PostgresSession,
    names: &BTreeSet<Name>,
    questions: &Questions,
) -> Result<bool, DbError> {
    let mut asked = vec![questions.anything()];
    let keys: Vec<String> = names.iter().map(record_key).collect();
    if session.place.has_ledger {
        asked.push(state_sql::<Postgres>(
            &session.place.names,
            &StateRows::Keyed(&keys),
        ));
    }
    let mut answers = session.look(&asked).await?.into_iter();
    let there = answers.next().unwrap_or_default();
    if let Some(rows) = answers.next() {
        let keys = keys.into_iter().map(|key| (key, None));
        let rows = pairs(rows).into_iter();
        let rows = rows.map(|(key, value)| (key, Some(value)));
        session.told.records = keys.chain(rows).collect();
    }
    Ok(there.first(0) == Some("t"))
}

/// An enum type that Ductape made keeps its name when its field or collection gets another. Its name
/// alone then does not tell whose it is: the record does.
async fn keep_what_is_their_own(
    session: &mut PostgresSession,
    collections: &mut BTreeMap<i64, Collection>,
) -> Result<(), DbError> {
    let keys: Vec<String> = collections
        .values()
        .filter(|collection| collection.fields.iter().any(is_of_theirs))
        .map(|collection| record_key(&collection.name))
        .collect();
    let records: BTreeMap<String, String> = session.state_of(&keys).await?.into_iter().collect();
    if records.is_empty() {
        return Ok(());
    }
    for collection in collections.values_mut() {
        let key = record_key(&collection.name);
        // What is damaged is told by whoever reads the record.
        let Some(record) = records
            .get(&key)
            .and_then(|value| read_record(&key, value).ok())
        else {
            continue;
        };
        for field in collection.fields.iter_mut().filter(|f| is_of_theirs(f)) {
            let own = |recorded: &Field| owned_values(recorded).is_some();
            if record.field(&field.name).is_some_and(own) {
                field.native.clear();
            }
        }
    }
    Ok(())
}

/// The rows of an answer, each of which is one JSON object.
fn read<R: DeserializeOwned>(answer: &Answer) -> Result<Vec<R>, DbError> {
    answer
        .rows
        .iter()
        .filter_map(|row| row.first()?.as_deref())
        .map(|text| {
            serde_json::from_str(text).map_err(|error| {
                DbError::new(format!("the catalog's answer cannot be read: {error}"))
            })
        })
        .collect()
}
