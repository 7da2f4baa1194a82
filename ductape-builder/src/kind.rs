//! The types of fields as Rust types: they decide which attributes a field has.

use std::fmt::Debug;

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// A type that a field may have.
pub trait Kind: Sealed + Debug + Send + Sync + 'static {}

macro_rules! kinds {
    ($($(#[$meta:meta])* $kind:ident),* $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $kind;
        impl Sealed for $kind {}
        impl Kind for $kind {}
    )*};
}

kinds! {
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits.
    Bigint,
    /// A whole number of 16 bits.
    Smallint,
    /// A binary fraction of single precision.
    Float,
    /// A binary fraction of double precision.
    Double,
    /// An exact decimal fraction.
    Decimal,
    /// A text of limited length.
    String,
    /// A text of any length.
    Text,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A day and a time of day without a zone.
    Datetime,
    /// A moment.
    Timestamp,
    /// A JSON document.
    Json,
    /// A UUID.
    Uuid,
    /// One of several words.
    Enumeration,
    /// A list of values of one type.
    Array,
    /// Bytes of limited length.
    Binary,
    /// Bytes of any length.
    Blob,
    /// A type that is known only when the program runs.
    Untyped,
}

/// A field that the database makes from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generated<K>(pub(crate) K);
impl<K: Kind> Sealed for Generated<K> {}
impl<K: Kind> Kind for Generated<K> {}

macro_rules! abilities {
    ($($(#[$meta:meta])* $ability:ident: $($kind:ident),*;)*) => {$(
        $(#[$meta])*
        pub trait $ability: Kind {}
        $(impl $ability for $kind {})*
        impl<K: $ability> $ability for Generated<K> {}
    )*};
}

abilities! {
    /// The types with a length: characters of a string, bytes of a binary.
    HasLength: String, Binary;
    /// The types with a precision and a scale.
    HasPrecision: Decimal;
    /// The types whose values are compared by a collation.
    HasCollation: String, Text, Enumeration;
}

/// The types that can count by themselves.
pub trait Counts: Kind {}
impl Counts for Integer {}
impl Counts for Bigint {}
impl Counts for Smallint {}

/// The types that know the present moment.
pub trait HasNow: Kind {}
impl HasNow for Date {}
impl HasNow for Time {}
impl HasNow for Datetime {}
impl HasNow for Timestamp {}
