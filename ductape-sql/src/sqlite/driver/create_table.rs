//! Reading `CREATE TABLE` as `sqlite_schema` keeps it.
//!
//! The pragmas do not tell names of constraints, checks, collations or generated expressions, so the
//! text is read: cut into tokens, and taken apart by SQLite's own grammar (lang_createtable.html).
//! Expressions are not looked into.

use super::super::dialect::sql;
use super::super::table::{deferred, foreign_key};
use super::super::text::{Walk, plain, split};
use ductape_core::schema::{Constraint, Deferrable, References, ReferentialAction, Rule};
use ductape_core::{BackendName, Expression, Name};

/// A column as it is declared.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParsedColumn {
    pub name: String,
    pub declared: String,
    pub not_null: bool,
    /// What happens instead of an error where null is given.
    pub not_null_conflict: Option<String>,
    pub default: Option<String>,
    pub collation: Option<String>,
    pub generated: Option<(String, bool)>,
    pub auto_increment: bool,
    /// Checks with their names.
    pub checks: Vec<(Option<Name>, String)>,
    /// The other constraints, with their names if they have any.
    pub constraints: Vec<Constraint>,
}

/// A table as it is declared.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParsedTable {
    pub columns: Vec<ParsedColumn>,
    pub constraints: Vec<Constraint>,
    pub strict: bool,
    pub without_rowid: bool,
}

const TABLE_CONSTRAINTS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

/// Reads `CREATE TABLE`; nothing if it is another statement (`CREATE VIRTUAL TABLE`).
pub(crate) fn parse_table(text: &str) -> Option<ParsedTable> {
    let text = plain(text);
    let mut walk = Walk::new(&text);
    if !walk.word("CREATE") || !walk.word("TABLE") {
        return None;
    }
    walk.name()?;
    let body = walk.bracketed()?;
    let mut table = ParsedTable::default();
    for part in split(&body) {
        let mut walk = Walk::new(part);
        if !walk.is_next(&TABLE_CONSTRAINTS) {
            table.columns.push(parse_column(&mut walk)?);
            continue;
        }
        // The comma between them may be left out.
        while walk.peek().is_some() {
            let constraint = table_constraint(&mut walk, &mut table.columns)?;
            table.constraints.push(constraint);
        }
    }
    while let Some(token) = walk.take() {
        table.strict |= token.is_word("STRICT");
        table.without_rowid |= token.is_word("ROWID");
    }
    Some(table)
}

/// The keys of a unique or primary key, and what they say that the model does not: how they are
/// collated and sorted.
struct Keys {
    columns: Vec<Name>,
    says_more: bool,
    text: String,
    auto_increment: bool,
}

fn keys(walk: &mut Walk<'_>) -> Option<Keys> {
    let inner = walk.bracketed()?;
    let mut keys = Keys {
        columns: Vec::new(),
        says_more: false,
        text: String::new(),
        auto_increment: false,
    };
    for part in split(&inner) {
        let mut walk = Walk::new(part);
        let column = Name::new(walk.name()?).ok()?;
        let mut text = sql().name(&column);
        while let Some(token) = walk.take() {
            if token.is_word("COLLATE") {
                let collation = Name::new(walk.name()?.to_ascii_uppercase()).ok()?;
                text = text.words(" COLLATE ").name(&collation);
                keys.says_more = true;
            } else if token.is_word("DESC") {
                text = text.words(" DESC");
                keys.says_more = true;
            } else if token.is_word("AUTOINCREMENT") {
                keys.auto_increment = true;
            } else if !token.is_word("ASC") {
                return None;
            }
        }
        if !keys.text.is_empty() {
            keys.text.push_str(", ");
        }
        keys.text.push_str(&text.finish());
        keys.columns.push(column);
    }
    Some(keys)
}

impl Keys {
    /// The constraint, in its own words where the model cannot say it.
    fn constraint(
        self,
        name: Option<Name>,
        word: &str,
        conflict: Option<String>,
        rule: fn(Vec<Name>) -> Rule,
    ) -> Constraint {
        let mut constraint = Constraint::new(rule(self.columns));
        constraint.name = name;
        if self.says_more || conflict.is_some() {
            let conflict = conflict.map_or_else(String::new, |word| format!(" ON CONFLICT {word}"));
            let text = format!("{word} ({}){conflict}", self.text);
            constraint.native.insert(BackendName::Sqlite, text);
        }
        constraint
    }
}

