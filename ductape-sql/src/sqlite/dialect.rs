//! How SQLite writes names, types, values and expressions.

use super::letters;
use super::words::{Words, admits_null};
use crate::writer::{Quoting, Sql};
use ductape_core::data::{Arithmetic, Comparison, Filter, ValueExpression};
use ductape_core::schema::{DefaultValue, Field, FieldType, TypeName};
use ductape_core::value::{base64_decode, timestamp_in_utc};
use ductape_core::{BackendName, Collection, Name};
use serde_json::Value;
use std::borrow::Cow;

/// SQLite's way of quoting.
#[derive(Debug, Clone, Copy)]
pub struct Sqlite;

impl Quoting for Sqlite {}

/// An empty text.
pub(crate) fn sql() -> Sql {
    Sql::new::<Sqlite>()
}

/// A type as a column declares it.
pub(crate) fn type_name(field_type: &FieldType, strict: bool) -> Cow<'static, str> {
    if strict {
        return match field_type.name() {
            TypeName::Integer | TypeName::Bigint | TypeName::Smallint | TypeName::Boolean => {
                "INTEGER"
            }
            TypeName::Float | TypeName::Double | TypeName::Decimal => "REAL",
            TypeName::Binary | TypeName::Blob => "BLOB",
            _ => "TEXT",
        }
        .into();
    }
    match field_type {
        FieldType::Integer => "INTEGER".into(),
        FieldType::Bigint => "BIGINT".into(),
        FieldType::Smallint => "SMALLINT".into(),
        FieldType::Float => "FLOAT".into(),
        FieldType::Double => "DOUBLE".into(),
        FieldType::Decimal {
            precision: Some(precision),
            scale,
        } => format!("DECIMAL({precision},{})", scale.unwrap_or(0)).into(),
        FieldType::Decimal { .. } => "DECIMAL".into(),
        FieldType::String { length: Some(n) } => format!("VARCHAR({n})").into(),
        FieldType::String { length: None } => "VARCHAR".into(),
        FieldType::Text | FieldType::Enum { .. } => "TEXT".into(),
        FieldType::Boolean => "BOOLEAN".into(),
        FieldType::Date => "DATE".into(),
        FieldType::Time => "TIME".into(),
        FieldType::Datetime => "DATETIME".into(),
        FieldType::Timestamp => "TIMESTAMP".into(),
        FieldType::Json | FieldType::Array { .. } => "JSON_TEXT".into(),
        FieldType::Uuid => "UUID".into(),
        FieldType::Binary { .. } | FieldType::Blob => "BLOB".into(),
    }
}

/// The type that a declared one stands for, and its own words where it is none of ours.
pub(crate) fn read_type(declared: &str, strict: bool) -> (FieldType, Option<String>) {
    let upper = declared.trim().to_ascii_uppercase();
    let (base, arguments) = match upper.split_once('(') {
        Some((base, rest)) => {
            let inside = rest.trim_end().trim_end_matches(')');
            let numbers: Option<Vec<u32>> =
                inside.split(',').map(|n| n.trim().parse().ok()).collect();
            (base.trim(), numbers)
        }
        None => (upper.as_str(), Some(Vec::new())),
    };
    let arguments = arguments.as_deref();
    let known = match (base, arguments) {
        ("INTEGER", Some([])) => Some(FieldType::Integer),
        ("BIGINT", Some([])) => Some(FieldType::Bigint),
        ("REAL", Some([])) if strict => Some(FieldType::Double),
        ("TEXT", Some([])) => Some(FieldType::Text),
        ("BLOB", Some([])) => Some(FieldType::Blob),
        ("SMALLINT", Some([])) => Some(FieldType::Smallint),
        ("FLOAT", Some([])) => Some(FieldType::Float),
        ("DOUBLE", Some([])) => Some(FieldType::Double),
        ("DECIMAL", Some([])) => Some(FieldType::Decimal {
            precision: None,
            scale: None,
        }),
        ("DECIMAL", Some([precision, scale])) => Some(FieldType::Decimal {
            precision: Some(*precision),
            scale: Some(*scale).filter(|scale| *scale != 0),
        }),
        ("VARCHAR", Some([])) => Some(FieldType::String { length: None }),
        ("VARCHAR", Some([length])) => Some(FieldType::String {
            length: Some(*length),
        }),
        ("BOOLEAN", Some([])) => Some(FieldType::Boolean),
        ("DATE", Some([])) => Some(FieldType::Date),
        ("TIME", Some([])) => Some(FieldType::Time),
        ("DATETIME", Some([])) => Some(FieldType::Datetime),
        ("TIMESTAMP", Some([])) => Some(FieldType::Timestamp),
        ("JSON_TEXT", Some([])) => Some(FieldType::Json),
        ("UUID", Some([])) => Some(FieldType::Uuid),
        _ => None,
    };
    match known {
        // Only our own words are ours, in any case and spacing: others are kept as they are.
        Some(known) if upper.replace(char::is_whitespace, "") == type_name(&known, strict) => {
            (known, None)
        }
        // Anything goes, as it is.
        _ if strict && upper == "ANY" => (FieldType::Blob, Some(declared.to_owned())),
        _ => {
            let field_type = match (nearest(base, &upper), arguments) {
                (FieldType::Text, Some([length])) if *length > 0 => FieldType::String {
                    length: Some(*length),
                },
                (FieldType::Decimal { .. }, Some([precision, scale]))
                    if (1..=1000).contains(precision) && scale <= precision =>
                {
                    FieldType::Decimal {
                        precision: Some(*precision),
                        scale: Some(*scale).filter(|scale| *scale != 0),
                    }
                }
                (other, _) => other,
            };
            (field_type, Some(declared.to_owned()))
        }
    }
}

