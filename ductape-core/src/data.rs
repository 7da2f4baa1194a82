//! What `update` says: the values it sets and the rows it is for.

use crate::json::{Node, Read, Reader, nearest};
use crate::name::Name;
use crate::schema::FieldType;
use serde_json::{Map, Value, json};

/// A value of a row as `update` sets it.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueExpression {
    /// A value as it is.
    Value(Value),
    /// The value of another field.
    Field(Name),
    /// Texts, one after the other; null counts as an empty text.
    Concat(Vec<ValueExpression>),
    /// The first that is not null.
    Coalesce(Vec<ValueExpression>),
    /// A text in small letters.
    Lower(Box<ValueExpression>),
    /// A text in capital letters.
    Upper(Box<ValueExpression>),
    /// A text without spaces around it.
    Trim(Box<ValueExpression>),
    /// Two numbers.
    Arithmetic(Arithmetic, Box<[ValueExpression; 2]>),
    /// A value as another type.
    Cast(Box<ValueExpression>, FieldType),
    /// This moment.
    Now,
    /// A random UUID, another one for each row.
    Uuid,
}

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Arithmetic {
    fn word(self) -> &'static str {
        match self {
            Arithmetic::Add => "add",
            Arithmetic::Subtract => "subtract",
            Arithmetic::Multiply => "multiply",
            Arithmetic::Divide => "divide",
        }
    }
}

const VALUE_WORDS: [&str; 14] = [
    "value", "field", "concat", "coalesce", "lower", "upper", "trim", "add", "subtract",
    "multiply", "divide", "cast", "now", "uuid",
];

impl ValueExpression {
    /// The fields that it reads.
    pub fn fields<'e>(&'e self, found: &mut Vec<&'e Name>) {
        match self {
            ValueExpression::Value(_) | ValueExpression::Now | ValueExpression::Uuid => {}
            ValueExpression::Field(name) => found.push(name),
            ValueExpression::Concat(values) | ValueExpression::Coalesce(values) => {
                values.iter().for_each(|value| value.fields(found));
            }
            ValueExpression::Lower(value)
            | ValueExpression::Upper(value)
            | ValueExpression::Trim(value)
            | ValueExpression::Cast(value, _) => value.fields(found),
            ValueExpression::Arithmetic(_, both) => {
                both.iter().for_each(|value| value.fields(found));
            }
        }
    }

    /// Whether it is a quotient, or calculated from one: stored in a whole number it is rounded towards zero.
    pub fn divides(&self) -> bool {
        match self {
            ValueExpression::Arithmetic(Arithmetic::Divide, _) => true,
            ValueExpression::Arithmetic(_, both) => both.iter().any(ValueExpression::divides),
            ValueExpression::Coalesce(values) => values.iter().any(ValueExpression::divides),
            _ => false,
        }
    }

    /// What it divides by, here and in what it is made of.
    pub fn divisors<'e>(&'e self, found: &mut Vec<&'e ValueExpression>) {
        match self {
            ValueExpression::Value(_)
            | ValueExpression::Field(_)
            | ValueExpression::Now
            | ValueExpression::Uuid => {}
            ValueExpression::Concat(values) | ValueExpression::Coalesce(values) => {
                values.iter().for_each(|value| value.divisors(found));
            }
            ValueExpression::Lower(value)
            | ValueExpression::Upper(value)
            | ValueExpression::Trim(value)
            | ValueExpression::Cast(value, _) => value.divisors(found),
            ValueExpression::Arithmetic(operation, both) => {
                let [dividend, divisor] = both.as_ref();
                dividend.divisors(found);
                divisor.divisors(found);
                if *operation == Arithmetic::Divide {
                    found.push(divisor);
                }
            }
        }
    }

    /// Whether it gives another value each time it is evaluated.
    pub fn is_volatile(&self) -> bool {
        match self {
            ValueExpression::Now | ValueExpression::Uuid => true,
            ValueExpression::Value(_) | ValueExpression::Field(_) => false,
            ValueExpression::Concat(values) | ValueExpression::Coalesce(values) => {
                values.iter().any(ValueExpression::is_volatile)
            }
            ValueExpression::Lower(value)
            | ValueExpression::Upper(value)
            | ValueExpression::Trim(value)
            | ValueExpression::Cast(value, _) => value.is_volatile(),
            ValueExpression::Arithmetic(_, both) => both.iter().any(ValueExpression::is_volatile),
        }
    }
}

