//! Defaults, there and back.

use super::literal::literal;
use ductape_core::BackendName;
use ductape_core::expression::{Token, tokens};
use ductape_core::schema::{DefaultValue, FieldType};
use ductape_core::value::{base64_encode, timestamp_in_utc};
use serde_json::Value;

/// This moment, as the type keeps it.
pub(crate) fn now_text(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Date => "CURRENT_DATE",
        FieldType::Time => "LOCALTIME",
        FieldType::Datetime => "LOCALTIMESTAMP",
        _ => "CURRENT_TIMESTAMP",
    }
}

/// A random UUID of version 4 (functions-uuid; in the core since 13).
pub(crate) const UUID_EXPRESSION: &str = "gen_random_uuid()";

/// A default as it stands after `DEFAULT`; nothing for null, or where the expression has no text for
/// PostgreSQL.
pub(crate) fn default_text(default: &DefaultValue, field_type: &FieldType) -> Option<String> {
    match default {
        DefaultValue::Value(value) if value.is_null() => None,
        DefaultValue::Value(value) => Some(literal(field_type, value)),
        DefaultValue::Now => Some(now_text(field_type).to_owned()),
        DefaultValue::Uuid => Some(UUID_EXPRESSION.to_owned()),
        DefaultValue::Expression(expression) => {
            Some(format!("({})", expression.text(BackendName::Postgresql)?))
        }
    }
}

/// A default as `pg_get_expr` has it, as a value where it is one. Times are expected as a session in UTC
/// shows them.
pub(crate) fn read_default(text: &str, field_type: &FieldType) -> Option<DefaultValue> {
    let text = unwrapped(text.trim());
    let constant = without_cast(text);
    let words: Vec<Token<'_>> = tokens(constant).collect();
    let value = match words.as_slice() {
        [word] if word.is_word("null") => return None,
        [word] if word.is_word(now_text(field_type)) => return Some(DefaultValue::Now),
        [word, open, close]
            if *field_type == FieldType::Uuid
                && word.is_word("gen_random_uuid")
                && open.is_symbol("(")
                && close.is_symbol(")") =>
        {
            return Some(DefaultValue::Uuid);
        }
        [word] if word.is_word("true") => Some(Value::Bool(true)),
        [word] if word.is_word("false") => Some(Value::Bool(false)),
        [Token::Number(number)] => read_number(number, field_type),
        [Token::Symbol(sign @ ("-" | "+")), Token::Number(number)] => {
            read_number(&format!("{sign}{number}"), field_type)
        }
        [Token::Text(quoted)] => read_quoted(quoted, false).and_then(|t| read_text(&t, field_type)),
        [Token::Word("E" | "e"), Token::Text(quoted)] => {
            read_quoted(quoted, true).and_then(|t| read_text(&t, field_type))
        }
        _ => None,
    };
    if let Some(canonical) = value.as_ref().and_then(|v| field_type.value(v).ok()) {
        return Some(DefaultValue::Value(canonical));
    }
    // The number of dimensions is not part of a type, so that lists in a list are no value of it; spelled
    // in one way they are the same on either side.
    if let Some(lists) = value
        && let typed = with_dimensions(field_type, &lists)
        && let Ok(canonical) = typed.value(&lists)
    {
        return Some(DefaultValue::Expression(literal(&typed, &canonical).into()));
    }
    Some(DefaultValue::Expression(text.into()))
}

/// The type of a list with as many dimensions as the value has.
fn with_dimensions(field_type: &FieldType, value: &Value) -> FieldType {
    match (field_type, value.as_array().and_then(|list| list.first())) {
        (FieldType::Array { items }, Some(inner @ Value::Array(_)))
            if !matches!(**items, FieldType::Array { .. } | FieldType::Json) =>
        {
            FieldType::Array {
                items: Box::new(with_dimensions(field_type, inner)),
            }
        }
        (other, _) => other.clone(),
    }
}