/// A declared type of other words with the numbers that the model has: its length, or its digits.
pub(crate) fn with_numbers(declared: &str, field_type: &FieldType) -> String {
    let (known, _) = read_type(declared, false);
    if known == *field_type || known.name() != field_type.name() {
        return declared.to_owned();
    }
    let numbers = match field_type {
        FieldType::String {
            length: Some(length),
        } => format!("({length})"),
        FieldType::Decimal {
            precision: Some(precision),
            scale,
        } => format!("({precision},{})", scale.unwrap_or(0)),
        _ => String::new(),
    };
    let words = declared.split('(').next().unwrap_or(declared).trim();
    format!("{words}{numbers}")
}

/// Whether a declared type is one that Ductape writes.
pub(crate) fn is_own_type(declared: &str, strict: bool) -> bool {
    read_type(declared, strict).1.is_none()
}

/// The type that the words of a column stand for, and the words where they are more than a type of ours.
pub(crate) fn read_words(words: &Words, strict: bool) -> (FieldType, Option<String>) {
    let (field_type, native) = read_type(&words.declared, strict);
    let native = (native.is_some() || words.says_more()).then(|| words.text());
    (field_type, native)
}

/// The type that people mean by a word which is none of ours; SQLite itself makes nothing of it.
fn nearest(base: &str, upper: &str) -> FieldType {
    match base {
        "BOOL" => FieldType::Boolean,
        "JSON" | "JSONB" => FieldType::Json,
        "INT8" => FieldType::Bigint,
        "INT2" => FieldType::Smallint,
        "TIME" => FieldType::Time,
        "DATETIME" => FieldType::Datetime,
        base if base.starts_with("TIMESTAMP") => FieldType::Timestamp,
        _ => affinity(upper),
    }
}

/// The type nearest to SQLite's own rules of affinity (datatype3.html, 3.1).
fn affinity(upper: &str) -> FieldType {
    if upper.contains("INT") {
        FieldType::Integer
    } else if ["CHAR", "CLOB", "TEXT"].iter().any(|w| upper.contains(w)) {
        FieldType::Text
    } else if upper.contains("BLOB") || upper.is_empty() {
        FieldType::Blob
    } else if ["REAL", "FLOA", "DOUB"].iter().any(|w| upper.contains(w)) {
        FieldType::Double
    } else {
        FieldType::Decimal {
            precision: None,
            scale: None,
        }
    }
}

