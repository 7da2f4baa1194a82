//! The values of an enumeration, of which there is at least one.

/// The values of an enumeration: an array of 1 to 64 texts, or a [`Vec`].
///
/// An empty array is none, so an enumeration without values does not compile; an empty `Vec` is told
/// when the migration is built.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the values of an enumeration",
    label = "an array of 1 to 64 texts, or a `Vec` of texts, is needed here",
    note = "an enumeration has at least one value"
)]
pub trait EnumValues: sealed::Sealed {
    /// The values, in their order.
    fn into_values(self) -> Vec<String>;
}

mod sealed {
    pub trait Sealed {}
}

impl<T: Into<String>> sealed::Sealed for Vec<T> {}
impl<T: Into<String>> EnumValues for Vec<T> {
    fn into_values(self) -> Vec<String> {
        self.into_iter().map(Into::into).collect()
    }
}

macro_rules! arrays {
    ($($length:literal)*) => {$(
        impl<T: Into<String>> sealed::Sealed for [T; $length] {}
        impl<T: Into<String>> EnumValues for [T; $length] {
            fn into_values(self) -> Vec<String> {
                self.map(Into::into).into()
            }
        }
    )*};
}

arrays! {
    1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
    33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64
}
