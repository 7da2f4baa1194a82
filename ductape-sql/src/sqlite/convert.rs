//! What becomes of values when a field changes, and what stands in the way.

use super::dialect::{cast_name, default_text, literal, sql};
use super::words::Words;
use ductape_core::schema::{Field, FieldType};
use ductape_core::{BackendName, Name};

/// How the values of a field get to their new type.
pub(crate) struct Conversion {
    /// The expression over the old row.
    pub expression: String,
    /// Rows that cannot be converted, as a condition over the old row, and what they are.
    pub obstacles: Vec<(String, String)>,
}

impl Conversion {
    /// Whether values are others afterwards, and not just declared otherwise.
    pub fn changes(&self, field: &Name) -> bool {
        self.expression != sql().name(field).finish()
    }
}

/// The conversion of a field; nothing if there is none.
pub(crate) fn conversion_of(old: &Field, new: &Field, strict: bool) -> Option<Conversion> {
    let words = old.native.get(&BackendName::Sqlite);
    let any = words.is_some_and(|native| {
        let declared = Words::read(native).declared;
        declared.is_empty() || declared.eq_ignore_ascii_case("ANY")
    });
    if !any {
        return conversion(&old.name, &old.field_type, &new.field_type);
    }
    let bytes = matches!(new.field_type, FieldType::Binary { .. } | FieldType::Blob);
    if bytes && strict {
        let column = sql().name(&old.name).finish();
        let obstacle = format!("typeof({column}) NOT IN ('blob', 'null')");
        return Some(Conversion {
            expression: column,
            obstacles: vec![(obstacle, "a value that is no bytes".to_owned())],
        });
    }
    if old.field_type == new.field_type {
        return conversion(&old.name, &old.field_type, &new.field_type);
    }
    // A column without a type holds anything: mostly texts and numbers.
    let mut conversion = conversion(&old.name, &FieldType::Text, &new.field_type)?;
    conversion.obstacles.push((
        format!("typeof({}) = 'blob'", sql().name(&old.name).finish()),
        "bytes".to_owned(),
    ));
    Some(conversion)
}

/// The conversion from one type to another; nothing if there is none.
fn conversion(name: &Name, from: &FieldType, to: &FieldType) -> Option<Conversion> {
    use FieldType as T;
    let column = sql().name(name).finish();
    let plain = || Conversion {
        expression: column.clone(),
        obstacles: Vec::new(),
    };
    let with = |expression: String, condition: String, what: String| Conversion {
        expression,
        obstacles: vec![(condition, what)],
    };
    let whole = |t: &T| matches!(t, T::Smallint | T::Integer | T::Bigint);
    let number = |t: &T| whole(t) || matches!(t, T::Float | T::Double | T::Decimal { .. });
    let text = |t: &T| matches!(t, T::String { .. } | T::Text);
    let bytes = |t: &T| matches!(t, T::Binary { .. } | T::Blob);
    let moment = |t: &T| matches!(t, T::Datetime | T::Timestamp);

    let mut conversion = match (from, to) {
        (T::Enum { values: old }, T::Enum { values: new }) => {
            let gone: Vec<&str> = old
                .iter()
                .filter(|value| !new.contains(value))
                .map(String::as_str)
                .collect();
            if gone.is_empty() {
                plain()
            } else {
                let condition = sql()
                    .sql(&column)
                    .words(" IN (")
                    .texts(gone)
                    .words(")")
                    .finish();
                with(
                    column.clone(),
                    condition,
                    "a value that the enum no longer has".into(),
                )
            }
        }
        (from, T::Enum { values }) if text(from) => {
            let condition = sql()
                .sql(&column)
                .words(" NOT IN (")
                .texts(values.iter().map(String::as_str))
                .words(")")
                .finish();
            with(
                column.clone(),
                condition,
                "a value that the enum does not have".into(),
            )
        }
        (T::Enum { .. }, to) if text(to) => plain(),
        (from, to) if from.name() == to.name() => plain(),
        (from, to) if text(from) && text(to) || bytes(from) && bytes(to) => plain(),
        (from, to) if moment(from) && moment(to) => plain(),
        (T::Date, to) if moment(to) => Conversion {
            expression: format!("{column} || ' 00:00:00'"),
            obstacles: Vec::new(),
        },
        (from, T::Date) if moment(from) => with(
            format!("date({column})"),
            format!("time({column}) <> '00:00:00'"),
            "a time of day that a date does not keep".into(),
        ),
        (from, T::Time) if moment(from) => with(
            format!("time({column})"),
            format!("{column} IS NOT NULL"),
            "a date that a time does not keep".into(),
        ),
        (from, to) if whole(from) && number(to) => plain(),
        (from, to) if number(from) && whole(to) => with(
            format!("CAST({column} AS INTEGER)"),
            format!("{column} <> CAST({column} AS INTEGER)"),
            "digits after the point".into(),
        ),
        (from, to) if number(from) && number(to) => plain(),
        (T::Boolean, to) if number(to) => plain(),
        (from, T::Boolean) if number(from) => with(
            column.clone(),
            format!("{column} NOT IN (0, 1)"),
            "a number that is neither 0 nor 1".into(),
        ),
        (T::Boolean, to) if text(to) => Conversion {
            expression: format!(
                "CASE {column} WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' ELSE CAST({column} AS TEXT) END"
            ),
            obstacles: Vec::new(),
        },
        (from, T::Boolean) if text(from) => with(
            format!(
                "CASE lower({column}) WHEN 'true' THEN 1 WHEN '1' THEN 1 WHEN 'false' THEN 0 WHEN '0' THEN 0 END"
            ),
            format!("lower({column}) NOT IN ('true', 'false', '1', '0')"),
            "a text that is neither true nor false".into(),
        ),
        (from, to) if number(from) && text(to) => Conversion {
            expression: format!("CAST({column} AS TEXT)"),
            obstacles: Vec::new(),
        },
        (from, to) if text(from) && number(to) => {
            // JSON's numbers are exactly those that convert without a doubt.
            // AND promises no order, and json_type fails where there is no JSON.
            let numeric = format!(
                "(CASE WHEN json_valid({column}) THEN json_type({column}) IN ('integer', 'real') ELSE FALSE END)"
            );
            let mut conversion = with(
                if whole(to) {
                    format!("CAST({column} AS INTEGER)")
                } else {
                    format!("CAST({column} AS NUMERIC)")
                },
                format!("CASE WHEN {column} IS NULL THEN FALSE ELSE NOT {numeric} END"),
                "a text that is no number".into(),
            );
            if whole(to) {
                conversion.obstacles.push((
                    format!("CASE WHEN {numeric} THEN CAST({column} AS NUMERIC) <> CAST({column} AS INTEGER) ELSE FALSE END"),
                    "digits after the point".into(),
                ));
            }
            conversion
        }
        (T::Uuid | T::Date | T::Time | T::Datetime | T::Timestamp | T::Json, to) if text(to) => {
            plain()
        }
        (T::Array { .. }, to) if text(to) || *to == T::Json => plain(),
        (from, T::Uuid) if text(from) => {
            let digits = |n: usize| "[0-9a-fA-F]".repeat(n);
            let pattern = [8, 4, 4, 4, 12].map(digits).join("-");
            with(
                format!("lower({column})"),
                format!("{column} NOT GLOB '{pattern}'"),
                "a text that is no UUID".into(),
            )
        }
        (from, T::Json) if text(from) => with(
            column.clone(),
            format!("NOT json_valid({column})"),
            "a text that is no JSON".into(),
        ),
        (from, T::Array { .. }) if text(from) || *from == T::Json => with(
            column.clone(),
            format!(
                "CASE WHEN json_valid({column}) THEN json_type({column}) <> 'array' ELSE {column} IS NOT NULL END"
            ),
            "a value that is no list".into(),
        ),
        (from, T::Date) if text(from) => with(
            column.clone(),
            format!("{column} IS NOT NULL AND {column} IS NOT date({column})"),
            "a text that is no date".into(),
        ),
        (from, T::Time) if text(from) => with(
            column.clone(),
            format!("{column} IS NOT NULL AND time({column}) IS NULL"),
            "a text that is no time".into(),
        ),
        (from, to) if text(from) && moment(to) => with(
            format!("datetime({column})"),
            format!("{column} IS NOT NULL AND datetime({column}) IS NULL"),
            "a text that is no date and time".into(),
        ),
        (from, to) if text(from) && bytes(to) => Conversion {
            expression: format!("CAST({column} AS BLOB)"),
            obstacles: Vec::new(),
        },
        _ => return None,
    };
    conversion.obstacles.extend(narrowing(&column, from, to));
    Some(conversion)
}