/// Whether a constant default as the server has it is spelled as it spells the value itself: a number with
/// no more digits than it needs, a text with the type of its field behind it. Others' defaults are not
/// always (`0.0`, or `'a'::text` where the field is a string).
#[cfg(feature = "postgres")]
pub(crate) fn is_own_spelling(text: &str, field_type: &FieldType) -> bool {
    let text = unwrapped(text.trim());
    let constant = without_cast(text);
    let Some(DefaultValue::Value(value)) = read_default(text, field_type) else {
        return true;
    };
    let (word, cast) = match text.rsplit_once("::") {
        Some((word, cast)) if word.trim_end().len() >= constant.len() => (constant, Some(cast)),
        _ => (constant, None),
    };
    let number = word.trim_start_matches('\'').trim_end_matches('\'');
    match (field_type, cast) {
        (FieldType::Decimal { .. }, _) => literal(field_type, &value).trim_matches('\'') == number,
        (FieldType::Float | FieldType::Double, _) => {
            !(number.contains('.') && number.ends_with('0'))
        }
        (_, None) => true,
        (FieldType::String { .. }, Some(cast)) => cast == "character varying",
        (FieldType::Text, Some(cast)) => cast == "text",
        (FieldType::Date, Some(cast)) => cast == "date",
        (FieldType::Time, Some(cast)) => cast == "time without time zone",
        (FieldType::Datetime, Some(cast)) => cast == "timestamp without time zone",
        (FieldType::Timestamp, Some(cast)) => cast == "timestamp with time zone",
        (FieldType::Json, Some(cast)) => cast == "jsonb",
        (FieldType::Uuid, Some(cast)) => cast == "uuid",
        (FieldType::Blob, Some(cast)) => cast == "bytea",
        _ => true,
    }
}

/// The text without one pair of brackets that is around all of it.
pub(crate) fn unwrapped(text: &str) -> &str {
    let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) else {
        return text;
    };
    let mut depth = 0_i32;
    for token in tokens(inner) {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        }
        if depth < 0 {
            return text;
        }
    }
    inner.trim()
}

/// A constant without the type that the server writes behind it: `'a'::text`, `'-5'::integer`.
fn without_cast(text: &str) -> &str {
    let mut walk = tokens(text);
    let mut depth = 0_i32;
    let mut end = None;
    let mut last = 0;
    while let Some(token) = walk.next() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        } else if token.is_symbol("::") && depth == 0 {
            end = Some(last);
            break;
        }
        last = walk.position();
    }
    let constant = end.and_then(|end| text.get(..end)).unwrap_or(text).trim();
    // Only one cast of one constant is the server's own; `'now'::text::date` is somebody's.
    let casts = tokens(text).filter(|token| token.is_symbol("::")).count();
    if casts > 1 { text } else { unwrapped(constant) }
}

fn read_number(number: &str, field_type: &FieldType) -> Option<Value> {
    match field_type {
        FieldType::Decimal { .. }
        | FieldType::Bigint
        | FieldType::Integer
        | FieldType::Smallint => Some(Value::String(number.to_owned())),
        FieldType::Float | FieldType::Double => {
            serde_json::from_str(number.trim_start_matches('+')).ok()
        }
        _ => None,
    }
}

/// The text that a literal stands for.
fn read_quoted(quoted: &str, escapes: bool) -> Option<String> {
    let inner = quoted
        .strip_prefix('\'')
        .and_then(|t| t.strip_suffix('\''))?
        .replace("''", "'");
    if !escapes {
        return Some(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            match characters.next()? {
                escaped @ ('\\' | '\'' | '"') => text.push(escaped),
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                _ => return None,
            }
        } else {
            text.push(character);
        }
    }
    Some(text)
}

fn read_text(text: &str, field_type: &FieldType) -> Option<Value> {
    match field_type {
        FieldType::Json => serde_json::from_str(text).ok(),
        FieldType::Array { items } => read_array(text, items),
        FieldType::Time => Some(Value::String(shown_time(text))),
        FieldType::Datetime => {
            let moment = text.replacen(' ', "T", 1);
            Some(Value::String(match moment.split_once('T') {
                Some((date, time)) => format!("{date}T{}", shown_time(time)),
                None => moment,
            }))
        }
        FieldType::Timestamp => {
            let moment = text.replacen(' ', "T", 1);
            let utc = timestamp_in_utc(&moment)?;
            Some(Value::String(format!("{}Z", utc.replacen(' ', "T", 1))))
        }
        FieldType::Decimal { .. }
        | FieldType::Bigint
        | FieldType::Integer
        | FieldType::Smallint
        | FieldType::Float
        | FieldType::Double => read_number(text.trim(), field_type),
        FieldType::Boolean => match text {
            "t" | "true" => Some(Value::Bool(true)),
            "f" | "false" => Some(Value::Bool(false)),
            _ => None,
        },
        FieldType::Binary { .. } | FieldType::Blob => read_hex(text.strip_prefix("\\x")?),
        _ => Some(Value::String(text.to_owned())),
    }
}

/// A time of day as the server shows it: with seconds, and no zeros behind their fraction.
fn shown_time(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds = if whole.len() == "00:00".len() {
        ":00"
    } else {
        ""
    };
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{whole}{seconds}{point}{fraction}")
}

fn read_hex(hex: &str) -> Option<Value> {
    let bytes: Option<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect();
    Some(Value::String(base64_encode(&bytes?)))
}

