//! The types of fields as PostgreSQL has them.

use super::dialect::sql;
use super::enum_type::enum_type_name;
use ductape_core::expression::{Token, tokens};
use ductape_core::schema::{Field, FieldType};
use ductape_core::{BackendName, Name};

/// The type as a column declares it.
pub(crate) fn column_type(collection: &Name, field: &Field) -> String {
    match field.native.get(&BackendName::Postgresql) {
        Some(native) => native.clone(),
        None => type_name(&field.field_type, &enum_type_name(collection, &field.name)),
    }
}

/// The type that the column has once it is there: a serial's is a plain number.
pub(crate) fn stored_type(collection: &Name, field: &Field) -> String {
    let declared = column_type(collection, field);
    match server_spelling(&declared).as_str() {
        "smallserial" => "SMALLINT".to_owned(),
        "serial" => "INTEGER".to_owned(),
        "bigserial" => "BIGINT".to_owned(),
        _ => declared,
    }
}

/// The type's name; an enum, or an array of one, is of the type that is given.
pub(crate) fn type_name(field_type: &FieldType, enum_type: &Name) -> String {
    match field_type {
        FieldType::Enum { .. } => sql().name(enum_type).finish(),
        FieldType::Array { items } => match items.as_ref() {
            // The number of dimensions is not part of a type (arrays, 8.15.1).
            inner @ FieldType::Array { .. } => type_name(inner, enum_type),
            inner => format!("{}[]", type_name(inner, enum_type)),
        },
        other => plain_type_name(other).into_owned(),
    }
}

/// The name of a type that is neither an enum nor an array.
fn plain_type_name(field_type: &FieldType) -> std::borrow::Cow<'static, str> {
    match field_type {
        FieldType::Integer => "INTEGER".into(),
        FieldType::Bigint => "BIGINT".into(),
        FieldType::Smallint => "SMALLINT".into(),
        FieldType::Float => "REAL".into(),
        FieldType::Double => "DOUBLE PRECISION".into(),
        FieldType::Decimal {
            precision: Some(precision),
            scale,
        } => format!("NUMERIC({precision},{})", scale.unwrap_or(0)).into(),
        FieldType::Decimal { .. } => "NUMERIC".into(),
        FieldType::String { length: Some(n) } => format!("VARCHAR({n})").into(),
        FieldType::String { length: None } => "VARCHAR".into(),
        FieldType::Text | FieldType::Enum { .. } | FieldType::Array { .. } => "TEXT".into(),
        FieldType::Boolean => "BOOLEAN".into(),
        FieldType::Date => "DATE".into(),
        FieldType::Time => "TIME".into(),
        FieldType::Datetime => "TIMESTAMP".into(),
        FieldType::Timestamp => "TIMESTAMPTZ".into(),
        FieldType::Json => "JSONB".into(),
        FieldType::Uuid => "UUID".into(),
        FieldType::Binary { .. } | FieldType::Blob => "BYTEA".into(),
    }
}

/// The collation that the column has: an enum has an order of its own.
pub(crate) fn collation(field: &Field) -> Option<Name> {
    let collation = field.collation.as_ref().filter(|c| *c != "default")?;
    match enum_values(&field.field_type) {
        Some(_) => None,
        None => Name::new(collation).ok(),
    }
}

/// The enum that a type is, or that it is an array of.
pub(crate) fn enum_values(field_type: &FieldType) -> Option<&[String]> {
    match field_type {
        FieldType::Enum { values } => Some(values),
        FieldType::Array { items } => enum_values(items),
        _ => None,
    }
}

/// The type that `format_type` names, and its own words where it is none of ours. Enums are not known
/// from their name: the catalog tells their values.
pub(crate) fn read_type(formatted: &str) -> (FieldType, Option<String>) {
    let words = formatted.trim();
    if let Some(items) = words.strip_suffix("[]") {
        let (items, native) = read_type(items);
        let array = FieldType::Array {
            items: Box::new(items),
        };
        return (array, native.map(|_| words.to_owned()));
    }
    let (base, arguments) = split(words);
    let known = match (base.as_str(), arguments.as_slice()) {
        ("integer", []) => Some(FieldType::Integer),
        ("bigint", []) => Some(FieldType::Bigint),
        ("smallint", []) => Some(FieldType::Smallint),
        ("real", []) => Some(FieldType::Float),
        ("double precision", []) => Some(FieldType::Double),
        ("numeric", []) => Some(FieldType::Decimal {
            precision: None,
            scale: None,
        }),
        ("numeric", [precision, scale]) => match (precision.parse(), scale.parse::<u32>()) {
            (Ok(precision), Ok(scale)) if scale <= precision => Some(FieldType::Decimal {
                precision: Some(precision),
                scale: Some(scale).filter(|scale| *scale != 0),
            }),
            _ => None,
        },
        ("character varying", []) => Some(FieldType::String { length: None }),
        ("character varying", [length]) => length.parse().ok().map(|length| FieldType::String {
            length: Some(length),
        }),
        ("text", []) => Some(FieldType::Text),
        ("boolean", []) => Some(FieldType::Boolean),
        ("date", []) => Some(FieldType::Date),
        ("time without time zone", []) => Some(FieldType::Time),
        ("timestamp without time zone", []) => Some(FieldType::Datetime),
        ("timestamp with time zone", []) => Some(FieldType::Timestamp),
        ("jsonb", []) => Some(FieldType::Json),
        ("uuid", []) => Some(FieldType::Uuid),
        ("bytea", []) => Some(FieldType::Blob),
        _ => None,
    };
    match known {
        Some(known) => (known, None),
        None => (nearest(&base), Some(words.to_owned())),
    }
}