impl Read for ValueExpression {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::Object(entries) = node else {
            return Some(ValueExpression::Value(node.to_value()));
        };
        let keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        let boxed = |reader: &mut Reader, key: &str| reader.required(entries, key).map(Box::new);
        match keys.as_slice() {
            ["value"] => entries
                .first()
                .map(|(_, value)| ValueExpression::Value(value.to_value())),
            ["field"] => reader
                .required(entries, "field")
                .map(ValueExpression::Field),
            ["concat"] => reader
                .required(entries, "concat")
                .map(ValueExpression::Concat),
            ["coalesce"] => reader
                .required(entries, "coalesce")
                .map(ValueExpression::Coalesce),
            ["lower"] => boxed(reader, "lower").map(ValueExpression::Lower),
            ["upper"] => boxed(reader, "upper").map(ValueExpression::Upper),
            ["trim"] => boxed(reader, "trim").map(ValueExpression::Trim),
            [word @ ("add" | "subtract" | "multiply" | "divide")] => {
                let operation = match *word {
                    "add" => Arithmetic::Add,
                    "subtract" => Arithmetic::Subtract,
                    "multiply" => Arithmetic::Multiply,
                    _ => Arithmetic::Divide,
                };
                let both: Vec<ValueExpression> = reader.required(entries, word)?;
                let count = both.len();
                match <[ValueExpression; 2]>::try_from(both) {
                    Ok(both) => Some(ValueExpression::Arithmetic(operation, Box::new(both))),
                    Err(_) => {
                        reader.within(word, |reader| {
                            reader.problem(format!("expected two values, found {count}"));
                        });
                        None
                    }
                }
            }
            ["cast", "to"] | ["to", "cast"] => {
                let value = boxed(reader, "cast");
                let to = reader.required(entries, "to");
                Some(ValueExpression::Cast(value?, to?))
            }
            ["now"] | ["uuid"] => {
                let (key, value) = entries.first()?;
                if *value != Node::Bool(true) {
                    return reader.within(key, |reader| reader.expected("true", value));
                }
                Some(if key == "now" {
                    ValueExpression::Now
                } else {
                    ValueExpression::Uuid
                })
            }
            _ => {
                let near = keys
                    .first()
                    .and_then(|key| nearest(key, VALUE_WORDS.into_iter()))
                    .map_or_else(
                        || "an object as a value is written {\"value\": …}".to_owned(),
                        |near| format!("did you mean {near:?}? An object as a value is written {{\"value\": …}}"),
                    );
                reader.problem_with_hint("this object is no value that update knows", near);
                None
            }
        }
    }
}

impl serde::Serialize for ValueExpression {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ValueExpression::Value(value) if value.is_object() => {
                json!({ "value": value }).serialize(serializer)
            }
            ValueExpression::Value(value) => value.serialize(serializer),
            ValueExpression::Field(name) => json!({ "field": name }).serialize(serializer),
            ValueExpression::Concat(values) => json!({ "concat": values }).serialize(serializer),
            ValueExpression::Coalesce(values) => {
                json!({ "coalesce": values }).serialize(serializer)
            }
            ValueExpression::Lower(value) => json!({ "lower": value }).serialize(serializer),
            ValueExpression::Upper(value) => json!({ "upper": value }).serialize(serializer),
            ValueExpression::Trim(value) => json!({ "trim": value }).serialize(serializer),
            ValueExpression::Arithmetic(operation, both) => {
                json!({ operation.word(): both.as_slice() }).serialize(serializer)
            }
            ValueExpression::Cast(value, to) => {
                json!({ "cast": value, "to": to }).serialize(serializer)
            }
            ValueExpression::Now => json!({ "now": true }).serialize(serializer),
            ValueExpression::Uuid => json!({ "uuid": true }).serialize(serializer),
        }
    }
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    const ALL: [(&'static str, Comparison); 6] = [
        ("eq", Comparison::Equal),
        ("ne", Comparison::NotEqual),
        ("gt", Comparison::Greater),
        ("gte", Comparison::GreaterOrEqual),
        ("lt", Comparison::Less),
        ("lte", Comparison::LessOrEqual),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, comparison)| *comparison == self)
            .map_or("eq", |(word, _)| word)
    }
}

/// The rows that an `update` is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every one of these holds. An empty list holds for every row.
    And(Vec<Filter>),
    /// Every one of these holds, which one object says: `{"a": 1, "b": {"gt": 2, "lt": 5}}`. In the order
    /// of its keys, since the order in which they were written says nothing.
    All(Vec<Filter>),
    /// At least one of these holds.
    Or(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// The field compares so to a value that is not null.
    Compare(Name, Comparison, Value),
    /// The field is one of these values.
    In(Name, Vec<Value>),
    /// The field has a value (`true`), or is null or missing (`false`).
    Exists(Name, bool),
}

