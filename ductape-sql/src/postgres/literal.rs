//! Values as literals.

use super::dialect::sql;
use ductape_core::schema::FieldType;
use ductape_core::value::base64_decode;
use serde_json::Value;

/// A value of a type as a literal that PostgreSQL takes where that type is expected.
pub(crate) fn literal(field_type: &FieldType, value: &Value) -> String {
    match (field_type, value) {
        (_, Value::Null) => "NULL".to_owned(),
        (FieldType::Json, value) => sql().text(&value.to_string()).finish(),
        (FieldType::Array { items }, Value::Array(list)) => {
            sql().text(&array(items, list)).finish()
        }
        (_, Value::Bool(true)) => "TRUE".to_owned(),
        (_, Value::Bool(false)) => "FALSE".to_owned(),
        (_, Value::Number(number)) => number.to_string(),
        (
            FieldType::Smallint
            | FieldType::Integer
            | FieldType::Bigint
            | FieldType::Decimal { .. },
            Value::String(number),
        ) if is_numeric(number) => number.clone(),
        (field_type, value) => sql().text(&plain(field_type, value)).finish(),
    }
}

/// The value as the text that the type's input takes.
fn plain(field_type: &FieldType, value: &Value) -> String {
    match (field_type, value) {
        (FieldType::Json, value) => value.to_string(),
        (FieldType::Datetime | FieldType::Timestamp, Value::String(moment)) => {
            moment.replacen('T', " ", 1)
        }
        (FieldType::Binary { .. } | FieldType::Blob, Value::String(base64)) => {
            let mut hex = String::from("\\x");
            for byte in base64_decode(base64).unwrap_or_default() {
                hex.push_str(&format!("{byte:02x}"));
            }
            hex
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Bool(true)) => "t".to_owned(),
        (_, Value::Bool(false)) => "f".to_owned(),
        (_, other) => other.to_string(),
    }
}

/// The text form of an array (arrays, 8.15.6): items in double quotes, a backslash before what they mean.
fn array(items: &FieldType, list: &[Value]) -> String {
    let mut text = String::from("{");
    for (index, item) in list.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        match (items, item) {
            (_, Value::Null) => text.push_str("NULL"),
            (FieldType::Array { items }, Value::Array(list)) => text.push_str(&array(items, list)),
            (items, item) => {
                text.push('"');
                for character in plain(items, item).chars() {
                    if matches!(character, '"' | '\\') {
                        text.push('\\');
                    }
                    text.push(character);
                }
                text.push('"');
            }
        }
    }
    text.push('}');
    text
}

fn is_numeric(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_sql_is_escaped() {
        let texts = FieldType::Array {
            items: Box::new(FieldType::Text),
        };
        for (field_type, value, expected) in [
            (FieldType::Text, json!("it's"), "'it''s'"),
            (FieldType::Text, json!("a\\' b"), "E'a\\\\'' b'"),
            (FieldType::Blob, json!("AP8="), "E'\\\\x00ff'"),
            (FieldType::Json, json!({"a": "'"}), "'{\"a\":\"''\"}'"),
            (
                texts.clone(),
                json!(["a\"b", null, "c,\\"]),
                "E'{\"a\\\\\"b\",NULL,\"c,\\\\\\\\\"}'",
            ),
            (texts, json!([]), "'{}'"),
            (
                FieldType::Decimal {
                    precision: None,
                    scale: None,
                },
                json!("1); --"),
                "'1); --'",
            ),
        ] {
            assert_eq!(literal(&field_type, &value), expected);
        }
    }
}