fn table_constraint(walk: &mut Walk<'_>, columns: &mut [ParsedColumn]) -> Option<Constraint> {
    let mut name = None;
    while walk.word("CONSTRAINT") {
        name = Name::new(walk.name()?).ok();
    }
    if walk.word("PRIMARY") {
        walk.word("KEY");
        let keys = keys(walk)?;
        for column in columns {
            column.auto_increment |= keys.auto_increment
                && keys
                    .columns
                    .iter()
                    .any(|key| key.as_str().eq_ignore_ascii_case(&column.name));
        }
        let conflict = walk.conflict();
        Some(keys.constraint(name, "PRIMARY KEY", conflict, Rule::PrimaryKey))
    } else if walk.word("UNIQUE") {
        let keys = keys(walk)?;
        let conflict = walk.conflict();
        Some(keys.constraint(name, "UNIQUE", conflict, Rule::Unique))
    } else if walk.word("CHECK") {
        let mut check = Constraint::new(Rule::Check(Expression::new(walk.bracketed()?)));
        check.name = name;
        // Read by SQLite, and without effect (lang_conflict.html).
        walk.conflict();
        Some(check)
    } else if walk.word("FOREIGN") {
        walk.word("KEY");
        let columns = keys(walk)?.columns;
        references(walk, name, columns)
    } else {
        None
    }
}

/// A foreign key, from `REFERENCES` on.
fn references(walk: &mut Walk<'_>, name: Option<Name>, columns: Vec<Name>) -> Option<Constraint> {
    if !walk.word("REFERENCES") {
        return None;
    }
    let table = Name::new(walk.name()?).ok()?;
    let targets = match walk.peek() {
        Some(token) if token.is_symbol("(") => keys(walk)?.columns,
        _ => Vec::new(),
    };
    let mut references = References {
        table,
        columns: targets,
        on_delete: None,
        on_update: None,
    };
    let mut deferrable = None;
    let mut matched = None;
    loop {
        if walk.word("ON") {
            let delete = walk.word("DELETE");
            let action = match delete || walk.word("UPDATE") {
                true => referential_action(walk)?,
                // `ON INSERT` is read, and means nothing.
                false => {
                    walk.take();
                    referential_action(walk)?;
                    continue;
                }
            };
            let action = Some(action).filter(|a| *a != ReferentialAction::NoAction);
            if delete {
                references.on_delete = action;
            } else {
                references.on_update = action;
            }
        } else if walk.word("MATCH") {
            matched = Some(walk.name()?.to_ascii_uppercase());
        } else if walk.is_next(&["DEFERRABLE"]) {
            deferrable = late(walk);
        } else {
            // NOT DEFERRABLE is what a constraint is anyway; NOT NULL is another one.
            let mut ahead = walk.clone();
            if !(ahead.word("NOT") && ahead.is_next(&["DEFERRABLE"])) {
                break;
            }
            late(&mut ahead);
            *walk = ahead;
        }
    }
    let text = (matched.is_some() || references.columns.is_empty()).then(|| {
        let text = sql().words("FOREIGN KEY (").names(&columns).words(")");
        let text = foreign_key(text, &references)
            .maybe(matched, |text, word| text.words(" MATCH ").sql(&word));
        deferred(text, deferrable).finish()
    });
    let mut constraint = Constraint::new(Rule::ForeignKey(columns, references));
    constraint.name = name;
    constraint.deferrable = deferrable;
    if let Some(text) = text {
        constraint.native.insert(BackendName::Sqlite, text);
    }
    Some(constraint)
}

fn referential_action(walk: &mut Walk<'_>) -> Option<ReferentialAction> {
    Some(if walk.word("SET") {
        if walk.word("NULL") {
            ReferentialAction::SetNull
        } else {
            walk.take()?;
            ReferentialAction::SetDefault
        }
    } else if walk.word("CASCADE") {
        ReferentialAction::Cascade
    } else if walk.word("RESTRICT") {
        ReferentialAction::Restrict
    } else {
        walk.take()?;
        walk.take()?;
        ReferentialAction::NoAction
    })
}

/// `DEFERRABLE` and when.
fn late(walk: &mut Walk<'_>) -> Option<Deferrable> {
    walk.word("DEFERRABLE");
    if walk.word("INITIALLY") && walk.take()?.is_word("DEFERRED") {
        return Some(Deferrable::Deferred);
    }
    Some(Deferrable::Immediate)
}

fn parse_column(walk: &mut Walk<'_>) -> Option<ParsedColumn> {
    const CONSTRAINTS: [&str; 11] = [
        "CONSTRAINT",
        "PRIMARY",
        "NOT",
        "NULL",
        "UNIQUE",
        "CHECK",
        "DEFAULT",
        "COLLATE",
        "REFERENCES",
        "GENERATED",
        "AS",
    ];
    let mut column = ParsedColumn {
        name: walk.name()?,
        declared: walk.words_until(&CONSTRAINTS)?,
        ..ParsedColumn::default()
    };
    let mut name: Option<Name> = None;
    while let Some(token) = walk.peek() {
        if token.is_word("CONSTRAINT") {
            walk.take();
            name = Name::new(walk.name()?).ok();
        } else {
            column_constraint(walk, &mut column, name.take())?;
        }
    }
    Some(column)
}

