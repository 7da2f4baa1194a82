//! The rows that an `update` is for.

use crate::document::{Document, Part};
use ductape_core::data::Filter;
use ductape_core::{Problem, Problems};
use serde_json::Value;

/// A filter in the making.
#[derive(Debug, Clone)]
#[must_use = "a filter does nothing until something is filtered by it"]
pub struct FilterBuilder(Part);

/// The words that stand between filters; the format has no way to say a field that is called so.
const WORDS: [&str; 3] = ["and", "or", "not"];

fn condition(field: impl Into<String>, condition: impl Into<Part>) -> FilterBuilder {
    let field = field.into();
    if !WORDS.contains(&field.as_str()) {
        return FilterBuilder(Document::of(field, condition).into());
    }
    let mut document = Document::new();
    document.problem(
        Problem::new(
            &field,
            format!("{field:?} is a word of filters, and none can be over a field of that name"),
        )
        .hint("rename the field first, or write the statement with raw"),
    );
    FilterBuilder(document.into())
}

fn compare(field: impl Into<String>, word: &str, value: impl Into<Value>) -> FilterBuilder {
    condition(field, Document::of(word, value.into()))
}

/// The field is equal to a value; with null, it is null or missing.
///
/// ```
/// use ductape_builder::{eq, is_null};
/// assert_eq!(eq("name", None::<&str>).build()?, is_null("name").build()?);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn eq(field: impl Into<String>, value: impl Into<Value>) -> FilterBuilder {
    compare(field, "eq", value)
}

/// The field has another value; null is none.
pub fn ne(field: impl Into<String>, value: impl Into<Value>) -> FilterBuilder {
    compare(field, "ne", value)
}

/// The field is greater than a value.
pub fn gt(field: impl Into<String>, value: impl Into<Value>) -> FilterBuilder {
    compare(field, "gt", value)
}

/// The field is greater than a value, or equal to it.
pub fn gte(field: impl Into<String>, value: impl Into<Value>) -> FilterBuilder {
    compare(field, "gte", value)
}

/// The field is less than a value.
pub fn lt(field: impl Into<String>, value: impl Into<Value>) -> FilterBuilder {
    compare(field, "lt", value)
}

/// The field is less than a value, or equal to it.
pub fn lte(field: impl Into<String>, value: impl Into<Value>) -> FilterBuilder {
    compare(field, "lte", value)
}

/// The field is null or missing.
pub fn is_null(field: impl Into<String>) -> FilterBuilder {
    condition(field, Value::Null)
}

/// The field has a value.
pub fn is_not_null(field: impl Into<String>) -> FilterBuilder {
    condition(field, Document::of("exists", true))
}

/// The field has a value: another word for [`is_not_null`].
pub fn exists(field: impl Into<String>) -> FilterBuilder {
    is_not_null(field)
}

/// The field is one of these values.
///
/// ```
/// use ductape_builder::{and, gte, not, one_of};
/// let filter = and([one_of("status", ["paid", "sent"]), not(gte("total", 100))]);
/// assert!(filter.build().is_ok());
/// ```
pub fn one_of(
    field: impl Into<String>,
    values: impl IntoIterator<Item = impl Into<Value>>,
) -> FilterBuilder {
    let values = values.into_iter().map(Into::<Value>::into);
    condition(field, Document::of("in", Part::list(values)))
}

/// Every one of these holds.
pub fn and(filters: impl IntoIterator<Item = FilterBuilder>) -> FilterBuilder {
    FilterBuilder(Document::of("and", Part::list(filters)).into())
}

/// At least one of these holds.
pub fn or(filters: impl IntoIterator<Item = FilterBuilder>) -> FilterBuilder {
    FilterBuilder(Document::of("or", Part::list(filters)).into())
}

/// This does not hold.
pub fn not(filter: FilterBuilder) -> FilterBuilder {
    FilterBuilder(Document::of("not", filter).into())
}

impl FilterBuilder {
    /// The filter as core has it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn build(self) -> Result<Filter, Problems> {
        self.0.finish()
    }
}

impl From<FilterBuilder> for Part {
    fn from(filter: FilterBuilder) -> Self {
        filter.0
    }
}

impl From<Filter> for FilterBuilder {
    fn from(filter: Filter) -> Self {
        Self(serde_json::to_value(filter).into())
    }
}

/// Sets or narrows the filter of an update.
pub(crate) fn narrow(document: &mut Document, filter: FilterBuilder) {
    let filter = match document.take("where") {
        Some(earlier) => and([FilterBuilder(earlier), filter]),
        None => filter,
    };
    document.set("where", filter);
}
