//! The values that `update` sets and the filters that it goes by, as SQL.

use super::defaults::{UUID_EXPRESSION, now_text};
use super::dialect::sql;
use super::literal::literal;
use super::types::{enum_values, type_name};
use ductape_core::data::{Arithmetic, Comparison, Filter, ValueExpression};
use ductape_core::schema::FieldType;
use ductape_core::{Collection, Name};
use serde_json::Value;

/// What a field is set to.
pub(crate) fn assigned(collection: &Collection, field: &Name, value: &ValueExpression) -> String {
    let target = type_of(collection, field);
    if let ValueExpression::Value(value) = value {
        return match target.value(value) {
            Ok(canonical) => literal(&target, &canonical),
            Err(_) => literal(&natural_type(value), value),
        };
    }
    let own = expression_type(collection, &target, value);
    let text = expression(collection, &target, value);
    if enum_values(&target).is_some() {
        // The enum's name is the catalog's to tell, and a record of the table knows it.
        return sql()
            .words("(jsonb_populate_record(NULL::")
            .name(&collection.name)
            .words(", jsonb_build_object(")
            .text(field.as_str())
            .words(", ")
            .sql(&text)
            .words("))).")
            .name(field)
            .finish();
    }
    match &target {
        target if own == *target => text,
        target if is_text(&own) && is_text(target) => text,
        // The division itself is exact; what is stored is rounded towards zero.
        target if is_whole(target) && value.divides() => cast(&format!("trunc({text})"), target),
        target => cast(&text, target),
    }
}

fn cast(text: &str, to: &FieldType) -> String {
    // An enum that is named in a cast alone is a text on the way to the field's own type, and a cast to a
    // text with a length would cut it; storing what is too long is an error.
    let name = match to {
        FieldType::Enum { .. } | FieldType::String { .. } => "TEXT".to_owned(),
        to => type_name(to, &Name::made("text", [])),
    };
    format!("CAST({text} AS {name})")
}

fn type_of(collection: &Collection, name: &Name) -> FieldType {
    collection
        .field(name)
        .map_or(FieldType::Text, |field| field.field_type.clone())
}

fn is_text(field_type: &FieldType) -> bool {
    matches!(field_type, FieldType::String { .. } | FieldType::Text)
}

fn is_whole(field_type: &FieldType) -> bool {
    matches!(
        field_type,
        FieldType::Smallint | FieldType::Integer | FieldType::Bigint
    )
}

const DECIMAL: FieldType = FieldType::Decimal {
    precision: None,
    scale: None,
};

/// The type that an expression has by itself.
fn expression_type(
    collection: &Collection,
    target: &FieldType,
    value: &ValueExpression,
) -> FieldType {
    match value {
        ValueExpression::Value(value) => match target.value(value) {
            Ok(_) => target.clone(),
            Err(_) => natural_type(value),
        },
        ValueExpression::Field(name) => type_of(collection, name),
        ValueExpression::Concat(_)
        | ValueExpression::Lower(_)
        | ValueExpression::Upper(_)
        | ValueExpression::Trim(_) => FieldType::Text,
        ValueExpression::Coalesce(values) => meeting(collection, target, values),
        ValueExpression::Arithmetic(_, both) => {
            let real = both.iter().any(|value| {
                matches!(
                    expression_type(collection, &DECIMAL, value),
                    FieldType::Float | FieldType::Double
                )
            });
            if real { FieldType::Double } else { DECIMAL }
        }
        ValueExpression::Cast(_, to) => to.clone(),
        ValueExpression::Now => match target {
            FieldType::Date | FieldType::Time | FieldType::Datetime => target.clone(),
            _ => FieldType::Timestamp,
        },
        ValueExpression::Uuid => FieldType::Uuid,
    }
}

/// An expression; a value in it is a value of the target type where it can be one.
fn expression(collection: &Collection, target: &FieldType, value: &ValueExpression) -> String {
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
                    value => format!("coalesce({}, '')", text_of(collection, value)),
                })
                .collect();
            match parts.as_slice() {
                [] => "''".to_owned(),
                parts => format!("({})", parts.join(" || ")),
            }
        }
        ValueExpression::Coalesce(values) => coalesce(collection, target, values),
        ValueExpression::Lower(value) => format!("lower({})", text_of(collection, value)),
        ValueExpression::Upper(value) => format!("upper({})", text_of(collection, value)),
        ValueExpression::Trim(value) => format!("trim({})", text_of(collection, value)),
        ValueExpression::Arithmetic(operation, both) => arithmetic(collection, *operation, both),
        ValueExpression::Cast(value, to) => {
            let inner = match value.as_ref() {
                value @ ValueExpression::Value(_) => expression(collection, to, value),
                value => {
                    let own = expression_type(collection, to, value);
                    let text = expression(collection, to, value);
                    // Between types that have no cast the way leads over their text.
                    if casts_itself(&own, to) {
                        text
                    } else {
                        format!("CAST({text} AS TEXT)")
                    }
                }
            };
            cast(&inner, to)
        }
        ValueExpression::Now => now_text(target).to_owned(),
        ValueExpression::Uuid => UUID_EXPRESSION.to_owned(),
    }
}