/// The field of a collection as SQLite can hold it and give it back.
pub(crate) fn normal_field(collection: &Collection, field: &Field) -> Field {
    let strict = collection.options.sql.strict;
    let mut normal = field.clone();
    normal.comment = None;
    let mut words = Words::of(field, strict);
    words.not_null = words.not_null.filter(|_| field.required);
    words.null = admits_null(collection, field);
    let collation = field
        .collation
        .clone()
        .or(words.collation.take())
        .map(|collation| collation.to_ascii_uppercase())
        .filter(|collation| collation != "BINARY");
    normal.collation = None;
    match has_collation(&read_words(&words, strict).0) {
        true => normal.collation = collation,
        false => words.collation = collation,
    }
    let (declared, native) = read_words(&words, strict);
    normal.native = native
        .map(|native| (BackendName::Sqlite, native))
        .into_iter()
        .collect();
    if !matches!(field.field_type, FieldType::Enum { .. }) || !normal.native.is_empty() {
        normal.field_type = declared;
    }
    normal.default = field
        .default
        .as_ref()
        .and_then(|default| default_text(default, &field.field_type))
        .and_then(|text| read_default(&text, &normal.field_type));
    if let Some(generated) = &mut normal.generated
        && let Some(folded) = generated.expression.folded(BackendName::Sqlite)
    {
        generated.expression = folded;
    }
    normal
}

/// Whether the model knows a collation of such a field.
pub(crate) fn has_collation(field_type: &FieldType) -> bool {
    matches!(
        field_type,
        FieldType::String { .. } | FieldType::Text | FieldType::Enum { .. }
    )
}

/// A random UUID of version 4, as a text.
pub(crate) const UUID_EXPRESSION: &str = "(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (abs(random()) % 4), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))";

/// This moment, as the type keeps it.
pub(crate) fn now_text(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Date => "CURRENT_DATE",
        FieldType::Time => "CURRENT_TIME",
        _ => "CURRENT_TIMESTAMP",
    }
}

/// A default as it stands after `DEFAULT`; nothing for null, or where the expression has no text for
/// SQLite.
pub(crate) fn default_text(default: &DefaultValue, field_type: &FieldType) -> Option<String> {
    match default {
        DefaultValue::Value(value) if value.is_null() => None,
        DefaultValue::Value(value) => Some(literal(field_type, value)),
        DefaultValue::Now => Some(now_text(field_type).to_owned()),
        DefaultValue::Uuid => Some(UUID_EXPRESSION.to_owned()),
        DefaultValue::Expression(expression) => {
            let text = expression.text(BackendName::Sqlite)?;
            Some(format!("({text})"))
        }
    }
}

/// A default as `sqlite_schema` has it, as a value where it is one.
pub(crate) fn read_default(text: &str, field_type: &FieldType) -> Option<DefaultValue> {
    use ductape_core::expression::{Token, same, tokens};
    let text = text.trim();
    let suits = |default: DefaultValue| default.canonical_for(field_type).ok();
    if same(text, UUID_EXPRESSION)
        && let Some(uuid) = suits(DefaultValue::Uuid)
    {
        return Some(uuid);
    }
    let words: Vec<Token<'_>> = tokens(text).collect();
    let value = match words.as_slice() {
        [word] if word.is_word("null") => return None,
        // A text or an untyped column may hold a moment, too; the model calls only a moment's own so.
        [word] if word.is_word(now_text(field_type)) && suits(DefaultValue::Now).is_some() => {
            return Some(DefaultValue::Now);
        }
        [word] if word.is_word("true") => Some(Value::Bool(true)),
        [word] if word.is_word("false") => Some(Value::Bool(false)),
        [Token::Number(number)] => read_number(number, field_type),
        [Token::Symbol("-"), Token::Number(number)] => {
            read_number(&format!("-{number}"), field_type)
        }
        [Token::Symbol("+"), Token::Number(number)] => read_number(number, field_type),
        [Token::Text(quoted)] => read_text(quoted, field_type),
        [Token::Word(x), Token::Text(hex)]
            if x.eq_ignore_ascii_case("x")
                && matches!(field_type, FieldType::Binary { .. } | FieldType::Blob) =>
        {
            read_hex(hex)
        }
        _ => None,
    };
    if let Some(canonical) = value.and_then(|value| field_type.value(&value).ok()) {
        // A text that the model would spell otherwise is another value to SQLite.
        let spelled = literal(field_type, &canonical);
        if !matches!(words.as_slice(), [Token::Text(_)]) || spelled == text {
            return Some(DefaultValue::Value(canonical));
        }
    }
    Some(DefaultValue::Expression(unwrapped(text).into()))
}

