//! Changes of a field.

use crate::backends::{Backend, ExpressionBuilder};
use crate::document::{Document, Part, part_of_document};
use crate::enum_values::EnumValues;
use crate::field::default;
use ductape_core::schema::{DefaultValue, FieldChanges};
use ductape_core::{FieldType, Problems};
use serde_json::Value;

/// The changes of a field in the making.
///
/// What is not named stays as it is. The field's type is not known here, so every attribute can be
/// named; one that the type does not have is told when the change meets the field.
#[derive(Debug, Clone)]
#[must_use = "changes do nothing until a field is modified with them"]
pub struct ChangeBuilder {
    document: Document,
}

/// Changes of a field, of which none is named yet.
///
/// ```
/// use ductape_builder::change;
/// let changes = change().length(500).required().remove_default().build()?;
/// assert_eq!(changes.required, Some(true));
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn change() -> ChangeBuilder {
    ChangeBuilder {
        document: Document::new(),
    }
}

macro_rules! removals {
    ($($(#[$meta:meta])* $name:ident $key:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(self) -> Self {
            self.with($key, Value::Null)
        }
    )*};
}

macro_rules! flags {
    ($($(#[$meta:meta])* $name:ident $key:literal $value:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(self) -> Self {
            self.with($key, $value)
        }
    )*};
}

impl ChangeBuilder {
    fn with(mut self, key: &str, value: impl Into<Part>) -> Self {
        self.document.set(key, value);
        self
    }

    /// Another type, with its attributes; see [`types`](crate::types). Attributes that it does not
    /// have fall.
    ///
    /// ```
    /// use ductape_builder::{change, types};
    /// assert!(change().to_type(types::decimal(12, 4)).build().is_ok());
    /// assert!(change().to_type(types::text()).length(5).build().is_err());
    /// ```
    pub fn to_type(mut self, field_type: FieldType) -> Self {
        let attributes = field_type.attributes();
        self.document.set("type", field_type.name().word());
        for (key, attribute) in [
            ("length", attributes.length),
            ("precision", attributes.precision),
            ("scale", attributes.scale),
        ] {
            if let Some(attribute) = attribute {
                self.document.set(key, attribute);
            }
        }
        if let Some(values) = attributes.enum_values {
            self.document.set("enumValues", Part::texts(values));
        }
        if let Some(items) = attributes.items {
            self.document.set("items", serde_json::to_value(items));
        }
        self
    }

    /// The most characters or bytes, of a string or a binary.
    pub fn length(self, length: u32) -> Self {
        self.with("length", length)
    }

    /// The digits in all, of a decimal.
    pub fn precision(self, digits: u32) -> Self {
        self.with("precision", digits)
    }

    /// The digits after the point, of a decimal.
    pub fn scale(self, digits: u32) -> Self {
        self.with("scale", digits)
    }

    /// The values of an enumeration, in their order.
    pub fn values(self, values: impl EnumValues) -> Self {
        self.with("enumValues", Part::texts(values.into_values()))
    }

    /// The type of an array's items.
    pub fn items(self, items: FieldType) -> Self {
        self.with("items", serde_json::to_value(items))
    }

    flags! {
        /// Never null from now on.
        required "required" true;
        /// May be null from now on.
        nullable "required" false;
        /// No two rows share a value from now on.
        unique "unique" true;
        /// Rows may share values from now on.
        not_unique "unique" false;
        /// The primary key from now on.
        primary_key "primaryKey" true;
        /// No longer the primary key.
        not_primary_key "primaryKey" false;
        /// Numbered by the database from now on.
        auto_increment "autoIncrement" true;
        /// No longer numbered by the database.
        no_auto_increment "autoIncrement" false;
    }

    /// What it holds where nothing was given: a value of its type.
    pub fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", default(DefaultValue::Value(value.into())))
    }

    /// Where nothing was given, it holds the moment at which the row is written.
    pub fn default_now(self) -> Self {
        self.with("default", default(DefaultValue::Now))
    }

    /// Where nothing was given, it holds a random UUID.
    pub fn default_uuid(self) -> Self {
        self.with("default", default(DefaultValue::Uuid))
    }

    /// An expression that makes what it holds where nothing was given.
    pub fn default_expression(self, expression: impl Into<ExpressionBuilder>) -> Self {
        self.with("default", Document::of("expression", expression.into()))
    }

    /// A note for people.
    pub fn comment(self, comment: impl Into<String>) -> Self {
        self.with("comment", comment.into())
    }

    /// Made by the database from other fields, whenever it is read.
    pub fn generated(self, expression: impl Into<ExpressionBuilder>) -> Self {
        self.with("generated", Document::of("expression", expression.into()))
    }

    /// Made by the database from other fields, when the row is written.
    pub fn generated_stored(self, expression: impl Into<ExpressionBuilder>) -> Self {
        let mut generated = Document::of("expression", expression.into());
        generated.set("stored", true);
        self.with("generated", generated)
    }

    /// The collation, by its name in the database.
    pub fn collation(self, collation: impl Into<String>) -> Self {
        self.with("collation", collation.into())
    }

    /// The type in the words of one database. All that are named replace all that were there.
    pub fn native(mut self, backend: impl Into<Backend>, field_type: impl Into<String>) -> Self {
        self.document.within("native", |native| {
            native.set(backend.into().into_word(), field_type.into());
        });
        self
    }

    removals! {
        /// No limit of its length from now on.
        remove_length "length";
        /// No limit of its digits from now on.
        remove_precision "precision";
        /// No digits after the point from now on.
        remove_scale "scale";
        /// No default from now on.
        remove_default "default";
        /// No note from now on.
        remove_comment "comment";
        /// No longer made from other fields.
        remove_generated "generated";
        /// The collation that it has by itself from now on.
        remove_collation "collation";
        /// The type as Ductape writes it from now on.
        remove_native "native";
    }

    /// The changes as core has them.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its path.
    pub fn build(self) -> Result<FieldChanges, Problems> {
        Part::from(self).finish()
    }
}

impl From<FieldChanges> for ChangeBuilder {
    fn from(changes: FieldChanges) -> Self {
        Self {
            document: Document::from_part(serde_json::to_value(changes).into()),
        }
    }
}

part_of_document!(ChangeBuilder);