/// An array in its text form.
fn read_array(text: &str, items: &FieldType) -> Option<Value> {
    let mut characters = text.trim().chars().peekable();
    let value = read_items(&mut characters, items)?;
    characters.next().is_none().then_some(value)
}

fn read_items(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    items: &FieldType,
) -> Option<Value> {
    if characters.next()? != '{' {
        return None;
    }
    let mut list = Vec::new();
    if characters.next_if_eq(&'}').is_some() {
        return Some(Value::Array(list));
    }
    loop {
        list.push(match characters.peek()? {
            '{' => {
                let inner = match items {
                    FieldType::Array { items } => items,
                    other => other,
                };
                read_items(characters, inner)?
            }
            '"' => {
                characters.next();
                let mut text = String::new();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => text.push(characters.next()?),
                        character => text.push(character),
                    }
                }
                read_text(&text, items)?
            }
            _ => {
                let mut text = String::new();
                while let Some(character) = characters.next_if(|c| !matches!(c, ',' | '}')) {
                    text.push(character);
                }
                if text.eq_ignore_ascii_case("null") {
                    Value::Null
                } else {
                    read_text(&text, items)?
                }
            }
        });
        match characters.next()? {
            ',' => {}
            '}' => return Some(Value::Array(list)),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_in_a_list_are_the_same_however_they_are_spelled() {
        let texts = FieldType::Array {
            items: Box::new(FieldType::Text),
        };
        let written = read_default("'{{\"a\",\"b\"},{\"c\",\"d\"}}'", &texts);
        let shown = read_default("'{{a,b},{c,d}}'::text[]", &texts);
        assert_eq!(written, shown);
        assert_ne!(shown, read_default("'{{a,b},{c,e}}'::text[]", &texts));
    }

    #[test]
    fn what_the_server_makes_of_a_default_is_read_as_the_value() {
        let list = |items| FieldType::Array {
            items: Box::new(items),
        };
        let decimal = FieldType::Decimal {
            precision: Some(10),
            scale: Some(2),
        };
        for (text, field_type, value) in [
            (
                "'abc'::character varying",
                FieldType::String { length: Some(9) },
                json!("abc"),
            ),
            ("'it''s'::text", FieldType::Text, json!("it's")),
            ("'-5'::integer", FieldType::Integer, json!(-5)),
            ("7", FieldType::Bigint, json!(7)),
            ("1.50", decimal.clone(), json!(1.5)),
            ("('-1.5'::numeric)", decimal, json!(-1.5)),
            ("true", FieldType::Boolean, json!(true)),
            ("'{\"a\": 1}'::jsonb", FieldType::Json, json!({"a": 1})),
            (
                "'{1,-2}'::integer[]",
                list(FieldType::Integer),
                json!([1, -2]),
            ),
            (
                "'{a,\"b c\"}'::text[]",
                list(FieldType::Text),
                json!(["a", "b c"]),
            ),
            ("'{}'::text[]", list(FieldType::Text), json!([])),
            ("'\\x00ff'::bytea", FieldType::Blob, json!("AP8=")),
            (
                "'2024-01-15 14:30:52+02'::timestamp with time zone",
                FieldType::Timestamp,
                json!("2024-01-15T12:30:52Z"),
            ),
            ("'23:59'", FieldType::Time, json!("23:59:00")),
            ("'14:30:52.250'", FieldType::Time, json!("14:30:52.25")),
            (
                "'2024-01-15 14:30'",
                FieldType::Datetime,
                json!("2024-01-15T14:30:00"),
            ),
            (
                "'2024-01-15 14:30:52'::timestamp without time zone",
                FieldType::Datetime,
                json!("2024-01-15T14:30:52"),
            ),
        ] {
            assert_eq!(
                read_default(text, &field_type),
                Some(DefaultValue::Value(value)),
                "{text}"
            );
        }
    }

    #[test]
    fn an_expression_stays_one() {
        for text in [
            "('now'::text)::date",
            "lower('A'::text)",
            "1 + 2",
            "nextval('s'::regclass)",
        ] {
            assert!(
                matches!(
                    read_default(text, &FieldType::Text),
                    Some(DefaultValue::Expression(_))
                ),
                "{text}"
            );
        }
        assert_eq!(
            read_default("gen_random_uuid()", &FieldType::Uuid),
            Some(DefaultValue::Uuid)
        );
        assert_eq!(
            read_default("CURRENT_TIMESTAMP", &FieldType::Timestamp),
            Some(DefaultValue::Now)
        );
        assert_eq!(
            read_default("NULL::character varying", &FieldType::Text),
            None
        );
    }
}