/// The text without one pair of brackets that is around all of it.
pub(crate) fn unwrapped(text: &str) -> &str {
    use ductape_core::expression::tokens;
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

fn read_number(number: &str, field_type: &FieldType) -> Option<Value> {
    if *field_type == FieldType::Boolean {
        return match number {
            "0" => Some(Value::Bool(false)),
            "1" => Some(Value::Bool(true)),
            _ => None,
        };
    }
    match field_type {
        FieldType::Decimal { .. }
        | FieldType::Bigint
        | FieldType::Integer
        | FieldType::Smallint => Some(Value::String(number.to_owned())),
        FieldType::Float | FieldType::Double => serde_json::from_str(number).ok(),
        _ => None,
    }
}

fn read_text(quoted: &str, field_type: &FieldType) -> Option<Value> {
    let text = quoted
        .strip_prefix('\'')
        .and_then(|t| t.strip_suffix('\''))?
        .replace("''", "'");
    match field_type {
        FieldType::Json | FieldType::Array { .. } => serde_json::from_str(&text).ok(),
        FieldType::Datetime => Some(Value::String(text.replacen(' ', "T", 1))),
        FieldType::Timestamp => Some(Value::String(format!("{}Z", text.replacen(' ', "T", 1)))),
        FieldType::Decimal { .. }
        | FieldType::Bigint
        | FieldType::Integer
        | FieldType::Smallint
        | FieldType::Float
        | FieldType::Double
        | FieldType::Boolean
        | FieldType::Binary { .. }
        | FieldType::Blob => None,
        _ => Some(Value::String(text)),
    }
}

fn read_hex(quoted: &str) -> Option<Value> {
    let hex = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    let bytes: Option<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect();
    Some(Value::String(ductape_core::value::base64_encode(&bytes?)))
}

/// A value as a literal of its type.
pub(crate) fn literal(field_type: &FieldType, value: &Value) -> String {
    let text = |text: &str| sql().text(text).finish();
    match (field_type, value) {
        (_, Value::Null) => "NULL".to_owned(),
        (FieldType::Json | FieldType::Array { .. }, value) => text(&value.to_string()),
        (_, Value::Bool(true)) => "TRUE".to_owned(),
        (_, Value::Bool(false)) => "FALSE".to_owned(),
        (_, Value::Number(number)) => number.to_string(),
        (FieldType::Bigint | FieldType::Decimal { .. }, Value::String(number))
            if is_numeric(number) =>
        {
            number.clone()
        }
        (FieldType::Datetime, Value::String(moment)) => text(&moment.replacen('T', " ", 1)),
        (FieldType::Timestamp, Value::String(moment)) => {
            text(&timestamp_in_utc(moment).unwrap_or_else(|| moment.clone()))
        }
        (FieldType::Binary { .. } | FieldType::Blob, Value::String(base64)) => {
            let mut hex = String::from("X'");
            for byte in base64_decode(base64).unwrap_or_default() {
                hex.push_str(&format!("{byte:02X}"));
            }
            hex.push('\'');
            hex
        }
        (_, Value::String(string)) => text(string),
        (_, other) => text(&other.to_string()),
    }
}

fn is_numeric(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
}

/// The type of a field of a collection, if there is one.
fn type_of<'c>(collection: &'c Collection, name: &Name) -> Option<&'c FieldType> {
    collection.field(name).map(|field| &field.field_type)
}

/// What a field of a type is set to.
pub(crate) fn assigned(
    collection: &Collection,
    target: &FieldType,
    value: &ValueExpression,
) -> String {
    let text = value_expression(collection, target, value);
    if !is_whole(target) || is_whole_already(collection, value) {
        return text;
    }
    // A column for whole numbers holds any number there is.
    let whole = if value.divides() { "x" } else { "round(x)" };
    format!(
        "(SELECT CASE typeof(x) WHEN 'real' THEN CAST({whole} AS INTEGER) ELSE x END FROM (SELECT {text} AS x))"
    )
}

fn is_whole(field_type: &FieldType) -> bool {
    matches!(
        field_type,
        FieldType::Integer | FieldType::Bigint | FieldType::Smallint
    )
}

/// Whether a value, stored in a whole number, is one without more ado.
fn is_whole_already(collection: &Collection, value: &ValueExpression) -> bool {
    match value {
        ValueExpression::Value(value) => !value.is_f64(),
        ValueExpression::Field(name) => type_of(collection, name).is_none_or(is_whole),
        // A quotient stored in a whole number is cut off where it is made.
        ValueExpression::Arithmetic(Arithmetic::Divide, _) => true,
        ValueExpression::Arithmetic(_, both) => {
            !value.divides() && both.iter().all(|value| is_whole_already(collection, value))
        }
        ValueExpression::Coalesce(values) => values
            .iter()
            .all(|value| is_whole_already(collection, value)),
        ValueExpression::Cast(_, to) => is_whole(to) || *to == FieldType::Boolean,
        _ => false,
    }
}

