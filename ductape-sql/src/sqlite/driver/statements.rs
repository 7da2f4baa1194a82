//! The statements of steps that happen together or not at all.
//!
//! After `ALTER TABLE … ADD COLUMN` SQLite reads its whole schema anew (`renameReloadSchema` in its
//! alter.c), so that a thousand small migrations spend nearly all their time on it. A table that is made
//! in the same savepoint can have the column from the beginning, and what `sqlite_schema` keeps of it is
//! the same to the letter: `sqlite3AlterFinishAddColumn` puts a comma and the definition where the
//! columns end, too. Shown by `together_or_one_by_one_a_schema_is_the_same` in
//! `tests/tests/sqlite_runs.rs`.

use super::super::dialect::sql;
use super::super::text::{Positions, names_in};
use ductape_core::compiler::{Effect, Mark, Target};
use ductape_core::expression::tokens;
use ductape_core::{Name, Step};
use std::collections::{BTreeMap, BTreeSet};

/// The statements that do the steps, in order.
pub(super) fn statements<'s>(steps: impl IntoIterator<Item = &'s Step>) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    let mut made: BTreeMap<&Name, Made> = BTreeMap::new();
    for step in steps {
        let text = step.shown().to_string();
        match step.effects.as_slice() {
            [effect] if is_made(effect) => match &effect.target {
                Target::Collection(name) => {
                    made.insert(name, Made::by(statements.len()));
                }
                Target::Index { collection, .. } => {
                    if let Some(table) = made.get_mut(collection) {
                        table.indexes.push(statements.len());
                    }
                }
                Target::Field { collection, field } => {
                    if let Some(table) = made.get_mut(collection) {
                        if table.takes(&mut statements, collection, field, &text) {
                            continue;
                        }
                        // A later one would come to stand before this one.
                        made.remove(collection);
                    }
                }
                _ => made.clear(),
            },
            // It may be about any of them: what was made stays as it is.
            _ => made.clear(),
        }
        statements.push(text);
    }
    statements
}

fn is_made(effect: &Effect) -> bool {
    (&effect.before, &effect.after) == (&Mark::Absent, &Mark::Present)
}

/// A table that nobody has seen yet.
struct Made {
    /// The place of the statement that makes it.
    at: usize,
    /// The places of the statements that make indexes on it.
    indexes: Vec<usize>,
    /// What is known of its texts, once somebody asked.
    read: Option<Texts>,
}

/// What is known of the texts of a table and of its indexes.
struct Texts {
    /// Where the table's columns end.
    columns_end: usize,
    /// Every name in them, in lower case.
    names: BTreeSet<String>,
    /// How many of the indexes were read.
    indexes: usize,
}

impl Made {
    fn by(at: usize) -> Self {
        Self {
            at,
            indexes: Vec::new(),
            read: None,
        }
    }

    /// Takes a column in, if that is sure to be the same as adding it later.
    fn takes(
        &mut self,
        statements: &mut [String],
        collection: &Name,
        field: &Name,
        add: &str,
    ) -> bool {
        let start = sql()
            .words("ALTER TABLE ")
            .name(collection)
            .words(" ADD COLUMN ")
            .finish();
        let Some(column) = add.strip_prefix(&start) else {
            return false;
        };
        if self.read.is_none() {
            self.read = statements.get(self.at).and_then(|text| Texts::of(text));
        }
        let Some(texts) = &mut self.read else {
            return false;
        };
        for index in self.indexes.iter().skip(texts.indexes) {
            match statements.get(*index) {
                Some(text) if is_plain(text) => texts.names.extend(names_in(text, true)),
                _ => return false,
            }
        }
        texts.indexes = self.indexes.len();
        // An expression that names the column before it is there is an error, and must stay one.
        if !is_plain(column) || texts.names.contains(&field.as_str().to_ascii_lowercase()) {
            return false;
        }
        // As SQLite does with the end of the definition.
        let column = column.trim_end_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r', ';']);
        let Some(table) = statements.get_mut(self.at) else {
            return false;
        };
        let piece = format!(", {column}");
        if !table.is_char_boundary(texts.columns_end) {
            return false;
        }
        table.insert_str(texts.columns_end, &piece);
        texts.columns_end += piece.len();
        texts.names.extend(names_in(column, true));
        true
    }
}

impl Texts {
    fn of(table: &str) -> Option<Self> {
        if !is_plain(table) {
            return None;
        }
        Some(Self {
            columns_end: columns_end(table)?,
            names: names_in(table, true),
            indexes: 0,
        })
    }
}

