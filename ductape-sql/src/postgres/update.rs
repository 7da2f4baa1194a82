//! Moving data, in batches along a key.
//!
//! The work of a `DataJob` is `{"table", "set", "filter", "key"}`: SQL texts, `key` a list of quoted
//! columns that are unique together, never null, and left alone by `set`; an empty list if there are
//! none, and then all rows are one batch. [`batch`] makes one batch's statement from it. That gives one
//! row of three columns: how many rows were changed (`bigint`), whether there may be more (`boolean`),
//! and the cursor after this batch (`text`, null if there is none). Statement and cursor are to be in
//! one transaction with the ledger.

use super::compiler::Compilation;
use super::dialect::sql;
use super::guard::dividing_by_zero;
use super::values::{assigned, condition, number};
use ductape_core::compiler::{Action, DataJob, Effect, Mark, Step, Target};
use ductape_core::operation::Update;
use ductape_core::schema::{Collection, Rule};
use ductape_core::{Name, Schema, Statement};
use serde_json::{Value, json};

impl Compilation<'_> {
    pub(super) fn update(&mut self, at: usize, update: &Update, before: &Schema) {
        let Some(collection) = before.collection(&update.collection) else {
            return;
        };
        let set = sql()
            .each(", ", &update.set, |text, (name, value)| {
                text.name(name)
                    .words(" = ")
                    .sql(&assigned(collection, name, value))
            })
            .finish();
        let filter = condition(collection, &update.filter);
        let statement = sql()
            .words("UPDATE ")
            .name(&update.collection)
            .words(" SET ")
            .sql(&set)
            .words(" WHERE ")
            .sql(&filter)
            .finish();
        let key: Vec<String> = batch_key(collection, update)
            .iter()
            .map(|name| sql().name(name).finish())
            .collect();
        let work = json!({
            "table": sql().name(&update.collection).finish(),
            "set": set,
            "filter": &filter,
            "key": key,
        });
        let statement = Statement::Sql(statement);
        let mut step = Step::statement(at..at + 1, statement.clone());
        step.action = Action::Data(Box::new(DataJob {
            collection: update.collection.clone(),
            statement,
            work,
        }));
        step.effects.push(Effect {
            target: Target::Data {
                collection: update.collection.clone(),
            },
            before: Mark::Present,
            after: Mark::Present,
        });
        for (field, value) in &update.set {
            let mut divisors = Vec::new();
            value.divisors(&mut divisors);
            step.guards.extend(divisors.iter().map(|divisor| {
                let divisor = number(collection, divisor);
                dividing_by_zero(collection, field, &filter, &divisor)
            }));
        }
        self.push(step);
    }
}

/// The columns that the batches go along: the primary key, or else a unique key without nulls, that the
/// update itself leaves alone.
fn batch_key<'c>(collection: &'c Collection, update: &Update) -> &'c [Name] {
    let fits = |columns: &&[Name]| {
        !columns.is_empty()
            && columns.iter().all(|name| {
                !update.set.contains_key(name)
                    && collection.field(name).is_some_and(|field| field.required)
            })
    };
    let unique = collection
        .constraints
        .iter()
        .filter(|constraint| matches!(constraint.rule, Rule::Unique(_)))
        .map(|constraint| constraint.columns());
    std::iter::once(collection.key())
        .chain(unique)
        .find(fits)
        .unwrap_or(&[])
}

/// The statement of one batch, from where the last one ended. See the module for what it gives.
#[allow(
    dead_code,
    reason = "the session calls it, which comes with the driver"
)]
pub(crate) fn batch(work: &Value, cursor: Option<&str>, size: u32) -> Option<String> {
    let text = |key: &str| work.get(key).and_then(Value::as_str);
    let (table, set, filter) = (text("table")?, text("set")?, text("filter")?);
    let key: Vec<&str> = work
        .get("key")?
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if key.is_empty() {
        return Some(format!(
            "WITH changed AS (UPDATE {table} SET {set} WHERE {filter} RETURNING 1)\n\
             SELECT count(*), FALSE, NULL::text FROM changed"
        ));
    }
    let columns = key.join(", ");
    let after = cursor.map_or_else(String::new, |cursor| {
        format!(" AND ({columns}) > ({cursor})")
    });
    let backwards = key
        .iter()
        .map(|column| format!("{column} DESC"))
        .collect::<Vec<_>>()
        .join(", ");
    // The cursor is the last key as literals, which take the columns' types where they are compared.
    let literals = key
        .iter()
        .map(|column| format!("quote_literal({column})"))
        .collect::<Vec<_>>()
        .join(", ");
    Some(format!(
        "WITH batch AS MATERIALIZED (SELECT {columns} FROM {table} WHERE ({filter}){after} ORDER BY {columns} LIMIT {size} FOR UPDATE),\n\
         changed AS (UPDATE {table} SET {set} WHERE ({columns}) IN (SELECT {columns} FROM batch) RETURNING 1)\n\
         SELECT (SELECT count(*) FROM changed), (SELECT count(*) = {size} FROM batch), (SELECT concat_ws(', ', {literals}) FROM batch ORDER BY {backwards} LIMIT 1)"
    ))
}
