//! The live schema, from a handful of questions in one round trip.

mod queries;
mod rows;

use super::client::Answer;
use super::session::PostgresSession;
use ductape_core::schema::NativeDefinition;
use ductape_core::{BackendName, Collection, Name, Schema};
use ductape_engine::DbError;
use ductape_engine::backend::Scope;
use queries::Questions;
use rows::{ConstraintRow, FieldRow, IndexRow, NativeRow, TableRow};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

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
            && let Some(field) = row.field()
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
                Some(index) => collection.insert_index(index),
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
    let mut schema: Schema = collections.into_values().collect();
    for native in natives {
        schema.put_native(native);
    }
    Ok(schema.of(BackendName::Postgresql))
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
