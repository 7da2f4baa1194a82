//! What SQLite cannot do, told before anything is touched.

use super::compiler::Compilation;
use super::words::{Words, rowid_alias, words_at_column};
use ductape_core::expression::{Token, tokens};
use ductape_core::schema::{
    ConstraintType, DefaultValue, Field, Index, Method, NativeDefinition, Rule,
};
use ductape_core::{BackendName, Collection, Name, Operation, Schema};

impl<'r> Compilation<'r> {
    /// SQLite has no case in names.
    pub(super) fn check_alike(
        &mut self,
        at: usize,
        schema: &Schema,
        collection: &Name,
        name: &Name,
        besides: Option<&Name>,
    ) {
        let alike = schema.collection(collection).and_then(|collection| {
            collection.fields.iter().find(|field| {
                Some(&field.name) != besides
                    && field.name.as_str().eq_ignore_ascii_case(name.as_str())
            })
        });
        if let Some(field) = alike {
            self.refuse(
                at,
                format!(
                    "SQLite does not tell {name} from the field {} that is there",
                    field.name
                ),
                "choose another name",
            );
        }
    }

    /// A virtual table does not follow new names of what it stands on.
    pub(super) fn check_virtual(
        &mut self,
        at: usize,
        schema: &Schema,
        collection: &Name,
        name: &Name,
    ) {
        let broken: Vec<String> = schema
            .natives()
            .filter(|native| {
                native.kind == "virtual table"
                    && native.after.contains(collection)
                    && names_it(&native.definition, name)
            })
            .map(|native| native.name.to_string())
            .collect();
        if !broken.is_empty() {
            self.refuse(
                at,
                format!(
                    "the virtual table {} names it, and would not follow",
                    broken.join(", ")
                ),
                "drop the virtual table with raw first, and make it again with the new name",
            );
        }
    }

