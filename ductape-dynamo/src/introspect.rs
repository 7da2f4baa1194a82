//! What DynamoDB shows of its tables.

use crate::compiler::{DynamoDb, key_constraint};
use crate::driver_error::Failed;
use crate::table::{Key, folded_type, index_shape, table_shape};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    GlobalSecondaryIndexDescription, IndexStatus, KeySchemaElement, KeyType as Place,
    ProjectionType, TableDescription, TableStatus,
};
use ductape_core::compiler::{Mark, Target};
use ductape_core::schema::{Index, IndexKey, KeyType, Projection};
use ductape_core::{BackendName, Collection, Field, Name, Schema, Step};
use ductape_engine::DbError;
use ductape_engine::backend::{Scope, Standing};

/// A table, or nothing if there is none.
pub(crate) async fn describe(
    client: &Client,
    table: &str,
) -> Result<Option<TableDescription>, Failed> {
    match client.describe_table().table_name(table).send().await {
        Ok(answer) => Ok(answer.table),
        Err(error) => {
            let failed = Failed::from(error);
            if failed.is("ResourceNotFoundException") {
                Ok(None)
            } else {
                Err(failed)
            }
        }
    }
}

/// Whether a table and all its indexes have come to rest.
pub(crate) fn at_rest(table: &TableDescription) -> bool {
    table.table_status() == Some(&TableStatus::Active)
        && table
            .global_secondary_indexes()
            .iter()
            .all(|index| index.index_status() == Some(&IndexStatus::Active))
}

fn key(table: &TableDescription, schema: &[KeySchemaElement]) -> Key {
    let mut elements: Vec<&KeySchemaElement> = schema.iter().collect();
    elements.sort_by_key(|element| *element.key_type() != Place::Hash);
    elements
        .into_iter()
        .filter_map(|element| {
            let definition = table
                .attribute_definitions()
                .iter()
                .find(|definition| definition.attribute_name() == element.attribute_name())?;
            let key_type = match definition.attribute_type().as_str() {
                "N" => KeyType::N,
                "B" => KeyType::B,
                _ => KeyType::S,
            };
            Some((Name::new(element.attribute_name()).ok()?, key_type))
        })
        .collect()
}

fn projection(index: &GlobalSecondaryIndexDescription) -> Projection {
    let Some(projection) = index.projection() else {
        return Projection::All;
    };
    match projection.projection_type() {
        Some(ProjectionType::KeysOnly) => Projection::KeysOnly,
        Some(ProjectionType::Include) => {
            let mut names: Vec<Name> = projection
                .non_key_attributes()
                .iter()
                .filter_map(|name| Name::new(name).ok())
                .collect();
            names.sort();
            Projection::Include(names)
        }
        _ => Projection::All,
    }
}

fn shape_of_index(
    table: &TableDescription,
    index: &GlobalSecondaryIndexDescription,
) -> serde_json::Value {
    index_shape(&key(table, index.key_schema()), &projection(index))
}

fn shape(table: &TableDescription) -> serde_json::Value {
    let indexes = table
        .global_secondary_indexes()
        .iter()
        .map(|index| {
            (
                index.index_name().unwrap_or_default().to_owned(),
                shape_of_index(table, index),
            )
        })
        .collect();
    table_shape(&key(table, table.key_schema()), indexes)
}

