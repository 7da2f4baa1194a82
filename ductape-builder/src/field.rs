//! Fields.

use crate::backends::{Backend, ExpressionBuilder};
use crate::document::{Document, Part};
use crate::enum_values::EnumValues;
use crate::kind::{self, Counts, Generated, HasCollation, HasLength, HasNow, HasPrecision, Kind};
use ductape_core::schema::DefaultValue;
use ductape_core::{Field, FieldType, Problems};
use serde_json::Value;

/// A field in the making. Which attributes it has is decided by its type, `K`.
///
/// It lives in a [`Box`], because a box of any type of field becomes a [`FieldSpec`] by itself
/// wherever one is expected; so fields of different types stand in one array.
#[derive(Debug, Clone)]
pub struct FieldBuilder<K: ?Sized + Kind> {
    document: Document,
    kind: K,
}

/// A field whose type is known to the compiler; what the constructors return.
pub type TypedField<K> = Box<FieldBuilder<K>>;

/// A field of any type; what a collection is made of.
pub type FieldSpec = Box<FieldBuilder<dyn Kind>>;

fn new<K: Kind>(name: impl Into<String>, word: &str, kind: K) -> TypedField<K> {
    let mut document = Document::of("name", name.into());
    document.set("type", word);
    Box::new(FieldBuilder { document, kind })
}

macro_rules! constructors {
    ($($(#[$meta:meta])* $name:ident => $kind:ident $word:literal),* $(,)?) => {$(
        $(#[$meta])*
        pub fn $name(name: impl Into<String>) -> TypedField<kind::$kind> {
            new(name, $word, kind::$kind)
        }
    )*};
}

constructors! {
    /// A field for whole numbers of 32 bits.
    integer => Integer "integer",
    /// A field for whole numbers of 64 bits.
    bigint => Bigint "bigint",
    /// A field for whole numbers of 16 bits.
    smallint => Smallint "smallint",
    /// A field for binary fractions of single precision.
    float => Float "float",
    /// A field for binary fractions of double precision.
    double => Double "double",
    /// A field for exact decimal fractions of any size, as far as the database goes. See [`decimal`].
    unbounded_decimal => Decimal "decimal",
    /// A field for texts of limited length; give the limit with [`length`](FieldBuilder::length).
    string => String "string",
    /// A field for texts of any length.
    text => Text "text",
    /// A field for true or false.
    boolean => Boolean "boolean",
    /// A field for days.
    date => Date "date",
    /// A field for times of day.
    time => Time "time",
    /// A field for days with a time of day, in no zone.
    datetime => Datetime "datetime",
    /// A field for moments.
    timestamp => Timestamp "timestamp",
    /// A field for JSON documents.
    json => Json "json",
    /// A field for UUIDs.
    uuid => Uuid "uuid",
    /// A field for bytes of limited length; give the limit with [`length`](FieldBuilder::length).
    binary => Binary "binary",
    /// A field for bytes of any length.
    blob => Blob "blob",
}

/// A field for exact decimal fractions of `precision` digits in all, `scale` of them after the point.
///
/// ```
/// use ductape_builder::decimal;
/// assert_eq!(decimal("total", 10, 2).build()?.field_type.to_string(), "decimal(10,2)");
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn decimal(name: impl Into<String>, precision: u32, scale: u32) -> TypedField<kind::Decimal> {
    unbounded_decimal(name).precision(precision).scale(scale)
}

/// A field for one of several words, which keep their order.
///
/// ```
/// use ductape_builder::enumeration;
/// let status = enumeration("status", ["active", "inactive"]).default("active").build()?;
/// assert_eq!(status.field_type.to_string(), "enum(active, inactive)");
/// # Ok::<(), ductape_core::Problems>(())
/// ```
///
/// Without values there is no enumeration:
///
/// ```compile_fail
/// ductape_builder::enumeration("status", []);
/// ```
pub fn enumeration(
    name: impl Into<String>,
    values: impl EnumValues,
) -> TypedField<kind::Enumeration> {
    let mut field = new(name, "enum", kind::Enumeration);
    field
        .document
        .set("enumValues", Part::texts(values.into_values()));
    field
}

/// A field for lists of values of one type; see [`types`](crate::types).
pub fn array(name: impl Into<String>, items: FieldType) -> TypedField<kind::Array> {
    let mut field = new(name, "array", kind::Array);
    field.document.set("items", serde_json::to_value(items));
    field
}

impl<K: ?Sized + Kind> FieldBuilder<K> {
    fn with(mut self: Box<Self>, key: &str, value: impl Into<Part>) -> Box<Self> {
        self.document.set(key, value);
        self
    }

    /// Makes it part of the primary key; several such fields are one key, in their order.
    #[must_use]
    pub fn primary_key(self: Box<Self>) -> Box<Self> {
        self.with("primaryKey", true)
    }

    /// Never null.
    #[must_use]
    pub fn required(self: Box<Self>) -> Box<Self> {
        self.with("required", true)
    }

    /// May be null, as a field may unless told otherwise.
    #[must_use]
    pub fn nullable(self: Box<Self>) -> Box<Self> {
        self.with("required", false)
    }

    /// No two rows share a value; nulls aside.
    #[must_use]
    pub fn unique(self: Box<Self>) -> Box<Self> {
        self.with("unique", true)
    }

    /// What it holds where nothing was given: a value of its type.
    #[must_use]
    pub fn default(self: Box<Self>, value: impl Into<Value>) -> Box<Self> {
        self.with("default", default(DefaultValue::Value(value.into())))
    }

    /// An expression that makes what it holds where nothing was given.
    #[must_use]
    pub fn default_expression(
        self: Box<Self>,
        expression: impl Into<ExpressionBuilder>,
    ) -> Box<Self> {
        self.with("default", Document::of("expression", expression.into()))
    }

    /// A note for people.
    #[must_use]
    pub fn comment(self: Box<Self>, comment: impl Into<String>) -> Box<Self> {
        self.with("comment", comment.into())
    }

    /// Its type in the words of one database, taken as it is. Call it once for each database.
    ///
    /// ```
    /// use ductape_builder::text;
    /// let field = text("email").native("postgresql", "citext").build()?;
    /// assert_eq!(field.native.len(), 1);
    /// # Ok::<(), ductape_core::Problems>(())
    /// ```
    #[must_use]
    pub fn native(
        mut self: Box<Self>,
        backend: impl Into<Backend>,
        field_type: impl Into<String>,
    ) -> Box<Self> {
        self.document.within("native", |native| {
            native.set(backend.into().into_word(), field_type.into());
        });
        self
    }

    /// The field as core has it.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    pub fn build(self: Box<Self>) -> Result<Field, Problems> {
        Part::from(self).finish()
    }
}

impl<K: Kind> FieldBuilder<K> {
    /// Made by the database from other fields, when it is read or, [`stored`](FieldBuilder::stored),
    /// when it is written.
    ///
    /// ```
    /// use ductape_builder::decimal;
    /// let field = decimal("gross", 10, 2).generated("net * 1.2").stored().build()?;
    /// assert!(field.generated.is_some_and(|generated| generated.stored));
    /// # Ok::<(), ductape_core::Problems>(())
    /// ```
    #[must_use]
    #[allow(
        clippy::boxed_local,
        reason = "a field lives in its box: every method takes it so"
    )]
    pub fn generated(
        self: Box<Self>,
        expression: impl Into<ExpressionBuilder>,
    ) -> TypedField<Generated<K>> {
        let Self { mut document, kind } = *self;
        document.set("generated", Document::of("expression", expression.into()));
        Box::new(FieldBuilder {
            document,
            kind: Generated(kind),
        })
    }

    /// The field without the compiler's knowledge of its type, where it does not come by itself: to
    /// keep several in one variable.
    #[must_use]
    pub fn erase(self: Box<Self>) -> FieldSpec {
        self
    }
}

