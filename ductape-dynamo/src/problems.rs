//! What DynamoDB cannot do, said before anything is touched.

use crate::compiler::DynamoDb;
use crate::table::{key_names, key_type};
use ductape_core::operation::Allow;
use ductape_core::schema::{Constraint, DynamoOptions, Field, Index, IndexKey, Rule};
use ductape_core::{BackendName, Collection, Name, Operation};

/// Why an operation is refused, and what to do instead.
pub(crate) type Problem = (String, String);

pub(crate) fn no(reason: impl Into<String>, hint: impl Into<String>) -> Problem {
    (reason.into(), hint.into())
}

pub(crate) fn fixed_key() -> Problem {
    no(
        "the key of a table cannot change",
        "make another collection and move the items",
    )
}

pub(crate) fn create_problems(
    dynamo: &DynamoDb,
    operation: &Operation,
    collection: &Collection,
) -> Vec<Problem> {
    let mut found = Vec::new();
    let table = dynamo.table(&collection.name);
    if !nameable(&table) {
        found.push(no(
            format!("{table:?} cannot be the name of a table"),
            "use 3 to 255 of a-z, A-Z, 0-9, _, - and . with the prefix",
        ));
    }
    let names = key_names(collection);
    if names.is_empty() || names.len() > 2 {
        found.push(no(
            format!(
                "the key has {} fields, and DynamoDB takes one or two",
                names.len()
            ),
            "make the primary key of the partition key and, if there is one, the sort key",
        ));
    }
    for name in &names {
        key_problem(collection, name, &mut found);
    }
    if let Some(primary) = collection.primary_key()
        && primary.columns() != names.as_slice()
    {
        found.push(no(
            "the primary key is another one than the partition key and the sort key",
            "leave out one of them",
        ));
    }
    let options = &collection.options.dynamo;
    for (key, attribute) in names
        .iter()
        .zip([&options.partition_key, &options.sort_key])
    {
        let declared = collection
            .field(key)
            .and_then(|field| key_type(&field.field_type));
        if let Some(written) = attribute.as_ref().and_then(|attribute| attribute.key_type)
            && declared.is_some_and(|declared| declared != written)
        {
            found.push(no(
                format!("the type of the key {key} is not that of the field"),
                "leave out the type of the key",
            ));
        }
    }
    let plain = DynamoOptions {
        partition_key: options.partition_key.clone(),
        sort_key: options.sort_key.clone(),
        billing_mode: options
            .billing_mode
            .clone()
            .filter(|mode| mode == "PAY_PER_REQUEST"),
        ..DynamoOptions::default()
    };
    if *options != plain {
        found.push(no(
            "this backend makes tables with keys and PAY_PER_REQUEST alone",
            "write global indexes as indexes, and set the other dynamoOptions with the AWS tools",
        ));
    }
    if options.sort_key.is_some() && options.partition_key.is_none() {
        found.push(no(
            "a sort key needs a partition key beside it",
            "write both",
        ));
    }
    for field in &collection.fields {
        found.extend(field_problems(operation, field));
    }
    for index in &collection.indexes {
        found.extend(index_problems(operation, collection, index));
    }
    if collection.indexes.len() > 20 {
        found.push(no("a table has at most 20 global indexes", "make fewer"));
    }
    let promised = collection
        .constraints
        .iter()
        .filter(|constraint| !matches!(constraint.rule, Rule::PrimaryKey(_)));
    found.extend(promised.filter_map(|constraint| constraint_problem(operation, constraint)));
    found
}

fn nameable(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn key_problem(collection: &Collection, name: &Name, found: &mut Vec<Problem>) {
    match collection.field(name) {
        None => found.push(no(
            format!("{name} is in a key, and is no field"),
            "add it to the fields",
        )),
        Some(field) if key_type(&field.field_type).is_none() => found.push(no(
            format!("{name} is {}, which cannot be in a key", field.field_type),
            "a key is a text, a number or bytes",
        )),
        Some(_) => {}
    }
}

fn record_only(operation: &Operation) -> bool {
    operation.allow().contains(&Allow::RecordOnly)
}

pub(crate) fn constraint_problem(
    operation: &Operation,
    constraint: &Constraint,
) -> Option<Problem> {
    if matches!(constraint.rule, Rule::PrimaryKey(_)) {
        return Some(fixed_key());
    }
    (!record_only(operation)).then(|| {
        no(
            format!(
                "DynamoDB cannot enforce the {} constraint",
                constraint.constraint_type()
            ),
            "allow recordOnly to keep the promise in the record alone",
        )
    })
}

pub(crate) fn field_problems(operation: &Operation, field: &Field) -> Vec<Problem> {
    let mut found = Vec::new();
    if field.generated.is_some() {
        found.push(no(
            format!("DynamoDB cannot generate {}", field.name),
            "write the value in the program",
        ));
    }
    if field.auto_increment && !record_only(operation) {
        found.push(no(
            format!("DynamoDB cannot number {}", field.name),
            "use a uuid, or allow recordOnly",
        ));
    }
    if field.native.contains_key(&BackendName::Dynamodb) {
        found.push(no(
            format!(
                "{} has a native type, and DynamoDB declares none",
                field.name
            ),
            "leave out the native type",
        ));
    }
    found
}

pub(crate) fn index_problems(
    operation: &Operation,
    collection: &Collection,
    index: &Index,
) -> Vec<Problem> {
    let mut found = Vec::new();
    let name = index.name.as_ref().map_or("", Name::as_str);
    if !nameable(name) {
        found.push(no(
            format!("{name:?} cannot be the name of an index"),
            "use 3 to 255 of a-z, A-Z, 0-9, _, - and .",
        ));
    }
    if index.fields.is_empty() || index.fields.len() > 2 {
        found.push(no(
            format!(
                "the index {name} has {} keys, and DynamoDB takes one or two",
                index.fields.len()
            ),
            "take the partition key and, if there is one, the sort key",
        ));
    }
    for key in &index.fields {
        match key.name() {
            Some(field) => {
                key_problem(collection, field, &mut found);
                if *key != IndexKey::field(field.clone()) {
                    found.push(no(
                        format!("the key {field} of the index {name} has options that DynamoDB does not know"),
                        "leave them out; a query reads an index in either order",
                    ));
                }
            }
            None => found.push(no(
                format!("the index {name} is over an expression"),
                "keep the value in a field of its own",
            )),
        }
    }
    if index.unique && !record_only(operation) {
        found.push(no(
            format!("the index {name} cannot keep its keys unique"),
            "allow recordOnly to keep the promise in the record alone",
        ));
    }
    if index.predicate.is_some() {
        found.push(no(
            format!("the index {name} is over a part of the items"),
            "leave out where: an item without the key is not in the index",
        ));
    }
    if index.method.is_some() || !index.with.is_empty() || index.hidden || index.nulls_not_distinct
    {
        found.push(no(
            format!("the index {name} has options that DynamoDB does not know"),
            "leave them out",
        ));
    }
    if index.dynamo.read_capacity.is_some() || index.dynamo.write_capacity.is_some() {
        found.push(no(
            format!("the index {name} has a capacity, and its table has none"),
            "leave out the capacities",
        ));
    }
    found
}