impl Default for Filter {
    fn default() -> Self {
        Filter::And(Vec::new())
    }
}

impl Filter {
    /// The fields that it reads.
    pub fn fields<'f>(&'f self, found: &mut Vec<&'f Name>) {
        match self {
            Filter::And(filters) | Filter::All(filters) | Filter::Or(filters) => {
                filters.iter().for_each(|filter| filter.fields(found));
            }
            Filter::Not(filter) => filter.fields(found),
            Filter::Compare(name, ..) | Filter::In(name, _) | Filter::Exists(name, _) => {
                found.push(name);
            }
        }
    }

    /// The words that join filters, and so cannot name a field in one.
    pub const WORDS: [&'static str; 3] = ["and", "or", "not"];

    /// What the entries of one object say, in the order of their keys.
    fn all(mut filters: Vec<Filter>) -> Self {
        match filters.len() {
            0 => Filter::default(),
            1 => filters.pop().unwrap_or_default(),
            _ => Filter::All(filters),
        }
    }

    /// The object of a list of filters; nothing if two of them say something at the same place.
    fn object(filters: &[Filter]) -> Option<Map<String, Value>> {
        let mut object = Map::new();
        for filter in filters {
            let Value::Object(entries) = serde_json::to_value(filter).ok()? else {
                return None;
            };
            for (key, value) in entries {
                let Some(there) = object.remove(&key) else {
                    object.insert(key, value);
                    continue;
                };
                if Self::WORDS.contains(&key.as_str()) {
                    return None;
                }
                let mut both = comparisons(there);
                for (word, value) in comparisons(value) {
                    if both.insert(word, value).is_some() {
                        return None;
                    }
                }
                object.insert(key, Value::Object(both));
            }
        }
        Some(object)
    }
}

/// What stands beside a field, as comparisons.
fn comparisons(value: Value) -> Map<String, Value> {
    let (word, value) = match value {
        Value::Object(comparisons) => return comparisons,
        Value::Null => ("exists", Value::Bool(false)),
        value => ("eq", value),
    };
    Map::from_iter([(word.to_owned(), value)])
}

impl Read for Filter {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Node::Object(entries) = node else {
            return reader.expected("a filter: an object of fields to values", node);
        };
        let mut parts: Vec<(&String, Option<Vec<Filter>>)> = entries
            .iter()
            .map(|(key, value)| {
                let read = reader.within(key, |reader| match key.as_str() {
                    "and" => Vec::read(value, reader).map(|list| vec![Filter::And(list)]),
                    "or" => Vec::read(value, reader).map(|list| vec![Filter::Or(list)]),
                    "not" => Filter::read(value, reader).map(|f| vec![Filter::Not(Box::new(f))]),
                    _ => read_conditions(key, value, reader),
                });
                (key, read)
            })
            .collect();
        parts.sort_by_key(|(key, _)| *key);
        let parts: Option<Vec<Vec<Filter>>> = parts.into_iter().map(|(_, read)| read).collect();
        Some(Filter::all(parts?.concat()))
    }
}

fn read_conditions(key: &str, value: &Node, reader: &mut Reader) -> Option<Vec<Filter>> {
    let name = Name::read(&Node::Text(key.to_owned()), reader)?;
    let entries = match value {
        Node::Null => return Some(vec![Filter::Exists(name, false)]),
        Node::Object(entries) => entries,
        value => {
            let equal = Filter::Compare(name, Comparison::Equal, value.to_value());
            return Some(vec![equal]);
        }
    };
    let mut conditions: Vec<(&String, Option<Filter>)> = Vec::new();
    for (word, value) in entries {
        let comparison = Comparison::ALL.iter().find(|(w, _)| w == word);
        let condition = match (word.as_str(), comparison, value) {
            (_, Some((_, Comparison::Equal)), Node::Null) => {
                Some(Filter::Exists(name.clone(), false))
            }
            (_, Some((_, Comparison::NotEqual)), Node::Null) => {
                Some(Filter::Exists(name.clone(), true))
            }
            (_, Some(_), Node::Null) => {
                reader.within(word, |reader| {
                    reader.problem("null is neither more nor less")
                });
                None
            }
            (_, Some((_, comparison)), value) => {
                Some(Filter::Compare(name.clone(), *comparison, value.to_value()))
            }
            ("in", _, Node::List(values)) => Some(Filter::In(
                name.clone(),
                values.iter().map(Node::to_value).collect(),
            )),
            ("exists", _, Node::Bool(there)) => Some(Filter::Exists(name.clone(), *there)),
            _ => {
                reader.within(word, |reader| {
                    reader.problem_with_hint(
                        format!("{word:?} is no comparison that a filter knows"),
                        "one of: eq, ne, gt, gte, lt, lte with a value, in with a list, exists with true or false",
                    );
                });
                None
            }
        };
        conditions.push((word, condition));
    }
    if conditions.is_empty() {
        reader.problem("a comparison is missing");
        return None;
    }
    conditions.sort_by_key(|(word, _)| *word);
    conditions
        .into_iter()
        .map(|(_, condition)| condition)
        .collect()
}

