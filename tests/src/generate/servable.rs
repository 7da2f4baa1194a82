//! What a database can serve.

use super::Profile;
use ductape_core::schema::{Rule, TypeName};
use ductape_core::{Collection, FieldType, Name, Schema};
use std::collections::BTreeSet;

/// Whether a server like SQLite can hold the schema.
pub(super) fn is_servable(profile: &Profile, schema: &Schema) -> bool {
    // Tables and indexes share one space of names, and the case of letters makes no difference.
    let mut names = BTreeSet::new();
    let all = schema.collections().all(|collection| {
        names.insert(collection.name.as_str().to_lowercase())
            && collection.indexes.iter().all(|index| {
                index
                    .name
                    .as_ref()
                    .is_some_and(|name| names.insert(name.as_str().to_lowercase()))
            })
            && (!profile.typed
                || has_keys_of_its_own_name(collection, &mut names) && has_short_names(collection))
    });
    all && schema
        .collections()
        .all(|collection| is_servable_table(profile, schema, collection))
}

/// No name is longer than PostgreSQL's, which are of 63 bytes.
pub(super) fn has_short_names(collection: &Collection) -> bool {
    let indexes = collection.indexes.iter().filter_map(|i| i.name.as_ref());
    let constraints = collection
        .constraints
        .iter()
        .filter_map(|c| c.name.as_ref());
    std::iter::once(&collection.name)
        .chain(collection.fields.iter().map(|field| &field.name))
        .chain(indexes)
        .chain(constraints)
        .all(|name| name.as_str().len() <= 63)
}

/// An index stands behind each key, and has its name.
pub(super) fn has_keys_of_its_own_name(
    collection: &Collection,
    names: &mut BTreeSet<String>,
) -> bool {
    collection
        .constraints
        .iter()
        .filter(|constraint| matches!(constraint.rule, Rule::PrimaryKey(_) | Rule::Unique(_)))
        .filter_map(|constraint| constraint.name.as_ref())
        .all(|name| names.insert(name.as_str().to_lowercase()))
}

pub(super) fn is_servable_table(
    profile: &Profile,
    schema: &Schema,
    collection: &Collection,
) -> bool {
    let key = collection.key();
    let mut names = BTreeSet::new();
    let mut constraints = BTreeSet::new();
    let mut rules = Vec::new();
    let fields = collection.fields.iter().all(|field| {
        let counts = field.auto_increment;
        names.insert(field.name.as_str().to_lowercase())
            && (!counts
                || !profile.only_the_key_counts
                || field.field_type == FieldType::Integer
                    && key == std::slice::from_ref(&field.name)
                    && !collection.options.sql.without_rowid)
            && !(field.generated.is_some() && key.contains(&field.name))
    });
    let stored = collection.fields.iter().any(|f| f.generated.is_none());
    let rules = collection.constraints.iter().all(|constraint| {
        let name = constraint
            .name
            .as_ref()
            .map(|name| name.as_str().to_lowercase());
        let columns = constraint.columns().to_vec();
        let once = matches!(constraint.rule, Rule::ForeignKey(..) | Rule::Check(_))
            || !rules.contains(&columns);
        rules.push(columns);
        let own = |name: &Name| {
            collection
                .field(name)
                .is_some_and(|field| field.generated.is_none())
        };
        name.is_some_and(|name| constraints.insert(name))
            && once
            && match &constraint.rule {
                Rule::ForeignKey(columns, references) => {
                    columns.iter().all(own)
                        && schema.collection(&references.table).is_some_and(|target| {
                            has_key(target, &references.columns)
                                && (!profile.typed
                                    || fits(collection, columns, target, &references.columns))
                        })
                }
                _ => true,
            }
    });
    let circular = collection.fields.iter().any(|field| {
        field
            .generated
            .as_ref()
            .is_some_and(|generated| generated.expression.mentions(&field.name))
    });
    fields
        && stored
        && rules
        && !circular
        && (!collection.options.sql.without_rowid || !key.is_empty())
}

/// Whether a foreign key's fields are of the types of those that they point at, which do not wait.
pub(super) fn fits(
    collection: &Collection,
    own: &[Name],
    target: &Collection,
    theirs: &[Name],
) -> bool {
    let word = |collection: &Collection, name: &Name| {
        collection.field(name).map(|field| field.field_type.name())
    };
    let at_once = target.constraints.iter().any(|constraint| {
        matches!(constraint.rule, Rule::PrimaryKey(_) | Rule::Unique(_))
            && constraint.deferrable.is_none()
            && constraint.columns().len() == theirs.len()
            && theirs
                .iter()
                .all(|name| constraint.columns().contains(name))
    });
    at_once
        && own.iter().zip(theirs).all(|(mine, theirs)| {
            let (mine, theirs) = (word(collection, mine), word(target, theirs));
            mine == theirs && mine != Some(TypeName::Enum) && mine != Some(TypeName::Array)
        })
}

pub(super) fn has_key(collection: &Collection, columns: &[Name]) -> bool {
    let same = |key: &[Name]| {
        key.len() == columns.len() && columns.iter().all(|column| key.contains(column))
    };
    collection.constraints.iter().any(|constraint| {
        matches!(constraint.rule, Rule::PrimaryKey(_) | Rule::Unique(_))
            && same(constraint.columns())
    }) || collection.indexes.iter().any(|index| {
        let names: Vec<Name> = index
            .fields
            .iter()
            .filter_map(|key| key.name().cloned())
            .collect();
        index.unique
            && index.predicate.is_none()
            && names.len() == index.fields.len()
            && index.fields.iter().all(|key| key.collation.is_none())
            && same(&names)
    })
}
