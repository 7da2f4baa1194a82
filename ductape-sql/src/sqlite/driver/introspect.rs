//! The live schema of a SQLite database, from `sqlite_schema`.

use super::super::dialect::{has_collation, read_default, read_words, sql};
use super::super::text::{names_in, plain, with_columns};
use super::super::words::{Words, rowid_alias};
use super::create_index::parse_index;
use super::create_table::{ParsedColumn, ParsedTable, parse_table};
use ductape_core::expression::{Token, same, tokens};
use ductape_core::schema::{
    Constraint, Field, FieldType, Generated, Index, IndexTarget, NativeDefinition, Rule,
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

impl SchemaRow {
    /// A virtual table keeps what it knows in tables of its own, which are nobody else's business.
    pub fn is_virtual(&self) -> bool {
        let mut words = tokens(&self.text);
        self.kind == "table"
            && words.next().is_some_and(|word| word.is_word("CREATE"))
            && words.next().is_some_and(|word| word.is_word("VIRTUAL"))
    }
}

/// What a native definition is, where it is a table that the model has no word for.
pub(crate) const VIRTUAL_TABLE: &str = "virtual table";

/// The schema that the rows tell; `hidden` are Ductape's own tables and those of virtual tables.
pub(crate) fn schema_of(rows: Vec<SchemaRow>, hidden: &[&str]) -> Schema {
    let rows: Vec<SchemaRow> = rows
        .into_iter()
        .filter(|row| {
            let own = |name: &&str| name.eq_ignore_ascii_case(&row.table);
            !hidden.iter().any(own) && !row.name.starts_with("sqlite_")
        })
        .collect();
    let mut collections: BTreeMap<String, Collection> = BTreeMap::new();
    let mut natives = Vec::new();
    for row in rows.iter().filter(|row| row.kind == "table") {
        match collection(row) {
            Some(collection) => {
                collections.insert(row.name.to_ascii_lowercase(), collection);
            }
            None => natives.push(row),
        }
    }
    for row in rows.iter().filter(|row| row.kind != "table") {
        match collections.get_mut(&row.table.to_ascii_lowercase()) {
            Some(collection) if row.kind == "index" => {
                if let Some(index) = index(row, collection) {
                    collection.insert_index(index);
                }
            }
            _ if row.kind == "index" => {}
            _ => natives.push(row),
        }
    }
    complete_foreign_keys(&mut collections);
    let mut named: BTreeMap<String, Name> = collections
        .iter()
        .map(|(lower, collection)| (lower.clone(), collection.name.clone()))
        .collect();
    for row in natives.iter().filter(|row| row.kind != "trigger") {
        if let Ok(name) = Name::new(&row.name) {
            named.insert(row.name.to_ascii_lowercase(), name);
        }
    }
    let natives: Vec<NativeDefinition> = natives
        .into_iter()
        .filter_map(|row| native(row, &collections, &named))
        .collect();
    let mut schema: Schema = collections.into_values().collect();
    for native in natives {
        schema.put_native(native);
    }
    schema.of(BackendName::Sqlite)
}

/// A view, a trigger or a table that the model has no word for, after what it names.
fn native(
    row: &SchemaRow,
    collections: &BTreeMap<String, Collection>,
    named: &BTreeMap<String, Name>,
) -> Option<NativeDefinition> {
    let table = row.table.to_ascii_lowercase();
    let is_virtual = row.is_virtual();
    let own = (row.kind != "trigger").then(|| row.name.to_ascii_lowercase());
    let on = collections
        .get(&table)
        .filter(|_| row.kind == "trigger")
        .map(|collection| collection.name.clone());
    let mut mentioned = names_in(&plain(&row.text), is_virtual);
    if row.kind == "trigger" {
        mentioned.insert(table);
    }
    Some(NativeDefinition {
        kind: match is_virtual {
            true => VIRTUAL_TABLE.to_owned(),
            false => row.kind.clone(),
        },
        after: mentioned
            .iter()
            .filter(|name| Some(*name) != own.as_ref())
            .filter_map(|name| named.get(name))
            .filter(|name| Some(*name) != on.as_ref())
            .cloned()
            .collect(),
        name: Name::new(&row.name).ok()?,
        definition: row.text.clone(),
        on,
    })
}

fn index(row: &SchemaRow, collection: &Collection) -> Option<Index> {
    let parsed = parse_index(&row.text)?;
    let columns = columns(collection);
    let mut index = Index::new(parsed.keys);
    for key in &mut index.fields {
        match &mut key.target {
            IndexTarget::Field(name) => *name = as_declared(name, &columns),
            IndexTarget::Expression(expression) => settle(expression, &columns),
        }
    }
    index.name = Some(Name::new(&row.name).ok()?);
    index.unique = parsed.unique;
    index.predicate = parsed
        .predicate
        .map(|text| Expression::new(with_columns(&text, &columns)));
    Some(index)
}

fn columns(collection: &Collection) -> Vec<Name> {
    collection
        .fields
        .iter()
        .map(|field| field.name.clone())
        .collect()
}

/// A name in the case in which it is declared.
fn as_declared(name: &Name, columns: &[Name]) -> Name {
    columns
        .iter()
        .find(|column| column.as_str().eq_ignore_ascii_case(name.as_str()))
        .unwrap_or(name)
        .clone()
}

fn settle(expression: &mut Expression, columns: &[Name]) {
    if let Some(text) = expression.text(BackendName::Sqlite) {
        *expression = Expression::new(with_columns(text, columns));
    }
}

/// A foreign key that names no columns points at the primary key, and names have no case.
fn complete_foreign_keys(collections: &mut BTreeMap<String, Collection>) {
    let targets: BTreeMap<String, (Name, Vec<Name>, Vec<Name>)> = collections
        .iter()
        .map(|(lower, collection)| {
            let target = (
                collection.name.clone(),
                collection.key().to_vec(),
                columns(collection),
            );
            (lower.clone(), target)
        })
        .collect();
    for collection in collections.values_mut() {
        for constraint in &mut collection.constraints {
            if let Rule::ForeignKey(own, references) = &mut constraint.rule
                && let Some((name, key, columns)) =
                    targets.get(&references.table.as_str().to_ascii_lowercase())
            {
                references.table = name.clone();
                if references.columns.is_empty() && key.len() == own.len() {
                    references.columns.clone_from(key);
                }
                for column in &mut references.columns {
                    *column = as_declared(column, columns);
                }
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
    let columns = columns(&collection);
    for field in &mut collection.fields {
        if let Some(generated) = &mut field.generated {
            settle(&mut generated.expression, &columns);
        }
    }
    for mut constraint in constraints {
        settle_rule(&mut constraint.rule, &columns);
        if constraint.name.is_none() {
            constraint.name = Some(made_name(&constraint, &collection));
        }
        collection.insert_constraint(constraint);
    }
    require_key(&mut collection, &table);
    Some(collection)
}

fn settle_rule(rule: &mut Rule, columns: &[Name]) {
    match rule {
        Rule::PrimaryKey(own) | Rule::Unique(own) | Rule::ForeignKey(own, _) => {
            for name in own {
                *name = as_declared(name, columns);
            }
        }
        Rule::Check(expression) => settle(expression, columns),
    }
}

/// The name by which a constraint without one is found.
fn made_name(constraint: &Constraint, collection: &Collection) -> Name {
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
    name
}

/// The fields of a key are required, in the model. One that admits null says so in its own words: of a
/// table with rowids, every one that is neither the rowid nor NOT NULL.
fn require_key(collection: &mut Collection, table: &ParsedTable) {
    let alias = rowid_alias(collection).cloned();
    let key = collection.key().to_vec();
    for (field, column) in collection.fields.iter_mut().zip(&table.columns) {
        if !key.contains(&field.name) {
            continue;
        }
        field.required = true;
        let never = column.not_null || table.without_rowid || table.strict;
        if !never && alias.as_ref() != Some(&field.name) {
            let mut words = Words::of(field, table.strict);
            words.null = true;
            field.native.insert(BackendName::Sqlite, words.text());
        }
    }
}

fn field(column: &ParsedColumn, strict: bool) -> Option<(Field, Vec<Constraint>)> {
    let name = Name::new(&column.name).ok()?;
    let mut words = Words {
        declared: column.declared.clone().into(),
        not_null: column.not_null_conflict.clone(),
        null: false,
        collation: None,
    };
    let (plain_type, _) = read_words(&words, strict);
    let mut collation = column
        .collation
        .as_ref()
        .map(|collation| collation.to_ascii_uppercase())
        .filter(|collation| collation != "BINARY");
    if !has_collation(&plain_type) {
        words.collation = collation.take();
    }
    let (mut field_type, native) = read_words(&words, strict);
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
            _ => {
                let mut check = Constraint::new(Rule::Check(Expression::new(text)));
                check.name.clone_from(check_name);
                checks.push(check);
            }
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
        .filter(|_| !column.auto_increment && column.generated.is_none())
        .and_then(|text| read_default(text, &field.field_type));
    field.collation = collation;
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
            Token::Text(quoted) => Some(
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
    let distinct: std::collections::BTreeSet<&String> = values.iter().collect();
    (!values.is_empty() && distinct.len() == values.len() && same(text, &made)).then_some(values)
}
