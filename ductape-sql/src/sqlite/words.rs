//! What a column says beside its name: its type, and what the model has no word for.
//!
//! `native` of a field holds all of it: `NUMERIC COLLATE NOCASE`, `TEXT NOT NULL ON CONFLICT IGNORE`,
//! `TEXT NULL` for a key that admits null, as SQLite's keys do (lang_createtable.html, 3.5).

use super::dialect::{is_own_type, type_name, with_numbers};
use super::text::{Walk, plain};
use ductape_core::schema::{Constraint, Field};
use ductape_core::{BackendName, Collection, Name};
use std::borrow::Cow;

/// The words of a column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// The declared type; may be empty.
    pub declared: Cow<'static, str>,
    /// What happens instead of an error where null is given.
    pub not_null: Option<String>,
    /// A field of the key that admits null all the same.
    pub null: bool,
    /// The collation of a field that is no text.
    pub collation: Option<String>,
}

impl Words {
    /// Reads what `native` holds.
    pub fn read(native: &str) -> Self {
        let native = plain(native);
        let mut walk = Walk::new(&native);
        let mut words = Self {
            declared: walk
                .words_until(&["NOT", "NULL", "COLLATE"])
                .unwrap_or_default()
                .into(),
            ..Self::default()
        };
        while let Some(token) = walk.take() {
            if token.is_word("NOT") {
                walk.word("NULL");
                words.not_null = walk.conflict();
            } else if token.is_word("NULL") {
                words.null = true;
            } else if token.is_word("COLLATE") {
                words.collation = walk.name().map(|name| name.to_ascii_uppercase());
            }
        }
        words
    }

    /// The words of a field. A type of ours in them follows the model, and so do the
    /// numbers of one that is not.
    pub fn of(field: &Field, strict: bool) -> Self {
        let ours = || match field.auto_increment {
            // No other type counts (autoinc.html).
            true => "INTEGER".into(),
            false => type_name(&field.field_type, strict),
        };
        match field.native.get(&BackendName::Sqlite) {
            None => Self {
                declared: ours(),
                ..Self::default()
            },
            Some(native) => {
                let mut words = Self::read(native);
                words.declared = match is_own_type(&words.declared, strict) {
                    true => ours(),
                    false => with_numbers(&words.declared, &field.field_type).into(),
                };
                words
            }
        }
    }

    /// Whether there is more than a type in them.
    pub fn says_more(&self) -> bool {
        self.not_null.is_some() || self.null || self.collation.is_some()
    }

    /// All of it, as `native` holds it.
    pub fn text(&self) -> String {
        let mut parts = vec![self.declared.clone().into_owned()];
        parts.extend(
            self.not_null
                .as_ref()
                .map(|word| format!("NOT NULL ON CONFLICT {word}")),
        );
        parts.extend(self.null.then(|| "NULL".to_owned()));
        parts.extend(
            self.collation
                .as_ref()
                .map(|name| format!("COLLATE \"{}\"", name.replace('"', "\"\""))),
        );
        parts.retain(|part| !part.is_empty());
        parts.join(" ")
    }
}

/// Whether a field of the key admits null, as its own words say.
pub(crate) fn admits_null(collection: &Collection, field: &Field) -> bool {
    let options = &collection.options.sql;
    let says = || {
        field
            .native
            .get(&BackendName::Sqlite)
            .is_some_and(|native| Words::read(native).null)
    };
    // Neither the rowid, nor the keys of strict tables and of those without rowids do.
    let can = || {
        !options.strict && !options.without_rowid && rowid_alias(collection) != Some(&field.name)
    };
    collection.key().contains(&field.name) && says() && can()
}

/// Whether a field is never null.
pub(crate) fn is_required(collection: &Collection, field: &Field) -> bool {
    field.required && !admits_null(collection, field)
}

/// A primary key's own words that can only stand at its column: `PRIMARY KEY DESC`, under which an
/// INTEGER is not the rowid.
pub(crate) fn words_at_column(key: &Constraint) -> Option<&str> {
    key.native
        .get(&BackendName::Sqlite)
        .map(String::as_str)
        .filter(|words| !words.contains('('))
}

/// The field that is another name of the rowid, if one is (lang_createtable.html, 5).
pub(crate) fn rowid_alias(collection: &Collection) -> Option<&Name> {
    let key = collection.primary_key()?;
    let [name] = key.columns() else {
        return None;
    };
    let options = &collection.options.sql;
    let field = collection.field(name)?;
    let integer = Words::of(field, options.strict)
        .declared
        .eq_ignore_ascii_case("INTEGER");
    let descending = words_at_column(key).is_some_and(|words| words.contains(" DESC"));
    (integer && !descending && !options.without_rowid).then_some(name)
}