/// A table as a collection in normal form.
fn collection(name: Name, table: &TableDescription) -> Collection {
    let own = key(table, table.key_schema());
    let mut attributes: std::collections::BTreeMap<Name, KeyType> = own.iter().cloned().collect();
    let mut collection = Collection::new(name);
    for shown in table.global_secondary_indexes() {
        if shown.index_status() == Some(&IndexStatus::Deleting) {
            continue;
        }
        let keys = key(table, shown.key_schema());
        let mut index = Index::new(
            keys.iter()
                .map(|(name, _)| IndexKey::field(name.clone()))
                .collect(),
        );
        index.name = shown.index_name().and_then(|name| Name::new(name).ok());
        index.dynamo.projection = projection(shown);
        attributes.extend(keys);
        collection.insert_index(index);
    }
    for (name, key_type) in attributes {
        let mut field = Field::new(name, folded_type(key_type));
        field.required = own.iter().any(|(name, _)| *name == field.name);
        collection.fields.push(field);
    }
    let constraint = key_constraint(
        &collection.name,
        own.into_iter().map(|(name, _)| name).collect(),
    );
    collection.insert_constraint(constraint);
    collection
}

/// The live schema.
pub(crate) async fn introspect(
    client: &Client,
    dynamo: &DynamoDb,
    scope: &Scope,
) -> Result<Schema, DbError> {
    let names: Vec<Name> = match scope {
        Scope::Only(names) => names.iter().cloned().collect(),
        Scope::All => {
            let mut pages = client.list_tables().into_paginator().send();
            let mut names = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.map_err(Failed::from)?;
                for table in page.table_names() {
                    names.extend(
                        table
                            .strip_prefix(&dynamo.prefix)
                            .and_then(|name| Name::new(name).ok()),
                    );
                }
            }
            names
        }
    };
    let mut schema = Schema::new().of(BackendName::Dynamodb);
    for name in names {
        if name.is_reserved() {
            continue;
        }
        // A name that no table can have is of no table.
        let table = dynamo.table(&name);
        let possible = (3..=255).contains(&table.len())
            && table
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if possible
            && let Some(table) = describe(client, &table).await?
            && table.table_status() != Some(&TableStatus::Deleting)
        {
            schema.put(collection(name, &table));
        }
    }
    Ok(schema)
}

/// Where a step stands, by what it changes.
pub(crate) async fn standing(
    client: &Client,
    dynamo: &DynamoDb,
    step: &Step,
) -> Result<Standing, DbError> {
    let Some(effect) = step.effects.first() else {
        return Ok(Standing::Unknowable);
    };
    let (name, index) = match &effect.target {
        Target::Collection(name) => (name, None),
        Target::Index { collection, index } => (collection, Some(index)),
        _ => return Ok(Standing::Unknowable),
    };
    let table = describe(client, &dynamo.table(name)).await?;
    let shown = match (&table, index) {
        (None, None) => None,
        (None, Some(_)) => {
            return Ok(Standing::Foreign {
                shows: format!("there is no table {}", dynamo.table(name)),
            });
        }
        (Some(table), None) => {
            if !at_rest(table) {
                return Ok(Standing::InProgress);
            }
            Some(shape(table))
        }
        (Some(table), Some(index)) => {
            let found = table
                .global_secondary_indexes()
                .iter()
                .find(|shown| shown.index_name() == Some(index.as_str()));
            match found {
                Some(found) if found.index_status() != Some(&IndexStatus::Active) => {
                    return Ok(Standing::InProgress);
                }
                // The index is done when its table takes other requests again.
                Some(_) if table.table_status() != Some(&TableStatus::Active) => {
                    return Ok(Standing::InProgress);
                }
                None if table.table_status() == Some(&TableStatus::Updating) => {
                    return Ok(Standing::InProgress);
                }
                found => found.map(|found| shape_of_index(table, found)),
            }
        }
    };
    let fits = |mark: &Mark| match (mark, &shown) {
        (Mark::Absent, shown) => shown.is_none(),
        (Mark::Present | Mark::AsFarAsRowsAllow, shown) => shown.is_some(),
        (Mark::Like(like), shown) => shown.as_ref() == Some(like),
    };
    Ok(if fits(&effect.after) {
        Standing::After
    } else if fits(&effect.before) {
        Standing::Before
    } else {
        Standing::Foreign {
            shows: shown.map_or_else(|| "nothing".to_owned(), |shown| shown.to_string()),
        }
    })
}