/// A value in an `update`, for a field of a type.
fn value_expression(
    collection: &Collection,
    target: &FieldType,
    value: &ValueExpression,
) -> String {
    let of = |value: &ValueExpression| value_expression(collection, target, value);
    match value {
        ValueExpression::Value(value) => match target.value(value) {
            Ok(canonical) => literal(target, &canonical),
            Err(_) => literal(&natural_type(value), value),
        },
        ValueExpression::Field(name) => sql().name(name).finish(),
        ValueExpression::Concat(values) => {
            let parts: Vec<String> = values
                .iter()
                .map(|value| match value {
                    ValueExpression::Value(Value::String(text)) => sql().text(text).finish(),
                    value => format!("coalesce({}, '')", as_text(collection, value)),
                })
                .collect();
            match parts.as_slice() {
                [] => "''".to_owned(),
                parts => format!("({})", parts.join(" || ")),
            }
        }
        ValueExpression::Coalesce(values) => match values.as_slice() {
            [] => "NULL".to_owned(),
            [one] => of(one),
            values => {
                let parts: Vec<String> = values.iter().map(of).collect();
                format!("coalesce({})", parts.join(", "))
            }
        },
        ValueExpression::Lower(value) => letters::lower(&of(value)),
        ValueExpression::Upper(value) => letters::upper(&of(value)),
        ValueExpression::Trim(value) => format!("trim({})", of(value)),
        ValueExpression::Arithmetic(operation, both) => {
            let [a, b] = both.as_ref();
            let (a, b) = (number(collection, a), number(collection, b));
            let result = match operation {
                Arithmetic::Add => format!("({a} + {b})"),
                Arithmetic::Subtract => format!("({a} - {b})"),
                Arithmetic::Multiply => format!("({a} * {b})"),
                Arithmetic::Divide => divided(&a, &b, is_whole(target)),
            };
            match target {
                // The others keep no more digits than they were declared with.
                FieldType::Decimal {
                    precision: Some(_),
                    scale,
                } => format!(
                    "(SELECT CASE typeof(x) WHEN 'real' THEN round(x, {}) ELSE x END FROM (SELECT {result} AS x))",
                    scale.unwrap_or(0)
                ),
                _ => result,
            }
        }
        ValueExpression::Cast(value, FieldType::Boolean) => {
            let inner = value_expression(collection, &FieldType::Text, value);
            format!(
                "(SELECT CASE WHEN typeof(x) IN ('integer', 'real') THEN x <> 0 \
                 WHEN lower(x) IN ('true', 't', 'yes', 'y', 'on', '1') THEN 1 \
                 WHEN lower(x) IN ('false', 'f', 'no', 'n', 'off', '0') THEN 0 END \
                 FROM (SELECT {inner} AS x))"
            )
        }
        ValueExpression::Cast(value, to)
            if cast_name(to) == "TEXT" && is_boolean(collection, value) =>
        {
            as_text(collection, value)
        }
        // A cast of SQLite's own cuts off what others round.
        ValueExpression::Cast(value, to) if is_whole(to) => format!(
            "(SELECT CAST(CASE typeof(x) WHEN 'real' THEN round(x) ELSE x END AS INTEGER) FROM (SELECT {} AS x))",
            number(collection, value)
        ),
        ValueExpression::Cast(value, to) => {
            let inner = value_expression(collection, to, value);
            format!("CAST({inner} AS {})", cast_name(to))
        }
        ValueExpression::Now => now_text(target).to_owned(),
        ValueExpression::Uuid => UUID_EXPRESSION.to_owned(),
    }
}

/// A value as a number to calculate with.
pub(crate) fn number(collection: &Collection, value: &ValueExpression) -> String {
    // Whole numbers stay whole in it.
    let exact = FieldType::Decimal {
        precision: None,
        scale: None,
    };
    let target = match value {
        ValueExpression::Value(value) => natural_type(value),
        ValueExpression::Field(name) => type_of(collection, name).cloned().unwrap_or(exact),
        _ => exact,
    };
    value_expression(collection, &target, value)
}