fn column_constraint(
    walk: &mut Walk<'_>,
    column: &mut ParsedColumn,
    name: Option<Name>,
) -> Option<()> {
    let only = vec![Name::new(&column.name).ok()?];
    let keys = |columns: Vec<Name>| Keys {
        text: sql().names(&columns).finish(),
        columns,
        says_more: false,
        auto_increment: false,
    };
    if walk.is_next(&["REFERENCES"]) {
        column.constraints.push(references(walk, name, only)?);
    } else if walk.is_next(&["DEFERRABLE"]) {
        let deferrable = late(walk);
        if let Some(last) = column.constraints.last_mut() {
            last.deferrable = deferrable;
            for text in last.native.values_mut() {
                *text = deferred(sql().sql(text), deferrable).finish();
            }
        }
    } else if walk.word("PRIMARY") {
        walk.word("KEY");
        let descending = walk.word("DESC");
        walk.word("ASC");
        let conflict = walk.conflict();
        column.auto_increment = walk.word("AUTOINCREMENT");
        let words = conflict
            .as_ref()
            .map_or_else(String::new, |word| format!(" ON CONFLICT {word}"));
        let mut key = keys(only).constraint(name, "PRIMARY KEY", conflict, Rule::PrimaryKey);
        if descending || column.auto_increment && !words.is_empty() {
            // These can be said at the column alone.
            let text = format!(
                "PRIMARY KEY{}{words}{}",
                if descending { " DESC" } else { "" },
                if column.auto_increment {
                    " AUTOINCREMENT"
                } else {
                    ""
                },
            );
            key.native.insert(BackendName::Sqlite, text);
        }
        column.constraints.push(key);
    } else if walk.word("NOT") {
        if walk.word("NULL") {
            column.not_null = true;
            column.not_null_conflict = walk.conflict();
        } else {
            late(walk);
        }
    } else if walk.word("NULL") {
        walk.conflict();
    } else if walk.word("UNIQUE") {
        let conflict = walk.conflict();
        column
            .constraints
            .push(keys(only).constraint(name, "UNIQUE", conflict, Rule::Unique));
    } else if walk.word("CHECK") {
        column.checks.push((name, walk.bracketed()?));
        walk.conflict();
    } else if walk.word("DEFAULT") {
        column.default = Some(default(walk)?);
    } else if walk.word("COLLATE") {
        column.collation = Some(walk.name()?);
    } else if walk.is_next(&["GENERATED", "AS"]) {
        if walk.word("GENERATED") {
            walk.word("ALWAYS");
        }
        walk.word("AS");
        let expression = walk.bracketed()?;
        let stored = walk.word("STORED");
        walk.word("VIRTUAL");
        column.generated = Some((expression, stored));
    } else {
        return None;
    }
    Some(())
}

/// What stands after `DEFAULT`; a name there is a text.
fn default(walk: &mut Walk<'_>) -> Option<String> {
    const WORDS: [&str; 6] = [
        "NULL",
        "TRUE",
        "FALSE",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
    ];
    let token = walk.peek()?;
    if token.is_symbol("(") {
        return Some(format!("({})", walk.bracketed()?));
    }
    if token.is_symbol("-") || token.is_symbol("+") {
        walk.take();
        return Some(format!("{}{}", token.source(), walk.take()?.source()));
    }
    let known = walk.is_next(&WORDS);
    walk.take();
    if token.is_word("x")
        && let Some(hex) = walk.peek()
        && hex.source().starts_with('\'')
    {
        walk.take();
        return Some(format!("X{}", hex.source()));
    }
    match token.name() {
        Some(name) if !known => Some(sql().text(&name).finish()),
        _ => Some(token.source().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn a_table_is_read_with_all_that_the_pragmas_do_not_tell() {
        let table = parse_table(
            "CREATE TABLE \"a b\" (\"id\" INTEGER CONSTRAINT \"pk\" PRIMARY KEY AUTOINCREMENT NOT NULL, \
             [x] VARCHAR(20) DEFAULT 'it''s, (x)' COLLATE NOCASE CHECK (x <> ','), y DECIMAL(10, 2) DEFAULT -1.5, \
             z AS (y * 2) STORED, p INTEGER CONSTRAINT fk REFERENCES other(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT NULL, \
             CONSTRAINT u UNIQUE (x, y), FOREIGN KEY (p) REFERENCES q (\"r s\") ON UPDATE CASCADE) STRICT, WITHOUT ROWID",
        )
        .unwrap();
        assert!(table.strict && table.without_rowid);
        let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["id", "x", "y", "z", "p"]);
        assert!(table.columns[0].auto_increment && table.columns[0].not_null);
        assert_eq!(table.columns[1].default.as_deref(), Some("'it''s, (x)'"));
        assert_eq!(table.columns[1].collation.as_deref(), Some("NOCASE"));
        assert_eq!(table.columns[1].checks[0].1, "x <> ','");
        assert_eq!(table.columns[2].declared, "DECIMAL(10, 2)");
        assert_eq!(table.columns[2].default.as_deref(), Some("-1.5"));
        assert_eq!(table.columns[3].generated, Some(("y * 2".to_owned(), true)));
        let key = &table.columns[4].constraints[0];
        assert_eq!(key.deferrable, Some(Deferrable::Deferred));
        assert_eq!(
            key.references().unwrap().on_delete,
            Some(ReferentialAction::SetNull)
        );
        assert!(table.columns[4].not_null);
        assert_eq!(table.constraints.len(), 2);
    }
}
