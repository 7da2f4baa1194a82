//! Requests of a plan, from their JSON to the SDK.

use crate::driver_error::Failed;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction,
    DeleteGlobalSecondaryIndexAction, GlobalSecondaryIndex, GlobalSecondaryIndexUpdate,
    KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use serde_json::Value;

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn definitions(input: &Value) -> Result<Vec<AttributeDefinition>, BuildError> {
    list(input, "AttributeDefinitions")
        .iter()
        .map(|definition| {
            AttributeDefinition::builder()
                .attribute_name(text(definition, "AttributeName"))
                .attribute_type(ScalarAttributeType::from(text(definition, "AttributeType")))
                .build()
        })
        .collect()
}

fn key_schema(input: &Value) -> Result<Vec<KeySchemaElement>, BuildError> {
    list(input, "KeySchema")
        .iter()
        .map(|element| {
            KeySchemaElement::builder()
                .attribute_name(text(element, "AttributeName"))
                .key_type(KeyType::from(text(element, "KeyType")))
                .build()
        })
        .collect()
}

fn projection(input: &Value) -> Projection {
    let Some(projection) = input.get("Projection") else {
        return Projection::builder().build();
    };
    let mut builder = Projection::builder()
        .projection_type(ProjectionType::from(text(projection, "ProjectionType")));
    for name in list(projection, "NonKeyAttributes") {
        builder = builder.non_key_attributes(name.as_str().unwrap_or_default());
    }
    builder.build()
}

/// Makes a request of a plan.
pub(crate) async fn send(client: &Client, action: &str, input: &Value) -> Result<(), Failed> {
    let table = text(input, "TableName");
    let built = Failed::before_sending;
    match action {
        "CreateTable" => {
            let mut request = client
                .create_table()
                .table_name(table)
                .set_attribute_definitions(Some(definitions(input).map_err(built)?))
                .set_key_schema(Some(key_schema(input).map_err(built)?))
                .billing_mode(BillingMode::from(text(input, "BillingMode")));
            for index in list(input, "GlobalSecondaryIndexes") {
                let index = GlobalSecondaryIndex::builder()
                    .index_name(text(index, "IndexName"))
                    .set_key_schema(Some(key_schema(index).map_err(built)?))
                    .projection(projection(index))
                    .build()
                    .map_err(built)?;
                request = request.global_secondary_indexes(index);
            }
            request.send().await?;
        }
        "DeleteTable" => {
            client.delete_table().table_name(table).send().await?;
        }
        "UpdateTable" => {
            let definitions = definitions(input).map_err(built)?;
            let mut request = client
                .update_table()
                .table_name(table)
                .set_attribute_definitions((!definitions.is_empty()).then_some(definitions));
            for update in list(input, "GlobalSecondaryIndexUpdates") {
                let mut builder = GlobalSecondaryIndexUpdate::builder();
                if let Some(index) = update.get("Create") {
                    let create = CreateGlobalSecondaryIndexAction::builder()
                        .index_name(text(index, "IndexName"))
                        .set_key_schema(Some(key_schema(index).map_err(built)?))
                        .projection(projection(index))
                        .build()
                        .map_err(built)?;
                    builder = builder.create(create);
                }
                if let Some(index) = update.get("Delete") {
                    let delete = DeleteGlobalSecondaryIndexAction::builder()
                        .index_name(text(index, "IndexName"))
                        .build()
                        .map_err(built)?;
                    builder = builder.delete(delete);
                }
                request = request.global_secondary_index_updates(builder.build());
            }
            request.send().await?;
        }
        other => {
            return Err(Failed::before_sending(format!(
                "this backend does not make the request {other}"
            )));
        }
    }
    Ok(())
}