impl serde::Serialize for Filter {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = |name: &Name, value: Value| json!({ name.as_str(): value });
        match self {
            Filter::And(filters) if filters.is_empty() => json!({}).serialize(serializer),
            Filter::And(filters) => json!({ "and": filters }).serialize(serializer),
            Filter::All(filters) => match Filter::object(filters) {
                Some(object) => object.serialize(serializer),
                None => json!({ "and": filters }).serialize(serializer),
            },
            Filter::Or(filters) => json!({ "or": filters }).serialize(serializer),
            Filter::Not(filter) => json!({ "not": filter }).serialize(serializer),
            Filter::Compare(name, Comparison::Equal, value)
                if !value.is_object() && !value.is_null() =>
            {
                plain(name, value.clone()).serialize(serializer)
            }
            Filter::Compare(name, comparison, value) => {
                plain(name, json!({ comparison.word(): value })).serialize(serializer)
            }
            Filter::In(name, values) => plain(name, json!({ "in": values })).serialize(serializer),
            Filter::Exists(name, true) => {
                plain(name, json!({ "exists": true })).serialize(serializer)
            }
            Filter::Exists(name, false) => plain(name, Value::Null).serialize(serializer),
        }
    }
}

#[cfg(feature = "json-schema")]
mod json_schema {
    use super::{FieldType, Filter, Name, ValueExpression};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde_json::json;
    use std::borrow::Cow;

    impl JsonSchema for ValueExpression {
        fn schema_name() -> Cow<'static, str> {
            "ValueExpression".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let value = generator.subschema_for::<ValueExpression>();
            let name = generator.subschema_for::<Name>();
            let field_type = generator.subschema_for::<FieldType>();
            let one = |key: &str, value: serde_json::Value| json!({ "type": "object", "properties": { key: value }, "required": [key], "additionalProperties": false });
            let mut forms = vec![
                json!({ "type": ["string", "number", "boolean", "null", "array"] }),
                one("value", json!({ "description": "A JSON value as it is." })),
                one("field", json!(name)),
            ];
            for word in ["concat", "coalesce"] {
                forms.push(one(word, json!({ "type": "array", "items": value })));
            }
            for word in ["lower", "upper", "trim"] {
                forms.push(one(word, json!(value)));
            }
            for word in ["add", "subtract", "multiply", "divide"] {
                let two = json!({ "type": "array", "items": value, "minItems": 2, "maxItems": 2 });
                forms.push(one(word, two));
            }
            for word in ["now", "uuid"] {
                forms.push(one(word, json!({ "const": true })));
            }
            forms.push(json!({
                "type": "object",
                "properties": { "cast": value, "to": field_type },
                "required": ["cast", "to"],
                "additionalProperties": false
            }));
            json_schema!({
                "description": "A JSON value, or an object with one of: value, field, concat, coalesce, lower, upper, trim, add, subtract, multiply, divide, cast (with to), now, uuid.",
                "anyOf": forms
            })
        }
    }

    impl JsonSchema for Filter {
        fn schema_name() -> Cow<'static, str> {
            "Filter".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let filter = generator.subschema_for::<Filter>();
            let name = generator.subschema_for::<Name>();
            let filters = json!({ "type": "array", "items": filter });
            let more = json!({ "not": { "type": "null" } });
            json_schema!({
                "description": "Fields to values or comparisons (eq, ne, gt, gte, lt, lte, in, exists); and, or, not join filters.",
                "type": "object",
                "propertyNames": name,
                "properties": { "and": filters, "or": filters, "not": filter },
                "additionalProperties": {
                    "anyOf": [
                        { "not": { "type": "object" } },
                        {
                            "type": "object",
                            "properties": {
                                "eq": {}, "ne": {}, "gt": more, "gte": more, "lt": more, "lte": more,
                                "in": { "type": "array" }, "exists": { "type": "boolean" }
                            },
                            "minProperties": 1,
                            "additionalProperties": false
                        }
                    ]
                }
            })
        }
    }
}