/// SQLite's own cast, where there is no conversion worth the name.
pub(crate) fn cast(name: &Name, to: &FieldType) -> Conversion {
    Conversion {
        expression: format!("CAST({} AS {})", sql().name(name).finish(), cast_name(to)),
        obstacles: Vec::new(),
    }
}

/// Rows that are too long or too large for the new type.
fn narrowing(column: &str, from: &FieldType, to: &FieldType) -> Vec<(String, String)> {
    use FieldType as T;
    let shorter = |old: Option<u32>, new: u32| old.is_none_or(|old| old > new);
    match (from, to) {
        (T::String { length: old }, T::String { length: Some(new) }) if !shorter(*old, *new) => {
            Vec::new()
        }
        (T::Binary { length: old }, T::Binary { length: Some(new) }) if !shorter(*old, *new) => {
            Vec::new()
        }
        (_, T::String { length: Some(new) }) => vec![(
            format!("length(CAST({column} AS TEXT)) > {new}"),
            format!("more than {new} characters"),
        )],
        (_, T::Binary { length: Some(new) }) => vec![(
            format!("length(CAST({column} AS BLOB)) > {new}"),
            format!("more than {new} bytes"),
        )],
        (T::Smallint, T::Smallint) => Vec::new(),
        (_, T::Smallint) => vec![range(column, i16::MIN.into(), i16::MAX.into())],
        (
            T::Bigint | T::Float | T::Double | T::Decimal { .. } | T::String { .. } | T::Text,
            T::Integer,
        ) => {
            vec![range(column, i32::MIN.into(), i32::MAX.into())]
        }
        (
            from,
            T::Decimal {
                precision: Some(precision),
                scale,
            },
        ) if from != to => {
            let scale = scale.unwrap_or(0);
            vec![(
                format!(
                    "abs(CAST({column} AS REAL)) >= 1e{} OR round(CAST({column} AS REAL), {scale}) <> CAST({column} AS REAL)",
                    precision.saturating_sub(scale)
                ),
                format!("more digits than decimal({precision},{scale}) keeps"),
            )]
        }
        _ => Vec::new(),
    }
}

fn range(column: &str, least: i64, most: i64) -> (String, String) {
    (
        format!("CAST({column} AS NUMERIC) NOT BETWEEN {least} AND {most}"),
        format!("a number outside {least} to {most}"),
    )
}

/// What an old row gets in a field that it did not have.
pub(crate) fn fill(field: &Field) -> Option<String> {
    field
        .default
        .as_ref()
        .and_then(|default| default_text(default, &field.field_type))
}

/// The neutral value of a type, as a literal.
pub(crate) fn neutral(field_type: &FieldType) -> String {
    literal(field_type, &field_type.neutral_value())
}
