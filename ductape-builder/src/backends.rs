//! Databases and expressions in their own words.

use crate::document::{Document, Part};
use ductape_core::{BackendName, Expression};

/// The database that something is for, by its word in the format or as [`BackendName`].
///
/// A word that is no database is told when the migration is built.
#[derive(Debug, Clone)]
pub struct Backend(String);

impl Backend {
    pub(crate) fn into_word(self) -> String {
        self.0
    }
}

impl From<&str> for Backend {
    fn from(word: &str) -> Self {
        Self(word.to_owned())
    }
}

impl From<String> for Backend {
    fn from(word: String) -> Self {
        Self(word)
    }
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Self {
        Self(name.word().to_owned())
    }
}

/// One database, or several: `"postgresql"`, `["mysql", "mariadb"]`, [`BackendName::Sqlite`].
#[derive(Debug, Clone)]
pub struct Backends(Part);

impl Backends {
    fn many(names: impl IntoIterator<Item = impl Into<Backend>>) -> Self {
        Self(Part::texts(
            names.into_iter().map(|name| name.into().into_word()),
        ))
    }
}

impl From<Backends> for Part {
    fn from(backends: Backends) -> Self {
        backends.0
    }
}

macro_rules! one_backend {
    ($($one:ty),*) => {$(
        impl From<$one> for Backends {
            fn from(name: $one) -> Self {
                Self(Backend::from(name).into_word().into())
            }
        }

        impl<const N: usize> From<[$one; N]> for Backends {
            fn from(names: [$one; N]) -> Self {
                Self::many(names)
            }
        }

        impl From<Vec<$one>> for Backends {
            fn from(names: Vec<$one>) -> Self {
                Self::many(names)
            }
        }
    )*};
}
one_backend!(&str, String, BackendName);

/// An expression in the words of the database, or in those of each; made from a text, from
/// [`per_backend`], or from core's [`Expression`].
#[derive(Debug, Clone)]
pub struct ExpressionBuilder(Part);

impl From<ExpressionBuilder> for Part {
    fn from(expression: ExpressionBuilder) -> Self {
        expression.0
    }
}

impl From<&str> for ExpressionBuilder {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for ExpressionBuilder {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Expression> for ExpressionBuilder {
    fn from(expression: Expression) -> Self {
        Self(serde_json::to_value(expression).into())
    }
}

/// An expression with a text for each database.
///
/// ```
/// use ductape_builder::{per_backend, string};
///
/// let field = string("slug")
///     .generated(per_backend([
///         ("postgresql", "lower(title)"),
///         ("mysql", "lcase(title)"),
///     ]))
///     .build()?;
/// assert!(field.generated.is_some());
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn per_backend<B: Into<Backend>, T: Into<String>>(
    texts: impl IntoIterator<Item = (B, T)>,
) -> ExpressionBuilder {
    let mut document = Document::new();
    for (backend, text) in texts {
        document.set(backend.into().into_word(), text.into());
    }
    ExpressionBuilder(document.into())
}
