//! The JSON Schema of a migration file.

use super::FORMAT;
use crate::operation::Operation;
use crate::tag::Tag;

/// The JSON Schema of a migration file, made from the types.
pub fn json_schema() -> serde_json::Value {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let operations = generator.subschema_for::<Vec<Operation>>();
    let tag = generator.subschema_for::<Tag>();
    let mut definitions = generator.take_definitions(true);
    for (name, definition) in &mut definitions {
        // In changes null takes away; everywhere else what is not said is left out.
        if !name.ends_with("Changes") {
            without_null(definition);
        }
    }
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Ductape migration",
        "type": "object",
        "properties": {
            "format": { "const": FORMAT, "description": "The format of the file." },
            "tag": tag,
            "name": { "type": "string", "description": "The name that the tag ends in." },
            "description": { "type": "string" },
            "up": { "allOf": [operations, { "minItems": 1 }] },
            "down": operations
        },
        "required": ["format", "tag", "up"],
        "additionalProperties": false,
        "$defs": definitions
    })
}

/// Takes null away from what may be left out, which is not the same to a reader.
fn without_null(schema: &mut serde_json::Value) {
    use serde_json::Value;
    let null = Value::from("null");
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type")
                && types.len() == 2
            {
                types.retain(|word| *word != null);
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf")
                && choices.len() == 2
            {
                choices.retain(|choice| choice.get("type") != Some(&null));
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}