    /// A definition that a renaming in the same migration changes is not known before it has run, where
    /// its words do not tell what they mean.
    pub(super) fn check_stale(&mut self, at: usize, native: &NativeDefinition) {
        let renamed = self.operations.iter().take(at).find_map(|earlier| {
            let (about, from) = match &earlier.operation {
                Operation::RenameCollection(rename) => (&rename.from, &rename.from),
                Operation::RenameField(rename) => (&rename.collection, &rename.from),
                _ => return None,
            };
            let in_schema = |schema: &'r Schema| {
                schema
                    .natives()
                    .find(|other| other.kind == native.kind && other.name == native.name)
            };
            let before = in_schema(&earlier.before)?;
            let after = in_schema(&earlier.after)?;
            let stands = earlier
                .before
                .natives_about(about)
                .any(|other| other == before);
            (stands && names_it(&before.definition, from) && before.definition == after.definition)
                .then(|| earlier.operation.describe())
        });
        if let Some(renamed) = renamed {
            self.refuse(
                at,
                format!(
                    "the {} {} has to fall and return, and how it reads after \"{renamed}\" is known only then",
                    native.kind, native.name
                ),
                "put the renaming in a migration of its own",
            );
        }
    }

    /// What SQLite cannot keep of a collection.
    pub(super) fn check_collection(&mut self, at: usize, collection: &Collection) {
        let counting: Vec<&Field> = collection
            .fields
            .iter()
            .filter(|field| field.auto_increment)
            .collect();
        for field in counting {
            let goes_next = self.operations.get(at + 1).is_some_and(|next| {
                matches!(&next.operation, Operation::DropField(drop) if drop.field == field.name)
            });
            if rowid_alias(collection) != Some(&field.name) && !goes_next {
                self.refuse(
                    at,
                    format!("{} can count by itself in SQLite only as an integer that alone is the primary key of a table with rowids", field.name),
                    "make it the primary key, of type integer",
                );
            }
        }
        if let Some(words) = collection.primary_key().and_then(words_at_column)
            && words.contains("AUTOINCREMENT") != collection.fields.iter().any(|f| f.auto_increment)
        {
            self.refuse(
                at,
                format!("the primary key is {words} in its own words, which do not fit"),
                "drop the primary key, and add the one you want",
            );
        }
        let generated =
            |field: &&Field| field.generated.is_some() && collection.key().contains(&field.name);
        if let Some(field) = collection.fields.iter().find(generated) {
            self.refuse(
                at,
                format!(
                    "{} is generated, and SQLite has no such field in a primary key",
                    field.name
                ),
                "drop the key first, or make it an ordinary field",
            );
        }
        if collection.options.sql.without_rowid && collection.primary_key().is_none() {
            self.refuse(at, "a table without rowids needs a primary key", "add one");
        }
        let foreign = |field: &&Field| {
            !STRICT_TYPES.contains(
                &Words::of(field, true)
                    .declared
                    .to_ascii_uppercase()
                    .as_str(),
            )
        };
        if collection.options.sql.strict
            && let Some(field) = collection.fields.iter().find(foreign)
        {
            self.refuse(
                at,
                format!(
                    "{} has a native type, and a strict table takes INT, INTEGER, REAL, TEXT, BLOB and ANY alone",
                    field.name
                ),
                "leave out strict, or the native type",
            );
        }
        for constraint in &collection.constraints {
            let name = constraint.name.as_ref().map_or("", Name::as_str);
            if constraint.deferrable.is_some()
                && constraint.constraint_type() != ConstraintType::ForeignKey
            {
                self.refuse(
                    at,
                    format!("only foreign keys can be deferred in SQLite, and {name} is none"),
                    "leave out deferrable",
                );
            }
            if let Rule::Check(expression) = &constraint.rule
                && expression.text(BackendName::Sqlite).is_none()
            {
                self.no_expression(at, &format!("the check {name}"));
            }
            if let Some(native) = constraint.native.get(&BackendName::Sqlite)
                && let Err(why) = ductape_core::expression::check(native)
            {
                self.refuse(
                    at,
                    format!("the own words of the constraint {name}: {why}"),
                    "write what follows the constraint's name in CREATE TABLE",
                );
            }
        }
    }

    pub(super) fn no_expression(&mut self, at: usize, of: &str) {
        self.refuse(
            at,
            format!("{of} has no expression for SQLite"),
            "add one under \"sqlite\"",
        );
    }

    pub(super) fn check_name(&mut self, at: usize, name: &Name) {
        let reserved = name
            .as_str()
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
        if reserved {
            self.refuse(
                at,
                format!("SQLite keeps names that begin with sqlite_ for itself, and {name} does"),
                "choose another name",
            );
        }
    }

    pub(super) fn check_field(&mut self, at: usize, field: &Field) {
        if let Some(DefaultValue::Expression(expression)) = &field.default
            && expression.text(BackendName::Sqlite).is_none()
        {
            self.no_expression(at, &format!("the default of {}", field.name));
        }
        if let Some(generated) = &field.generated
            && generated.expression.text(BackendName::Sqlite).is_none()
        {
            self.no_expression(at, &format!("the generated field {}", field.name));
        }
        if let Some(native) = field.native.get(&BackendName::Sqlite)
            && !is_type_words(native)
        {
            self.refuse(
                at,
                format!("{native:?} is no type that SQLite could take as it is"),
                "write words, with numbers in brackets if need be",
            );
        }
    }

    pub(super) fn check_index(
        &mut self,
        at: usize,
        index: &Index,
        name: &Name,
        before: &Schema,
        own: &Name,
    ) {
        self.check_name(at, name);
        let other = before.collections_alike(name).next().is_some()
            || before.index_owners(name).any(|owner| owner.name != *own);
        if other || own.as_str().eq_ignore_ascii_case(name.as_str()) {
            self.refuse(
                at,
                format!(
                    "the name {name} is taken: SQLite has one space of names for tables and indexes"
                ),
                "give the index another name",
            );
        }
        let mut cannot = |condition: bool, what: &str| {
            if condition {
                self.refuse(
                    at,
                    format!("SQLite's indexes have no {what}"),
                    "leave it out",
                );
            }
        };
        cannot(
            index.method.is_some_and(|method| method != Method::Btree),
            "other method than btree",
        );
        cannot(!index.with.is_empty(), "storage options");
        cannot(!index.include.is_empty(), "included fields");
        cannot(index.nulls_not_distinct, "way to make nulls equal");
        cannot(index.hidden, "way to be hidden");
        for key in &index.fields {
            cannot(key.length.is_some(), "prefix lengths");
            cannot(key.nulls.is_some(), "place for nulls");
            cannot(key.operator_class.is_some(), "operator classes");
        }
        if index
            .expressions()
            .any(|expression| expression.text(BackendName::Sqlite).is_none())
        {
            self.no_expression(at, &format!("the index {name}"));
        }
    }
}

/// Whether a collection of another name differs from it only in the case of ASCII letters, or an index
/// or a view has it.
pub(super) fn taken(schema: &Schema, name: &Name, besides: Option<&Name>) -> bool {
    schema
        .collections_alike(name)
        .any(|other| Some(&other.name) != besides && other.name != *name)
        || schema.index_owners(name).next().is_some()
        || schema.natives().any(|native| {
            matches!(native.kind.as_str(), "view" | "table")
                && native.name.as_str().eq_ignore_ascii_case(name.as_str())
        })
}

pub(super) fn taken_reason(name: &Name) -> String {
    format!(
        "the name {name} is taken: SQLite has one space of names for tables, views and indexes, and no case in them"
    )
}

/// What a strict table takes (stricttables.html, 1).
const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];

/// Whether a definition has a word that is this name, whatever its case.
fn names_it(definition: &str, name: &Name) -> bool {
    tokens(definition).any(|token| {
        let text = match token {
            Token::Text(quoted) => Some(quoted.trim_matches('\'').to_owned()),
            token => token.name(),
        };
        text.is_some_and(|text| text.eq_ignore_ascii_case(name.as_str()))
    })
}

/// Words and numbers in brackets, as a type is written; none at all is a type, too.
fn is_type_words(text: &str) -> bool {
    (text.is_empty() || ductape_core::expression::check(text).is_ok())
        && tokens(text).all(|token| {
            !matches!(token, Token::Symbol(_))
                || ["(", ")", ",", "-", "+"].iter().any(|s| token.is_symbol(s))
        })
}