/// The type in which the values of a `coalesce` meet: their text where they are of several types, and
/// every enum is a type of its own.
fn meeting(collection: &Collection, target: &FieldType, values: &[ValueExpression]) -> FieldType {
    let types: Vec<FieldType> = values
        .iter()
        .filter(|value| !matches!(value, ValueExpression::Value(_)))
        .map(|value| expression_type(collection, target, value))
        .collect();
    match types.as_slice() {
        [] => target.clone(),
        [one] => one.clone(),
        [first, rest @ ..]
            if enum_values(first).is_none() && rest.iter().all(|other| other == first) =>
        {
            first.clone()
        }
        _ => FieldType::Text,
    }
}

fn coalesce(collection: &Collection, target: &FieldType, values: &[ValueExpression]) -> String {
    let meets = meeting(collection, target, values);
    let parts: Vec<String> = values
        .iter()
        .map(|value| match &meets {
            FieldType::Text => match value {
                ValueExpression::Value(_) => expression(collection, &FieldType::Text, value),
                value => text_of(collection, value),
            },
            meets => expression(collection, meets, value),
        })
        .collect();
    match parts.as_slice() {
        [] => "NULL".to_owned(),
        [one] => one.clone(),
        parts => format!("coalesce({})", parts.join(", ")),
    }
}

fn text_of(collection: &Collection, value: &ValueExpression) -> String {
    let text = expression(collection, &FieldType::Text, value);
    match value {
        ValueExpression::Value(Value::String(_)) => text,
        value => match expression_type(collection, &FieldType::Text, value) {
            FieldType::Text => text,
            _ => format!("CAST({text} AS TEXT)"),
        },
    }
}

/// A value as a number to calculate with.
pub(crate) fn number(collection: &Collection, value: &ValueExpression) -> String {
    let text = expression(collection, &DECIMAL, value);
    match expression_type(collection, &DECIMAL, value) {
        FieldType::String { .. } | FieldType::Text | FieldType::Json => cast(&text, &DECIMAL),
        _ => text,
    }
}

fn arithmetic(
    collection: &Collection,
    operation: Arithmetic,
    both: &[ValueExpression; 2],
) -> String {
    let [a, b] = both;
    let real = both.iter().any(|value| {
        matches!(
            expression_type(collection, &DECIMAL, value),
            FieldType::Float | FieldType::Double
        )
    });
    let (a, b) = (number(collection, a), number(collection, b));
    let operator = match operation {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
    };
    // Whole numbers divide without a remainder and overflow their type; decimals do neither.
    let common = if real { "DOUBLE PRECISION" } else { "NUMERIC" };
    format!("(CAST({a} AS {common}) {operator} {b})")
}

/// Whether PostgreSQL has a cast between two types that does not go over the text.
fn casts_itself(from: &FieldType, to: &FieldType) -> bool {
    use FieldType as T;
    let number = |t: &T| is_whole(t) || matches!(t, T::Float | T::Double | T::Decimal { .. });
    let moment = |t: &T| matches!(t, T::Date | T::Time | T::Datetime | T::Timestamp);
    number(from) && number(to)
        || moment(from) && moment(to) && !matches!((from, to), (T::Date, T::Time) | (T::Time, _))
        || is_text(from)
        || is_text(to)
        || *from == T::Boolean && *to == T::Integer
        || *from == T::Integer && *to == T::Boolean
        || from == to
}

/// The type that a value has by itself.
fn natural_type(value: &Value) -> FieldType {
    match value {
        Value::Bool(_) => FieldType::Boolean,
        Value::Number(_) => DECIMAL,
        Value::Array(_) | Value::Object(_) => FieldType::Json,
        _ => FieldType::Text,
    }
}

/// A filter as a condition.
pub(crate) fn condition(collection: &Collection, filter: &Filter) -> String {
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
            let (mine, theirs) = compared(collection, name, value);
            format!("{mine} {operator} {theirs}")
        }
        Filter::In(name, values) => {
            let mut parts: Vec<String> = values
                .iter()
                .filter(|value| !value.is_null())
                .map(|value| {
                    let (mine, theirs) = compared(collection, name, value);
                    format!("{mine} = {theirs}")
                })
                .collect();
            if values.iter().any(Value::is_null) {
                parts.push(sql().name(name).words(" IS NULL").finish());
            }
            match parts.as_slice() {
                [] => "FALSE".to_owned(),
                parts => parts.join(" OR "),
            }
        }
        Filter::Exists(name, true) => sql().name(name).words(" IS NOT NULL").finish(),
        Filter::Exists(name, false) => sql().name(name).words(" IS NULL").finish(),
    }
}

/// A field and a value so that PostgreSQL can compare them.
fn compared(collection: &Collection, name: &Name, value: &Value) -> (String, String) {
    let field = sql().name(name).finish();
    let field_type = type_of(collection, name);
    match field_type.value(value) {
        // 1.1 is another number as a double than as a float.
        Ok(Value::Number(number)) if field_type == FieldType::Float => {
            (field, sql().text(&number.to_string()).finish())
        }
        Ok(canonical) => (field, literal(&field_type, &canonical)),
        Err(_) => match value {
            Value::Number(number)
                if is_whole(&field_type)
                    || matches!(
                        field_type,
                        FieldType::Float | FieldType::Double | FieldType::Decimal { .. }
                    ) =>
            {
                (field, number.to_string())
            }
            // No value of the field is this one; as texts they can be compared all the same.
            Value::String(text) => (format!("CAST({field} AS TEXT)"), sql().text(text).finish()),
            other => (
                format!("CAST({field} AS TEXT)"),
                sql().text(&other.to_string()).finish(),
            ),
        },
    }
}
