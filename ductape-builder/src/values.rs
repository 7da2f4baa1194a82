//! The values that an `update` sets.

use crate::document::{Document, Part};
use ductape_core::data::ValueExpression;
use ductape_core::{FieldType, Problems};
use serde_json::Value;

/// A value of an `update` in the making. Anything that is JSON is a value as it is.
#[derive(Debug, Clone)]
#[must_use = "a value does nothing until a field is set to it"]
pub struct ValueBuilder(Part);

fn word(word: &str, value: impl Into<Part>) -> ValueBuilder {
    ValueBuilder(Document::of(word, value).into())
}

/// The value of another field of the row.
pub fn field(name: impl Into<String>) -> ValueBuilder {
    word("field", name.into())
}

/// A value as it is; needed only beside others in one array.
pub fn lit(value: impl Into<Value>) -> ValueBuilder {
    match value.into() {
        // An object would be taken for one of the words below.
        object @ Value::Object(_) => word("value", object),
        value => ValueBuilder(value.into()),
    }
}

/// Texts one after the other; null counts as an empty text.
///
/// ```
/// use ductape_builder::{concat, field, lit};
/// let full_name = concat([field("first_name"), lit(" "), field("last_name")]).build()?;
/// let mut fields = Vec::new();
/// full_name.fields(&mut fields);
/// assert_eq!(fields, ["first_name", "last_name"]);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn concat(values: impl IntoIterator<Item = impl Into<ValueBuilder>>) -> ValueBuilder {
    word("concat", list(values))
}

/// The first that is not null.
pub fn coalesce(values: impl IntoIterator<Item = impl Into<ValueBuilder>>) -> ValueBuilder {
    word("coalesce", list(values))
}

/// A text in small letters.
pub fn lower(value: impl Into<ValueBuilder>) -> ValueBuilder {
    word("lower", value.into())
}

/// A text in capital letters.
pub fn upper(value: impl Into<ValueBuilder>) -> ValueBuilder {
    word("upper", value.into())
}

/// A text without spaces around it.
pub fn trim(value: impl Into<ValueBuilder>) -> ValueBuilder {
    word("trim", value.into())
}

/// The sum of two numbers.
pub fn add(a: impl Into<ValueBuilder>, b: impl Into<ValueBuilder>) -> ValueBuilder {
    word("add", list([a.into(), b.into()]))
}

/// The first number less the second.
pub fn subtract(a: impl Into<ValueBuilder>, b: impl Into<ValueBuilder>) -> ValueBuilder {
    word("subtract", list([a.into(), b.into()]))
}

/// The product of two numbers.
///
/// ```
/// use ductape_builder::{field, multiply};
/// assert!(multiply(field("price"), 100).build().is_ok());
/// ```
pub fn multiply(a: impl Into<ValueBuilder>, b: impl Into<ValueBuilder>) -> ValueBuilder {
    word("multiply", list([a.into(), b.into()]))
}

/// The first number divided by the second.
pub fn divide(a: impl Into<ValueBuilder>, b: impl Into<ValueBuilder>) -> ValueBuilder {
    word("divide", list([a.into(), b.into()]))
}

/// A value as another type; see [`types`](crate::types).
///
/// ```
/// use ductape_builder::{cast, field, types};
/// assert!(cast(field("total"), types::string(20)).build().is_ok());
/// ```
pub fn cast(value: impl Into<ValueBuilder>, to: FieldType) -> ValueBuilder {
    let mut document = Document::of("cast", value.into());
    document.set("to", serde_json::to_value(to));
    ValueBuilder(document.into())
}

/// This moment.
pub fn now() -> ValueBuilder {
    word("now", true)
}

/// A random UUID, another one for each row.
pub fn new_uuid() -> ValueBuilder {
    word("uuid", true)
}

fn list(values: impl IntoIterator<Item = impl Into<ValueBuilder>>) -> Part {
    Part::list(values.into_iter().map(Into::<ValueBuilder>::into))
}

impl ValueBuilder {
    /// The value as core has it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn build(self) -> Result<ValueExpression, Problems> {
        self.0.finish()
    }
}

impl From<ValueBuilder> for Part {
    fn from(value: ValueBuilder) -> Self {
        value.0
    }
}

impl From<ValueExpression> for ValueBuilder {
    fn from(value: ValueExpression) -> Self {
        Self(serde_json::to_value(value).into())
    }
}

macro_rules! literals {
    ($($literal:ty),*) => {$(
        impl From<$literal> for ValueBuilder {
            fn from(value: $literal) -> Self {
                lit(value)
            }
        }
    )*};
}
literals!(&str, String, bool, i32, i64, u32, u64, f32, f64, Value);