/// The type that keeps every value of one that is none of ours.
fn nearest(base: &str) -> FieldType {
    match base {
        "smallserial" => FieldType::Smallint,
        "serial" => FieldType::Integer,
        "bigserial" => FieldType::Bigint,
        "numeric" | "money" => FieldType::Decimal {
            precision: None,
            scale: None,
        },
        "character" | "bpchar" => FieldType::Text,
        base if base.starts_with("timestamp") && base.ends_with("with time zone") => {
            FieldType::Timestamp
        }
        base if base.starts_with("timestamp") => FieldType::Datetime,
        base if base.starts_with("time") => FieldType::Time,
        "json" => FieldType::Json,
        _ => FieldType::Text,
    }
}

/// `timestamp(3) without time zone` as `timestamp without time zone` and `3`.
fn split(words: &str) -> (String, Vec<&str>) {
    let Some((base, rest)) = words.split_once('(') else {
        return (words.to_owned(), Vec::new());
    };
    let (arguments, after) = rest.split_once(')').unwrap_or((rest, ""));
    (
        format!("{}{after}", base.trim_end()),
        arguments.split(',').map(str::trim).collect(),
    )
}

/// The words for a type in the spelling of `format_type`: that of SQL's names in small letters.
pub(crate) fn server_spelling(native: &str) -> String {
    let native = native.trim();
    if let Some(items) = native.strip_suffix("[]") {
        return format!("{}[]", server_spelling(items));
    }
    let mut words: Vec<String> = Vec::new();
    let mut arguments = String::new();
    let mut depth = 0;
    for token in tokens(native) {
        match token {
            Token::Symbol("(") => depth += 1,
            Token::Symbol(")") => depth -= 1,
            token if depth > 0 => arguments.push_str(token.source()),
            Token::Word(word) => words.push(word.to_ascii_lowercase()),
            token => words.push(token.source().to_owned()),
        }
    }
    let joined = words.join(" ").replace(" . ", ".");
    let (base, after) = match joined.as_str() {
        "int" | "int4" => ("integer", ""),
        "int8" => ("bigint", ""),
        "int2" => ("smallint", ""),
        "float4" => ("real", ""),
        "float8" | "float" => ("double precision", ""),
        "decimal" | "dec" => ("numeric", ""),
        "varchar" | "char varying" => ("character varying", ""),
        "char" => ("character", ""),
        "bool" => ("boolean", ""),
        "time" | "time without time zone" => ("time", " without time zone"),
        "timetz" | "time with time zone" => ("time", " with time zone"),
        "timestamp" | "timestamp without time zone" => ("timestamp", " without time zone"),
        "timestamptz" | "timestamp with time zone" => ("timestamp", " with time zone"),
        "serial4" => ("serial", ""),
        "serial8" => ("bigserial", ""),
        "serial2" => ("smallserial", ""),
        "varbit" => ("bit varying", ""),
        other => (other, ""),
    };
    let arguments = match (base, arguments.as_str()) {
        ("character", "") => "1".to_owned(),
        ("numeric", precision) if !precision.is_empty() && !precision.contains(',') => {
            format!("{precision},0")
        }
        _ => arguments,
    };
    if arguments.is_empty() {
        format!("{base}{after}")
    } else {
        format!("{base}({arguments}){after}")
    }
}

/// Whether the words count by themselves: the type of a foreign database's counting field.
pub(crate) fn is_serial(native: &str) -> bool {
    matches!(native, "serial" | "bigserial" | "smallserial")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_ours_is_read_as_it_was_written() {
        for field_type in [
            FieldType::Integer,
            FieldType::Bigint,
            FieldType::Smallint,
            FieldType::Float,
            FieldType::Double,
            FieldType::Decimal {
                precision: Some(10),
                scale: Some(2),
            },
            FieldType::Decimal {
                precision: Some(10),
                scale: None,
            },
            FieldType::Decimal {
                precision: None,
                scale: None,
            },
            FieldType::String { length: Some(20) },
            FieldType::String { length: None },
            FieldType::Text,
            FieldType::Boolean,
            FieldType::Date,
            FieldType::Time,
            FieldType::Datetime,
            FieldType::Timestamp,
            FieldType::Json,
            FieldType::Uuid,
            FieldType::Blob,
            FieldType::Array {
                items: Box::new(FieldType::String { length: Some(20) }),
            },
        ] {
            let written = type_name(&field_type, &Name::made("e", []));
            let read = read_type(&server_spelling(&written));
            assert_eq!(read, (field_type, None), "{written}");
        }
    }

    #[test]
    fn other_types_keep_their_words() {
        for (written, spelled) in [
            ("INET", "inet"),
            ("char(3)", "character(3)"),
            ("timestamptz(3)", "timestamp(3) with time zone"),
            ("Geometry(Point, 4326)", "geometry(Point,4326)"),
            ("int4range", "int4range"),
        ] {
            let spelling = server_spelling(written);
            assert_eq!(spelling, spelled);
            assert_eq!(read_type(&spelling).1.as_deref(), Some(spelled));
        }
        assert_eq!(
            read_type("timestamp(3) with time zone").0,
            FieldType::Timestamp
        );
        assert_eq!(server_spelling("varchar(20)[]"), "character varying(20)[]");
    }
}