/// Whether a text has nothing in it that is read in more than one way: comments, and the quotes that
/// only SQLite has.
fn is_plain(text: &str) -> bool {
    !text.contains("--") && !text.contains("/*") && !text.contains(['[', '`'])
}

/// Where the columns of `CREATE TABLE` end: at the comma before its first constraint, or at the closing
/// bracket.
fn columns_end(table: &str) -> Option<usize> {
    const CONSTRAINTS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
    let mut depth = 0_u32;
    let mut comma = None;
    for (token, start, _) in Positions(tokens(table)) {
        if let Some(at) = comma.take()
            && CONSTRAINTS.iter().any(|word| token.is_word(word))
        {
            return Some(at);
        }
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(start);
            }
        } else if token.is_symbol(",") && depth == 1 {
            comma = Some(start);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use ductape_core::Statement;

    #[allow(clippy::unwrap_used, reason = "a test")]
    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn step(target: Target, text: &str) -> Step {
        let mut step = Step::statement(0..1, Statement::sql(text));
        step.effects = vec![Effect::made(target)];
        step
    }

    fn table(text: &str) -> Step {
        step(Target::Collection(name("t")), text)
    }

    fn field(text: &str) -> Step {
        let target = Target::Field {
            collection: name("t"),
            field: name(text.trim_matches('"')),
        };
        step(target, &format!("ALTER TABLE \"t\" ADD COLUMN {text} TEXT"))
    }

    fn index(text: &str) -> Step {
        let target = Target::Index {
            collection: name("t"),
            index: name("i"),
        };
        step(target, text)
    }

    #[test]
    fn a_new_table_has_its_fields_from_the_beginning() {
        let made = [
            table(
                "CREATE TABLE \"t\" (\n  \"a\" DECIMAL(10,2) DEFAULT 'x), CHECK',\n  UNIQUE (\"a\")\n)",
            ),
            index("CREATE INDEX \"i\" ON \"t\" (\"a\")"),
            field("\"b\""),
            field("\"c\""),
        ];
        assert_eq!(
            statements(&made),
            [
                "CREATE TABLE \"t\" (\n  \"a\" DECIMAL(10,2) DEFAULT 'x), CHECK', \"b\" TEXT, \"c\" TEXT,\n  UNIQUE (\"a\")\n)",
                "CREATE INDEX \"i\" ON \"t\" (\"a\")",
            ]
        );
        let without_constraint = [
            table("CREATE TABLE \"t\" (\n  \"a\" INTEGER\n) STRICT"),
            field("\"b\""),
        ];
        assert_eq!(
            statements(&without_constraint),
            ["CREATE TABLE \"t\" (\n  \"a\" INTEGER\n, \"b\" TEXT) STRICT"]
        );
    }

    #[test]
    fn a_field_is_added_where_anything_may_depend_on_when() {
        let plain = || table("CREATE TABLE \"t\" (\"a\" INTEGER)");
        let other = || Step::statement(0..1, Statement::sql("DROP INDEX \"j\""));
        for steps in [
            // The table was there.
            vec![field("\"b\"")],
            // Something else stands between.
            vec![plain(), other(), field("\"b\"")],
            // Something names the field before it is there.
            vec![
                table("CREATE TABLE \"t\" (\"a\" INTEGER, CHECK (b > 0))"),
                field("\"B\""),
            ],
            vec![
                table("CREATE TABLE \"t\" (\"a\" INTEGER, CHECK (a > 'b'))"),
                field("\"b\""),
            ],
            vec![
                plain(),
                index("CREATE INDEX \"i\" ON \"t\" ((lower(b)))"),
                field("\"b\""),
            ],
            // A comment may hide what is put there.
            vec![
                table("CREATE TABLE \"t\" (\"a\" INTEGER -- b\n)"),
                field("\"c\""),
            ],
            vec![
                table("CREATE TABLE \"t\" (\"a\" INTEGER CHECK ([(] > 0))"),
                field("\"c\""),
            ],
        ] {
            let expected: Vec<String> = steps.iter().map(|step| step.shown().to_string()).collect();
            assert_eq!(statements(&steps), expected);
        }
        // Those after one that is added are added, too, or they would come to stand before it.
        let steps = [
            table("CREATE TABLE \"t\" (\"a\" INTEGER, CHECK (b > 0))"),
            field("\"b\""),
            field("\"c\""),
        ];
        assert_eq!(statements(&steps).len(), 3);
    }
}
