//! What becomes of values when a field's type changes, and what stands in the way.

use super::dialect::sql;
use super::types::type_name;
use ductape_core::Name;
use ductape_core::schema::FieldType;

/// How the values of a field get to their new type.
pub(crate) struct Conversion {
    /// The expression over the old row; none where the server's own cast does the same without being
    /// told, and perhaps without writing the table anew.
    pub expression: Option<String>,
    /// Rows that cannot be converted, as a condition over the old row, and what they are.
    pub obstacles: Vec<(String, String)>,
}

impl Conversion {
    fn plain() -> Self {
        Self {
            expression: None,
            obstacles: Vec::new(),
        }
    }

    fn by(expression: String) -> Self {
        Self {
            expression: Some(expression),
            obstacles: Vec::new(),
        }
    }

    fn unless(mut self, condition: String, what: &str) -> Self {
        self.obstacles.push((condition, what.to_owned()));
        self
    }
}

const NUMBER: &str = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$";
const UUID: &str = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$";
const DATE: &str = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])";
const TIME: &str = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?";
const OFFSET: &str = r"(\s*(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?))";

fn matches(column: &str, pattern: &str) -> String {
    sql().sql(column).words(" ~ ").text(pattern).finish()
}

/// The conversion from one type to another; nothing if there is none. Enums are for whoever knows the
/// name of their type: to one, the expression gives its text.
pub(crate) fn conversion(name: &Name, from: &FieldType, to: &FieldType) -> Option<Conversion> {
    use FieldType as T;
    let column = sql().name(name).finish();
    // A cast to a type with a length would cut what is too long; storing it in one is an error.
    let to_name = match to {
        T::String { .. } => "text".to_owned(),
        to => type_name(to, &Name::made("text", [])),
    };
    let cast = || Conversion::by(format!("{column}::{to_name}"));
    let whole = |t: &T| matches!(t, T::Smallint | T::Integer | T::Bigint);
    let number = |t: &T| whole(t) || matches!(t, T::Float | T::Double | T::Decimal { .. });
    let text = |t: &T| matches!(t, T::String { .. } | T::Text);
    let bytes = |t: &T| matches!(t, T::Binary { .. } | T::Blob);

    let mut conversion = match (from, to) {
        (T::Enum { values: old }, T::Enum { values: new }) => {
            removed(&format!("{column}::text"), old, new)
        }
        (from, T::Enum { values }) if text(from) => {
            let condition = sql()
                .sql(&column)
                .words(" NOT IN (")
                .texts(values.iter().map(String::as_str))
                .words(")")
                .finish();
            Conversion::by(format!("{column}::text"))
                .unless(condition, "a value that the enum does not have")
        }
        (T::Enum { .. }, to) if text(to) => Conversion::by(format!("{column}::text")),
        (T::Array { items: old }, T::Array { items: new }) => array(&column, old, new, &to_name)?,
        (from, to) if text(from) && text(to) => Conversion::plain(),
        (from, to) if bytes(from) && bytes(to) => Conversion::plain(),
        (from, to) if from.name() == to.name() => Conversion::plain(),
        // A moment without an offset is one of UTC.
        (T::Datetime, T::Timestamp) | (T::Timestamp, T::Datetime) => {
            Conversion::by(format!("{column} AT TIME ZONE 'UTC'"))
        }
        (T::Date, T::Datetime) => cast(),
        (T::Date, T::Timestamp) => {
            Conversion::by(format!("{column}::timestamp AT TIME ZONE 'UTC'"))
        }
        (T::Datetime | T::Timestamp, T::Date) => {
            let civil = civil(&column, from);
            Conversion::by(format!("({civil})::date")).unless(
                format!("({civil})::time <> '00:00:00'"),
                "a time of day that a date does not keep",
            )
        }
        (T::Datetime | T::Timestamp, T::Time) => {
            Conversion::by(format!("({})::time", civil(&column, from))).unless(
                format!("{column} IS NOT NULL"),
                "a date that a time does not keep",
            )
        }
        (from, to) if number(from) && whole(to) && !whole(from) => Conversion::plain().unless(
            format!("{column} <> trunc({column})"),
            "digits after the point",
        ),
        (from, to) if number(from) && number(to) => Conversion::plain(),
        (T::Boolean, to) if number(to) => Conversion::by(format!("{column}::integer::{to_name}")),
        (from, T::Boolean) if number(from) => Conversion::by(format!("{column} <> 0")).unless(
            format!("{column} NOT IN (0, 1)"),
            "a number that is neither 0 nor 1",
        ),
        (from, T::Boolean) if text(from) => cast().unless(
            format!(
                "lower(trim({column})) NOT IN ('true', 'false', 't', 'f', 'yes', 'no', 'y', 'n', 'on', 'off', '1', '0')"
            ),
            "a text that is neither true nor false",
        ),
        (from, to) if text(from) && number(to) => {
            let mut conversion = cast();
            conversion.obstacles.push((
                format!("NOT {}", matches(&column, NUMBER)),
                "a text that is no number".to_owned(),
            ));
            if whole(to) {
                conversion.expression = Some(format!("{column}::numeric::{to_name}"));
                conversion.obstacles.push((
                    format!(
                        "CASE WHEN {} THEN {column}::numeric <> trunc({column}::numeric) ELSE FALSE END",
                        matches(&column, NUMBER)
                    ),
                    "digits after the point".to_owned(),
                ));
            }
            conversion
        }
        (from, T::Uuid) if text(from) => cast().unless(
            format!("NOT {}", matches(&format!("trim({column})"), UUID)),
            "a text that is no UUID",
        ),
        (from, T::Date) if text(from) => cast().unless(
            format!("NOT {}", is_date(&column, "")),
            "a text that is no date",
        ),
        (from, T::Time) if text(from) => cast().unless(
            format!("NOT {}", matches(&column, &format!("^{TIME}$"))),
            "a text that is no time",
        ),
        (from, to @ (T::Datetime | T::Timestamp)) if text(from) => {
            let offset = if *to == T::Timestamp { OFFSET } else { "" };
            let rest = format!("([T ]{TIME}{offset}?)?");
            let expression = match to {
                // Without an offset it is one of UTC, whatever the session's time zone is.
                T::Timestamp => format!(
                    "CASE WHEN {} THEN {column}::timestamptz ELSE {column}::timestamp AT TIME ZONE 'UTC' END",
                    matches(&column, &format!("{OFFSET}$"))
                ),
                _ => format!("{column}::timestamp"),
            };
            Conversion::by(expression).unless(
                format!("NOT {}", is_date(&column, &rest)),
                "a text that is no date and time",
            )
        }
        // Nothing tells what is JSON without trying; the server says so, and all goes back.
        (from, T::Json) if text(from) => cast(),
        (T::Json, to) if text(to) => cast(),
        (T::Array { .. }, T::Json) => Conversion::by(format!("to_jsonb({column})")),
        (_, to) if text(to) && !bytes(from) => cast(),
        (from, to) if text(from) && bytes(to) => {
            Conversion::by(format!("convert_to({column}, 'UTF8')"))
        }
        _ => return None,
    };
    conversion.obstacles.extend(narrowing(&column, from, to));
    Some(conversion)
}

