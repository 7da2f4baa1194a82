//! How PostgreSQL writes indexes, and which it has.

use super::dialect::sql;
use crate::writer::Sql;
use ductape_core::schema::{Collection, Index, IndexKey, IndexTarget, Method, Nulls};
use ductape_core::{BackendName, Name};
use serde_json::Value;

/// `CREATE INDEX`.
pub(crate) fn create_index(
    collection: &Name,
    name: &Name,
    index: &Index,
    concurrently: bool,
) -> String {
    let mut text = sql()
        .words("CREATE ")
        .words_if(index.unique, "UNIQUE ")
        .words("INDEX ")
        .words_if(concurrently, "CONCURRENTLY ")
        .name(name)
        .words(" ON ")
        .name(collection)
        .maybe(
            index.method.filter(|m| *m != Method::Btree),
            |text, method| text.words(" USING ").words(method.word()),
        )
        .words(" (")
        .each(", ", &index.fields, index_key)
        .words(")");
    if !index.include.is_empty() {
        text = text.words(" INCLUDE (").names(&index.include).words(")");
    }
    text = text.words_if(index.nulls_not_distinct, " NULLS NOT DISTINCT");
    if !index.with.is_empty() {
        text = text
            .words(" WITH (")
            .each(", ", &index.with, |text, (key, value)| {
                storage_option(text, key, value)
            })
            .words(")");
    }
    let predicate = index
        .predicate
        .as_ref()
        .and_then(|p| p.text(BackendName::Postgresql));
    text.maybe(predicate, |text, predicate| {
        text.words(" WHERE ").sql(predicate)
    })
    .finish()
}

fn index_key(text: Sql, key: &IndexKey) -> Sql {
    let text = match &key.target {
        IndexTarget::Field(name) => text.name(name),
        IndexTarget::Expression(expression) => text
            .words("(")
            .sql(expression.text(BackendName::Postgresql).unwrap_or("NULL"))
            .words(")"),
    };
    let collation = key.collation.as_ref().and_then(|c| Name::new(c).ok());
    let nulls = key
        .nulls
        .filter(|nulls| *nulls != nulls_by_default(key.descending));
    text.maybe(collation, |text, collation| {
        text.words(" COLLATE ").name(&collation)
    })
    .maybe(key.operator_class.as_deref(), |text, class| {
        operator_class(text.words(" "), class)
    })
    .words_if(key.descending, " DESC")
    .maybe(nulls, |text, nulls| match nulls {
        Nulls::First => text.words(" NULLS FIRST"),
        Nulls::Last => text.words(" NULLS LAST"),
    })
}

/// Leaves out the collations that keys have from their fields anyway: the server does not tell these.
pub(crate) fn without_implied_collations(index: &mut Index, collection: &Collection) {
    for key in &mut index.fields {
        let Some(own) = key.collation.as_deref() else {
            continue;
        };
        let implied = match &key.target {
            IndexTarget::Field(name) => collection
                .field(name)
                .is_some_and(|field| field.collation.as_deref().unwrap_or("default") == own),
            IndexTarget::Expression(expression) => collection.fields.iter().any(|field| {
                field.collation.as_deref() == Some(own) && expression.mentions(&field.name)
            }),
        };
        if implied {
            key.collation = None;
        }
    }
}

/// Where nulls stand unless something is said (indexes-ordering).
pub(crate) fn nulls_by_default(descending: bool) -> Nulls {
    if descending {
        Nulls::First
    } else {
        Nulls::Last
    }
}

/// An operator class: a name, perhaps with its schema before it and its parameters behind.
fn operator_class(text: Sql, class: &str) -> Sql {
    let (name, parameters) = match class.split_once('(') {
        Some((name, parameters)) => (name.trim(), Some(parameters)),
        None => (class.trim(), None),
    };
    let parts: Vec<Name> = name
        .split('.')
        .filter_map(|part| Name::new(part.trim().trim_matches('"')).ok())
        .collect();
    let text = text.each(".", &parts, |text, part| text.name(part));
    match parameters {
        Some(parameters) => text.words(" (").sql(parameters),
        None => text,
    }
}

fn storage_option(text: Sql, key: &str, value: &Value) -> Sql {
    let text = match Name::new(key) {
        Ok(key) => text.name(&key),
        Err(_) => text,
    };
    let text = text.words(" = ");
    match value {
        Value::Bool(true) => text.words("on"),
        Value::Bool(false) => text.words("off"),
        Value::Number(number) => text.sql(&number.to_string()),
        Value::String(word) => text.text(word),
        other => text.text(&other.to_string()),
    }
}

/// `DROP INDEX`.
pub(crate) fn drop_index(name: &Name, concurrently: bool) -> String {
    sql()
        .words("DROP INDEX ")
        .words_if(concurrently, "CONCURRENTLY ")
        .name(name)
        .finish()
}

/// What PostgreSQL's indexes do not have, each with what to do instead.
pub(crate) fn cannot(index: &Index) -> Vec<(String, &'static str)> {
    let mut cannot = Vec::new();
    let ordered = index.method.is_none_or(|method| method == Method::Btree);
    if let Some(method) = index.method {
        match method {
            Method::Btree
            | Method::Hash
            | Method::Gin
            | Method::Gist
            | Method::Spgist
            | Method::Brin => {}
            Method::Fulltext => cannot.push((
                "PostgreSQL has no index method fulltext".to_owned(),
                "use gin over {\"expression\": \"to_tsvector('english', …)\"}",
            )),
            Method::Spatial => cannot.push((
                "PostgreSQL has no index method spatial".to_owned(),
                "use gist",
            )),
            other => cannot.push((
                format!("PostgreSQL has no index method {}", other.word()),
                "use btree, hash, gin, gist, spgist or brin",
            )),
        }
    }
    let mut no = |condition: bool, reason: &str, hint: &'static str| {
        if condition {
            cannot.push((reason.to_owned(), hint));
        }
    };
    no(
        index.hidden,
        "PostgreSQL's indexes cannot be hidden",
        "leave out hidden",
    );
    no(
        index.unique && !ordered,
        "only a btree index can be unique in PostgreSQL",
        "leave out method or unique",
    );
    no(
        index.nulls_not_distinct && !index.unique,
        "nullsNotDistinct says something of unique indexes alone",
        "leave it out, or add unique",
    );
    no(
        !index.include.is_empty()
            && !ordered
            && !matches!(index.method, Some(Method::Gist | Method::Spgist)),
        "this index method keeps no included fields",
        "leave out include, or use btree or gist",
    );
    no(
        index.fields.iter().any(|key| key.length.is_some()),
        "PostgreSQL's indexes have no prefix lengths",
        "index {\"expression\": \"left(field, n)\"} instead of a length",
    );
    no(
        !ordered
            && index
                .fields
                .iter()
                .any(|key| key.descending || key.nulls.is_some()),
        "only a btree index has an order",
        "leave out order and nulls",
    );
    no(
        index.fields.iter().any(|key| {
            key.operator_class
                .as_deref()
                .is_some_and(|class| ductape_core::expression::check(class).is_err())
        }),
        "an operator class is a name, with its parameters in brackets",
        "write it as PostgreSQL's manual does: gin_trgm_ops, gist_trgm_ops(siglen=32)",
    );
    cannot
}