impl<K: Kind> FieldBuilder<Generated<K>> {
    /// Kept with the row instead of being made whenever it is read.
    #[must_use]
    pub fn stored(mut self: Box<Self>) -> Box<Self> {
        self.document
            .within("generated", |generated| generated.set("stored", true));
        self
    }
}

impl<K: HasLength> FieldBuilder<K> {
    /// The most characters (of a string) or bytes (of a binary) that it holds.
    #[must_use]
    pub fn length(self: Box<Self>, length: u32) -> Box<Self> {
        self.with("length", length)
    }
}

impl<K: HasPrecision> FieldBuilder<K> {
    /// How many digits it holds in all.
    #[must_use]
    pub fn precision(self: Box<Self>, digits: u32) -> Box<Self> {
        self.with("precision", digits)
    }

    /// How many of its digits stand after the point.
    #[must_use]
    pub fn scale(self: Box<Self>, digits: u32) -> Box<Self> {
        self.with("scale", digits)
    }
}

impl<K: HasCollation> FieldBuilder<K> {
    /// The collation, by its name in the database.
    #[must_use]
    pub fn collation(self: Box<Self>, collation: impl Into<String>) -> Box<Self> {
        self.with("collation", collation.into())
    }
}

impl<K: Counts> FieldBuilder<K> {
    /// Numbered by the database.
    #[must_use]
    pub fn auto_increment(self: Box<Self>) -> Box<Self> {
        self.with("autoIncrement", true)
    }
}

impl<K: HasNow> FieldBuilder<K> {
    /// Where nothing was given, it holds the moment at which the row is written.
    #[must_use]
    pub fn default_now(self: Box<Self>) -> Box<Self> {
        self.with("default", default(DefaultValue::Now))
    }
}

impl FieldBuilder<kind::Uuid> {
    /// Where nothing was given, it holds a random UUID, another one for each row.
    #[must_use]
    pub fn default_uuid(self: Box<Self>) -> Box<Self> {
        self.with("default", default(DefaultValue::Uuid))
    }
}

/// A default in the form that a migration file has.
pub(crate) fn default(default: DefaultValue) -> Part {
    serde_json::to_value(default).into()
}

impl<K: ?Sized + Kind> From<Box<FieldBuilder<K>>> for Part {
    fn from(mut field: Box<FieldBuilder<K>>) -> Self {
        std::mem::take(&mut field.document).into()
    }
}

impl From<Field> for FieldSpec {
    /// A field of core, to go on with or to put beside others.
    fn from(field: Field) -> Self {
        Box::new(FieldBuilder {
            document: Document::from_part(serde_json::to_value(field).into()),
            kind: kind::Untyped,
        })
    }
}

impl Clone for FieldSpec {
    fn clone(&self) -> Self {
        Box::new(FieldBuilder {
            document: self.document.clone(),
            kind: kind::Untyped,
        })
    }
}
