//! The live schema of a SQLite database, from one query over `sqlite_schema`.

use super::create_table::{ParsedColumn, parse_index, parse_table};
use super::dialect::{read_default, read_type, sql};
use ductape_core::expression::{same, tokens};
use ductape_core::schema::{
    Constraint, Field, FieldType, Generated, Index, NativeDefinition, Rule,
};
use ductape_core::{BackendName, Collection, Expression, Name, Schema};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A row of `sqlite_schema`.
pub(crate) struct SchemaRow {
    pub kind: String,
    pub name: String,
    pub table: String,
    pub text: String,
}

/// The schema that the rows tell; `own` are the names of Ductape's own tables.
pub(crate) fn schema_of(rows: Vec<SchemaRow>, own: &[&str]) -> Schema {
    let mut collections: BTreeMap<String, Collection> = BTreeMap::new();
    let mut natives = Vec::new();
    let rows: Vec<SchemaRow> = rows
        .into_iter()
        .filter(|row| !own.contains(&row.table.as_str()) && !row.name.starts_with("sqlite_"))
        .collect();
    for row in rows.iter().filter(|row| row.kind == "table") {
        if let Some(collection) = collection(row) {
            collections.insert(row.name.clone(), collection);
        } else if let Ok(name) = Name::new(&row.name) {
            natives.push(NativeDefinition {
                kind: "table".to_owned(),
                name,
                definition: row.text.clone(),
                on: None,
                after: Vec::new(),
            });
        }
    }
    for row in rows.iter().filter(|row| row.kind != "table") {
        let Ok(name) = Name::new(&row.name) else {
            continue;
        };
        if row.kind == "index" {
            if let Some(collection) = collections.get_mut(&row.table)
                && let Some(parsed) = parse_index(&row.text)
            {
                let mut index = Index::new(parsed.keys);
                index.name = Some(name);
                index.unique = parsed.unique;
                index.predicate = parsed.predicate.map(Expression::new);
                collection.insert_index(index);
            }
            continue;
        }
        natives.push(NativeDefinition {
            kind: row.kind.clone(),
            on: (row.kind == "trigger")
                .then(|| Name::new(&row.table).ok())
                .flatten(),
            name,
            definition: row.text.clone(),
            after: Vec::new(),
        });
    }
    complete_foreign_keys(&mut collections);
    let mut schema: Schema = collections.into_values().collect();
    for native in natives {
        schema.put_native(native);
    }
    schema.of(BackendName::Sqlite)
}

/// A foreign key that names no columns points at the primary key.
fn complete_foreign_keys(collections: &mut BTreeMap<String, Collection>) {
    let keys: BTreeMap<String, Vec<Name>> = collections
        .iter()
        .map(|(name, collection)| (name.to_ascii_lowercase(), collection.key().to_vec()))
        .collect();
    for collection in collections.values_mut() {
        for constraint in &mut collection.constraints {
            if let Rule::ForeignKey(_, references) = &mut constraint.rule
                && references.columns.is_empty()
                && let Some(key) = keys.get(&references.table.as_str().to_ascii_lowercase())
            {
                references.columns.clone_from(key);
            }
        }
    }
}

fn collection(row: &SchemaRow) -> Option<Collection> {
    let table = parse_table(&row.text)?;
    let mut collection = Collection::new(Name::new(&row.name).ok()?);
    if table.strict || table.without_rowid {
        let options = &mut Arc::make_mut(&mut collection.options).sql;
        options.strict = table.strict;
        options.without_rowid = table.without_rowid;
    }
    let mut constraints: Vec<Constraint> = Vec::new();
    for column in &table.columns {
        let (field, checks) = field(column, table.strict)?;
        collection.fields.push(field);
        constraints.extend(column.constraints.iter().cloned());
        constraints.extend(checks);
    }
    constraints.extend(table.constraints.iter().cloned());
    for mut constraint in constraints {
        if let Rule::PrimaryKey(columns) = &constraint.rule {
            // A rowid's alias is never null; other keys admit null unless they say otherwise.
            let alias = columns.len() == 1
                && collection.field(columns.first()?).is_some_and(|field| {
                    matches!(field.field_type, FieldType::Integer) && field.native.is_empty()
                });
            for field in &mut collection.fields {
                field.required |= alias && columns.contains(&field.name);
                field.required |= table.without_rowid && columns.contains(&field.name);
            }
        }
        if constraint.name.is_none() {
            let mut number = 0;
            let mut name = constraint.made_name(&collection.name, number);
            while collection.constraint(&name).is_some() && number < 1000 {
                number += 1;
                let numbered = constraint.made_name(&collection.name, number);
                name = if numbered == name {
                    Name::made(name.as_str(), [&Name::made(&number.to_string(), [])])
                } else {
                    numbered
                };
            }
            constraint.name = Some(name);
        }
        collection.insert_constraint(constraint);
    }
    Some(collection)
}

fn field(column: &ParsedColumn, strict: bool) -> Option<(Field, Vec<Constraint>)> {
    let (mut field_type, native) = read_type(&column.declared, strict);
    let name = Name::new(&column.name).ok()?;
    let mut checks = Vec::new();
    for (check_name, text) in &column.checks {
        match enum_values(&name, text) {
            Some(values)
                if check_name.is_none()
                    && native.is_none()
                    && matches!(field_type, FieldType::Text) =>
            {
                field_type = FieldType::Enum { values };
            }
            _ => checks.push(Constraint {
                name: check_name.clone(),
                rule: Rule::Check(Expression::new(text)),
                deferrable: None,
                native: BTreeMap::new(),
            }),
        }
    }
    let mut field = Field::new(name, field_type);
    if let Some(native) = native {
        field.native.insert(BackendName::Sqlite, native);
    }
    field.required = column.not_null;
    field.auto_increment = column.auto_increment;
    field.default = column
        .default
        .as_ref()
        .and_then(|text| read_default(text, &field.field_type));
    field.collation = column
        .collation
        .as_ref()
        .map(|collation| collation.to_ascii_uppercase())
        .filter(|collation| collation != "BINARY");
    field.generated = column
        .generated
        .as_ref()
        .map(|(expression, stored)| Generated {
            expression: Expression::new(expression),
            stored: *stored,
        });
    Some((field, checks))
}

/// The values of a check that is just the one that an enum makes.
fn enum_values(name: &Name, text: &str) -> Option<Vec<String>> {
    let values: Vec<String> = tokens(text)
        .filter_map(|token| match token {
            ductape_core::expression::Token::Text(quoted) => Some(
                quoted
                    .strip_prefix('\'')?
                    .strip_suffix('\'')?
                    .replace("''", "'"),
            ),
            _ => None,
        })
        .collect();
    let made = sql()
        .name(name)
        .words(" IN (")
        .texts(values.iter().map(String::as_str))
        .words(")")
        .finish();
    (!values.is_empty() && same(text, &made)).then_some(values)
}
