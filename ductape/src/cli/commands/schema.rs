//! `schema`: the schema on record, or that of the live database.

use crate::args;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Answer;
use ductape::core::operation::CreateCollection;
use ductape::core::{Collection, Operation};
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Document {
    collections: Vec<Operation>,
}

pub async fn run(context: &Context, schema: &args::Schema) -> Result<Answer, Failure> {
    let connected = context.connect().await?;
    let found = if schema.live {
        connected.engine.live_schema().await?
    } else {
        connected.engine.recorded_schema().await?
    };
    let mut collections: Vec<&Collection> = found.collections().map(|c| c.as_ref()).collect();
    collections.sort_by(|a, b| a.name.cmp(&b.name));
    let document = Document {
        collections: collections.into_iter().map(as_operation).collect(),
    };
    context.answer(&document, |_| {
        serde_json::to_string_pretty(&document).unwrap_or_default()
    })
}

/// The operation that would make a collection. Keys stand both among the constraints, with their names,
/// and at their fields, where people write them and look for them.
fn as_operation(collection: &Collection) -> Operation {
    let mut create = CreateCollection::of(&collection.written());
    create.constraints.clone_from(&collection.constraints);
    let key = collection.key();
    let in_field_order = collection
        .fields
        .iter()
        .map(|field| &field.name)
        .filter(|name| key.contains(name))
        .eq(key);
    create.fields.change(
        |field| in_field_order && key.contains(&field.name),
        |field| {
            field.primary_key = true;
            field.required = false;
        },
    );
    create.into()
}
