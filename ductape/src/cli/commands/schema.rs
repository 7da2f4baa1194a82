//! `schema`: the schema on record, or that of the live database.

use crate::args;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Answer;
use ductape::core::operation::CreateCollection;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Document {
    collections: Vec<CreateCollection>,
}

pub async fn run(context: &Context, schema: &args::Schema) -> Result<Answer, Failure> {
    let connected = context.connect().await?;
    let found = if schema.live {
        connected.engine.live_schema().await?
    } else {
        connected.engine.recorded_schema().await?
    };
    let mut collections: Vec<CreateCollection> = found
        .collections()
        .map(|collection| CreateCollection::of(collection))
        .collect();
    collections.sort_by(|a, b| a.name.cmp(&b.name));
    let document = Document { collections };
    context.answer(&document, |_| {
        serde_json::to_string_pretty(&document).unwrap_or_default()
    })
}