/// The server's own cast over the text, where there is no conversion worth the name.
pub(crate) fn cast_over_text(name: &Name, to: &FieldType) -> Conversion {
    let text = format!("{}::text", sql().name(name).finish());
    Conversion::by(match to {
        FieldType::String { .. } => text,
        to => format!("{text}::{}", type_name(to, &Name::made("text", []))),
    })
}

/// The date and time of day that a moment has in UTC.
fn civil(column: &str, from: &FieldType) -> String {
    match from {
        FieldType::Timestamp => format!("{column} AT TIME ZONE 'UTC'"),
        _ => column.to_owned(),
    }
}

fn removed(text: &str, old: &[String], new: &[String]) -> Conversion {
    let gone: Vec<&str> = old
        .iter()
        .filter(|value| !new.contains(value))
        .map(String::as_str)
        .collect();
    let conversion = Conversion::by(text.to_owned());
    if gone.is_empty() {
        return conversion;
    }
    let condition = sql()
        .sql(text)
        .words(" IN (")
        .texts(gone)
        .words(")")
        .finish();
    conversion.unless(condition, "a value that the enum no longer has")
}

fn array(column: &str, old: &FieldType, new: &FieldType, to: &str) -> Option<Conversion> {
    let item = Name::made("item", []);
    if let (FieldType::Enum { values: old }, FieldType::Enum { values: new }) = (old, new) {
        let mut conversion = removed("item::text", old, new);
        for (condition, _) in &mut conversion.obstacles {
            *condition = some_item(column, condition);
        }
        conversion.expression = Some(format!("{column}::text[]"));
        return Some(conversion);
    }
    let mut conversion = conversion(&item, old, new)?;
    let quoted = sql().name(&item).finish();
    // Items cannot be converted one by one in `USING`, only by a cast of the whole.
    let cast = format!("{quoted}::{}", to.strip_suffix("[]")?);
    conversion.expression = match conversion.expression {
        None => None,
        Some(expression) if expression == cast || expression == format!("{quoted}::text") => {
            let to = match new {
                FieldType::Enum { .. } => "text[]",
                _ => to,
            };
            Some(format!("{column}::{to}"))
        }
        Some(_) => return None,
    };
    for (condition, _) in &mut conversion.obstacles {
        *condition = some_item(column, condition);
    }
    Some(conversion)
}