/// A value as a text; what is true or false says so, as everywhere else.
fn as_text(collection: &Collection, value: &ValueExpression) -> String {
    if is_boolean(collection, value) {
        let inner = value_expression(collection, &FieldType::Boolean, value);
        return format!("CASE {inner} WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' END");
    }
    let inner = value_expression(collection, &FieldType::Text, value);
    format!("CAST({inner} AS TEXT)")
}

fn is_boolean(collection: &Collection, value: &ValueExpression) -> bool {
    match value {
        ValueExpression::Value(value) => value.is_boolean(),
        ValueExpression::Field(name) => type_of(collection, name) == Some(&FieldType::Boolean),
        ValueExpression::Cast(_, to) => *to == FieldType::Boolean,
        _ => false,
    }
}

/// A quotient. SQLite divides whole numbers towards zero and knows no other exact numbers: whole ones
/// that divide without rest stay whole, and the rest is divided as real numbers. Each side is written
/// once, so that divisions within divisions do not grow beyond measure.
fn divided(a: &str, b: &str, whole: bool) -> String {
    let (also, rest) = match whole {
        true => ("", "CAST(CAST(x AS REAL) / y AS INTEGER)"),
        false => (" AND y <> 0 AND x % y = 0", "CAST(x AS REAL) / y"),
    };
    format!(
        "(SELECT CASE WHEN typeof(x) = 'integer' AND typeof(y) = 'integer'{also} THEN x / y \
         ELSE {rest} END FROM (SELECT {a} AS x, {b} AS y))"
    )
}

pub(crate) fn cast_name(field_type: &FieldType) -> &'static str {
    match field_type {
        FieldType::Integer | FieldType::Bigint | FieldType::Smallint | FieldType::Boolean => {
            "INTEGER"
        }
        FieldType::Float | FieldType::Double => "REAL",
        FieldType::Decimal { .. } => "NUMERIC",
        FieldType::Binary { .. } | FieldType::Blob => "BLOB",
        _ => "TEXT",
    }
}

/// The type that a value has by itself.
fn natural_type(value: &Value) -> FieldType {
    match value {
        Value::Bool(_) => FieldType::Boolean,
        Value::Number(number) if number.is_i64() => FieldType::Bigint,
        Value::Number(_) => FieldType::Double,
        Value::Array(_) | Value::Object(_) => FieldType::Json,
        _ => FieldType::Text,
    }
}

/// A filter as a condition.
pub(crate) fn condition(collection: &Collection, filter: &Filter) -> String {
    let value_of = |name: &Name, value: &Value| {
        let field_type = type_of(collection, name);
        match field_type.map(|t| (t, t.value(value))) {
            Some((field_type, Ok(canonical))) => literal(field_type, &canonical),
            _ => literal(&natural_type(value), value),
        }
    };
    let joined = |filters: &[Filter], word: &str, none: &str| match filters {
        [] => none.to_owned(),
        filters => {
            let parts: Vec<String> = filters
                .iter()
                .map(|filter| format!("({})", condition(collection, filter)))
                .collect();
            parts.join(word)
        }
    };
    match filter {
        Filter::And(filters) | Filter::All(filters) => joined(filters, " AND ", "TRUE"),
        Filter::Or(filters) => joined(filters, " OR ", "FALSE"),
        // What is not known is not so, and its opposite is.
        Filter::Not(filter) => format!("NOT coalesce(({}), FALSE)", condition(collection, filter)),
        Filter::Compare(name, comparison, value) => {
            let operator = match comparison {
                Comparison::Equal => "=",
                Comparison::NotEqual => "<>",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
            };
            sql()
                .name(name)
                .sql(&format!(" {operator} {}", value_of(name, value)))
                .finish()
        }
        Filter::In(name, values) => {
            let nulls = values.iter().any(Value::is_null);
            let list: Vec<String> = values
                .iter()
                .filter(|value| !value.is_null())
                .map(|value| value_of(name, value))
                .collect();
            let mut text = sql()
                .name(name)
                .words(" IN (")
                .sql(&list.join(", "))
                .words(")");
            if nulls {
                text = text.words(" OR ").name(name).words(" IS NULL");
            }
            text.finish()
        }
        Filter::Exists(name, true) => sql().name(name).words(" IS NOT NULL").finish(),
        Filter::Exists(name, false) => sql().name(name).words(" IS NULL").finish(),
    }
}
