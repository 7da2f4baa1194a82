//! Types without a field: for the items of an array, for `cast`, for a change of type.
//!
//! ```
//! use ductape_builder::{array, change, types};
//!
//! let tags = array("tags", types::string(20));
//! let wider = change().to_type(types::bigint());
//! assert_eq!(tags.build()?.field_type.to_string(), "array of string(20)");
//! # let _ = wider;
//! # Ok::<(), ductape_core::Problems>(())
//! ```

use ductape_core::FieldType;

macro_rules! plain {
    ($($(#[$meta:meta])* $name:ident => $variant:ident),* $(,)?) => {$(
        $(#[$meta])*
        pub fn $name() -> FieldType {
            FieldType::$variant
        }
    )*};
}

plain! {
    /// A whole number of 32 bits.
    integer => Integer,
    /// A whole number of 64 bits.
    bigint => Bigint,
    /// A whole number of 16 bits.
    smallint => Smallint,
    /// A binary fraction of single precision.
    float => Float,
    /// A binary fraction of double precision.
    double => Double,
    /// A text of any length.
    text => Text,
    /// True or false.
    boolean => Boolean,
    /// A day.
    date => Date,
    /// A time of day.
    time => Time,
    /// A day and a time of day without a zone.
    datetime => Datetime,
    /// A moment.
    timestamp => Timestamp,
    /// A JSON document.
    json => Json,
    /// A UUID.
    uuid => Uuid,
    /// Bytes of any length.
    blob => Blob,
}

/// A text of at most so many characters.
pub fn string(length: u32) -> FieldType {
    FieldType::String {
        length: Some(length),
    }
}

/// At most so many bytes.
pub fn binary(length: u32) -> FieldType {
    FieldType::Binary {
        length: Some(length),
    }
}

/// An exact decimal fraction of `precision` digits, `scale` of them after the point.
pub fn decimal(precision: u32, scale: u32) -> FieldType {
    FieldType::Decimal {
        precision: Some(precision),
        scale: Some(scale),
    }
}

/// One of several words.
pub fn enumeration(values: impl crate::EnumValues) -> FieldType {
    FieldType::Enum {
        values: values.into_values(),
    }
}

/// A list of values of one type.
pub fn array(items: FieldType) -> FieldType {
    FieldType::Array {
        items: Box::new(items),
    }
}