fn some_item(column: &str, condition: &str) -> String {
    format!("EXISTS (SELECT FROM unnest({column}) AS item WHERE {condition})")
}

/// A date of the calendar, and something behind it.
fn is_date(column: &str, rest: &str) -> String {
    let shape = matches(column, &format!("^{DATE}{rest}$"));
    format!(
        "CASE WHEN {shape} AND left({column}, 4) <> '0000' THEN substr({column}, 9, 2)::integer <= extract(day FROM make_date(left({column}, 4)::integer, substr({column}, 6, 2)::integer, 1) + interval '1 month' - interval '1 day') ELSE {column} IS NULL END"
    )
}

/// Rows that are too long or too large for the new type.
fn narrowing(column: &str, from: &FieldType, to: &FieldType) -> Vec<(String, String)> {
    use FieldType as T;
    // A text is only looked at as a number where it is one.
    let is_text = matches!(from, T::String { .. } | T::Text);
    let value = match from {
        T::String { .. } | T::Text => format!("{column}::numeric"),
        _ => column.to_owned(),
    };
    let when_number = |condition: String| match is_text {
        true => format!(
            "CASE WHEN {} THEN {condition} ELSE FALSE END",
            matches(column, NUMBER)
        ),
        false => condition,
    };
    let range = |least: i64, most: i64| {
        vec![(
            when_number(format!("{value} NOT BETWEEN {least} AND {most}")),
            format!("a number outside {least} to {most}"),
        )]
    };
    match (from, to) {
        (T::String { length: Some(old) }, T::String { length: Some(new) }) if old <= new => {
            Vec::new()
        }
        (_, T::String { length: Some(new) }) => vec![(
            format!("char_length({column}::text) > {new}"),
            format!("more than {new} characters"),
        )],
        (T::Smallint, T::Smallint | T::Integer | T::Bigint)
        | (T::Integer, T::Integer | T::Bigint)
        | (T::Bigint, T::Bigint)
        | (T::Boolean, _) => Vec::new(),
        (_, T::Smallint) => range(i16::MIN.into(), i16::MAX.into()),
        (_, T::Integer) => range(i32::MIN.into(), i32::MAX.into()),
        (_, T::Bigint) => range(i64::MIN, i64::MAX),
        (
            T::Decimal {
                precision: Some(old),
                scale: old_scale,
            },
            T::Decimal {
                precision: Some(new),
                scale,
            },
        ) if old_scale.unwrap_or(0) <= scale.unwrap_or(0)
            && old - old_scale.unwrap_or(0) <= new - scale.unwrap_or(0) =>
        {
            Vec::new()
        }
        (
            _,
            T::Decimal {
                precision: Some(precision),
                scale,
            },
        ) => {
            let scale = scale.unwrap_or(0);
            let number = match from {
                T::Decimal { .. } => column.to_owned(),
                _ => format!("{column}::numeric"),
            };
            vec![(
                when_number(format!(
                    "abs(round({number}, {scale})) >= 1e{} OR round({number}, {scale}) <> {number}",
                    precision.saturating_sub(scale)
                )),
                format!("more digits than decimal({precision},{scale}) keeps"),
            )]
        }
        _ => Vec::new(),
    }
}
