//! Reading `CREATE TABLE` and `CREATE INDEX` as `sqlite_schema` keeps them.
//!
//! The pragmas do not tell names of constraints, checks, collations or generated expressions, so the
//! text is read: cut into tokens, and taken apart by SQLite's own grammar (lang_createtable.html).
//! Expressions are not looked into.

use ductape_core::expression::{Token, Tokens, tokens};
use ductape_core::schema::{
    Constraint, Deferrable, IndexKey, IndexTarget, References, ReferentialAction, Rule,
};
use ductape_core::{Expression, Name};

/// A column as it is declared.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParsedColumn {
    pub name: String,
    pub declared: String,
    pub not_null: bool,
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

/// An index as it is declared.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParsedIndex {
    pub unique: bool,
    pub keys: Vec<IndexKey>,
    pub predicate: Option<String>,
}

/// Walks over tokens, one ahead, and knows where in the text it is.
struct Walk<'t> {
    text: &'t str,
    tokens: std::iter::Peekable<Positions<'t>>,
    /// Where the last token taken ended.
    end: usize,
}

struct Positions<'t>(Tokens<'t>);

impl<'t> Iterator for Positions<'t> {
    type Item = (Token<'t>, usize, usize);
    fn next(&mut self) -> Option<Self::Item> {
        let token = self.0.next()?;
        let end = self.0.position();
        Some((token, end - token.source().len(), end))
    }
}

impl<'t> Walk<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            tokens: Positions(tokens(text)).peekable(),
            end: 0,
        }
    }

    fn peek(&mut self) -> Option<Token<'t>> {
        self.tokens.peek().map(|(token, ..)| *token)
    }

    fn take(&mut self) -> Option<Token<'t>> {
        let (token, _, end) = self.tokens.next()?;
        self.end = end;
        Some(token)
    }

    fn word(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(keyword));
        if found {
            self.take();
        }
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_symbol(symbol));
        if found {
            self.take();
        }
        found
    }

    /// A name, quoted in any of SQLite's ways, texts included.
    fn name(&mut self) -> Option<String> {
        let token = self.take()?;
        match token {
            Token::Text(quoted) => Some(quoted.trim_matches('\'').replace("''", "'")),
            token => token.name(),
        }
    }

    /// What stands in brackets, as it is written; the opening one comes next.
    fn bracketed(&mut self) -> Option<String> {
        if !self.symbol("(") {
            return None;
        }
        let start = self.end;
        let mut depth = 1;
        loop {
            let (token, at, end) = self.tokens.next()?;
            self.end = end;
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth -= 1;
                if depth == 0 {
                    return self
                        .text
                        .get(start..at)
                        .map(|inner| inner.trim().to_owned());
                }
            }
        }
    }

    /// A list of names in brackets; what else stands beside a name is passed over.
    fn names(&mut self) -> Option<Vec<Name>> {
        let inner = self.bracketed()?;
        let mut names = Vec::new();
        for part in split(&inner) {
            names.push(Name::new(Walk::new(part).name()?).ok()?);
        }
        Some(names)
    }

    fn conflict_clause(&mut self) {
        if self.word("ON") {
            self.word("CONFLICT");
            self.take();
        }
    }
}

/// A text cut at the commas that stand in no brackets.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0_i32;
    let mut start = 0;
    for (token, at, end) in Positions(tokens(text)) {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        } else if token.is_symbol(",") && depth == 0 {
            parts.extend(text.get(start..at));
            start = end;
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// Reads `CREATE TABLE`; nothing if it is another statement (`CREATE VIRTUAL TABLE`, `AS SELECT`).
pub(crate) fn parse_table(text: &str) -> Option<ParsedTable> {
    let mut walk = Walk::new(text);
    if !walk.word("CREATE") {
        return None;
    }
    let _ = walk.word("TEMP") || walk.word("TEMPORARY");
    if !walk.word("TABLE") {
        return None;
    }
    if walk.word("IF") {
        walk.take();
        walk.take();
    }
    walk.name()?;
    if walk.symbol(".") {
        walk.name()?;
    }
    let body = walk.bracketed()?;
    let mut table = ParsedTable::default();
    for part in split(&body) {
        let mut walk = Walk::new(part);
        let constraint = match walk.peek() {
            Some(Token::Word(word)) => ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]
                .iter()
                .any(|keyword| word.eq_ignore_ascii_case(keyword)),
            _ => false,
        };
        if constraint {
            table.constraints.push(table_constraint(&mut walk)?);
        } else {
            table.columns.push(parse_column(&mut walk)?);
        }
    }
    while let Some(token) = walk.take() {
        table.strict |= token.is_word("STRICT");
        table.without_rowid |= token.is_word("ROWID");
    }
    Some(table)
}

fn table_constraint(walk: &mut Walk<'_>) -> Option<Constraint> {
    let mut name = None;
    if walk.word("CONSTRAINT") {
        name = Name::new(walk.name()?).ok();
    }
    let mut deferrable = None;
    let rule = if walk.word("PRIMARY") {
        walk.word("KEY");
        let columns = walk.names()?;
        Rule::PrimaryKey(columns)
    } else if walk.word("UNIQUE") {
        Rule::Unique(walk.names()?)
    } else if walk.word("CHECK") {
        Rule::Check(Expression::new(walk.bracketed()?))
    } else if walk.word("FOREIGN") {
        walk.word("KEY");
        let columns = walk.names()?;
        let (references, late) = references(walk)?;
        deferrable = late;
        Rule::ForeignKey(columns, references)
    } else {
        return None;
    };
    walk.conflict_clause();
    Some(Constraint {
        name,
        rule,
        deferrable,
    })
}

fn references(walk: &mut Walk<'_>) -> Option<(References, Option<Deferrable>)> {
    if !walk.word("REFERENCES") {
        return None;
    }
    let table = Name::new(walk.name()?).ok()?;
    let columns = match walk.peek() {
        Some(token) if token.is_symbol("(") => walk.names()?,
        _ => Vec::new(),
    };
    let mut references = References {
        table,
        columns,
        on_delete: None,
        on_update: None,
    };
    let mut deferrable = None;
    loop {
        if walk.word("ON") {
            let delete = walk.word("DELETE");
            if !delete {
                walk.word("UPDATE");
            }
            let action = if walk.word("SET") {
                if walk.word("NULL") {
                    ReferentialAction::SetNull
                } else {
                    walk.take();
                    ReferentialAction::SetDefault
                }
            } else if walk.word("CASCADE") {
                ReferentialAction::Cascade
            } else if walk.word("RESTRICT") {
                ReferentialAction::Restrict
            } else {
                walk.take();
                walk.take();
                ReferentialAction::NoAction
            };
            let action = Some(action).filter(|a| *a != ReferentialAction::NoAction);
            if delete {
                references.on_delete = action;
            } else {
                references.on_update = action;
            }
        } else if walk.word("MATCH") {
            walk.take();
        } else if walk.word("DEFERRABLE") {
            deferrable = Some(Deferrable::Immediate);
            if walk.word("INITIALLY") {
                if walk.word("DEFERRED") {
                    deferrable = Some(Deferrable::Deferred);
                } else {
                    walk.take();
                }
            }
        } else {
            break;
        }
    }
    Some((references, deferrable))
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
        ..ParsedColumn::default()
    };
    let start = walk.tokens.peek().map(|(_, start, _)| *start);
    let mut end = None;
    while let Some(token) = walk.peek() {
        let is_constraint = matches!(token, Token::Word(word)
            if CONSTRAINTS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)));
        if is_constraint {
            break;
        }
        if token.is_symbol("(") {
            walk.bracketed()?;
        } else {
            walk.take();
        }
        end = Some(walk.end);
    }
    if let (Some(start), Some(end)) = (start, end) {
        column.declared = walk.text.get(start..end).unwrap_or("").to_owned();
    }
    let only = |column: &ParsedColumn| Name::new(&column.name).ok().map(|name| vec![name]);
    let mut name: Option<Name> = None;
    while let Some(token) = walk.take() {
        let is = |keyword: &str| token.is_word(keyword);
        let constraint_name = if is("CONSTRAINT") { None } else { name.take() };
        if is("CONSTRAINT") {
            name = Name::new(walk.name()?).ok();
        } else if is("PRIMARY") {
            walk.word("KEY");
            let _ = walk.word("ASC") || walk.word("DESC");
            walk.conflict_clause();
            column.auto_increment = walk.word("AUTOINCREMENT");
            let columns = only(&column)?;
            column.constraints.push(Constraint {
                name: constraint_name,
                rule: Rule::PrimaryKey(columns),
                deferrable: None,
            });
        } else if is("NOT") {
            if walk.word("NULL") {
                column.not_null = true;
                walk.conflict_clause();
            } else {
                // NOT DEFERRABLE is what a constraint is anyway.
                walk.take();
            }
        } else if is("NULL") {
        } else if is("UNIQUE") {
            walk.conflict_clause();
            let columns = only(&column)?;
            column.constraints.push(Constraint {
                name: constraint_name,
                rule: Rule::Unique(columns),
                deferrable: None,
            });
        } else if is("CHECK") {
            let expression = walk.bracketed()?;
            column.checks.push((constraint_name, expression));
        } else if is("DEFAULT") {
            column.default = Some(match walk.peek()? {
                token if token.is_symbol("(") => format!("({})", walk.bracketed()?),
                token if token.is_symbol("-") || token.is_symbol("+") => {
                    walk.take();
                    format!("{}{}", token.source(), walk.take()?.source())
                }
                token => {
                    walk.take();
                    let blob = token.is_word("x") && matches!(walk.peek(), Some(Token::Text(_)));
                    match blob {
                        true => format!("X{}", walk.take()?.source()),
                        false => token.source().to_owned(),
                    }
                }
            });
        } else if is("COLLATE") {
            column.collation = Some(walk.name()?);
        } else if is("REFERENCES") {
            let rest = walk.text.get(walk.end..)?;
            let mut sub = Walk::new(rest);
            let source = format!("REFERENCES {}", sub.text);
            let mut again = Walk::new(&source);
            let (references, deferrable) = references(&mut again)?;
            let consumed = again.end.saturating_sub("REFERENCES ".len());
            while sub.end < consumed {
                sub.take()?;
                walk.take()?;
            }
            let columns = only(&column)?;
            column.constraints.push(Constraint {
                name: constraint_name,
                rule: Rule::ForeignKey(columns, references),
                deferrable,
            });
        } else if is("GENERATED") || is("AS") {
            if is("GENERATED") {
                walk.word("ALWAYS");
                walk.word("AS");
            }
            let expression = walk.bracketed()?;
            let stored = walk.word("STORED");
            if !stored {
                walk.word("VIRTUAL");
            }
            column.generated = Some((expression, stored));
        }
    }
    Some(column)
}

/// Reads `CREATE INDEX`.
pub(crate) fn parse_index(text: &str) -> Option<ParsedIndex> {
    let mut walk = Walk::new(text);
    walk.word("CREATE");
    let mut index = ParsedIndex {
        unique: walk.word("UNIQUE"),
        ..ParsedIndex::default()
    };
    if !walk.word("INDEX") {
        return None;
    }
    if walk.word("IF") {
        walk.take();
        walk.take();
    }
    walk.name()?;
    if walk.symbol(".") {
        walk.name()?;
    }
    walk.word("ON");
    walk.name()?;
    let keys = walk.bracketed()?;
    for part in split(&keys) {
        index.keys.push(parse_key(part)?);
    }
    if walk.word("WHERE") {
        index.predicate = text
            .get(walk.end..)
            .map(|rest| rest.trim().trim_end_matches(';').trim().to_owned());
    }
    Some(index)
}

fn parse_key(part: &str) -> Option<IndexKey> {
    let all: Vec<(Token<'_>, usize, usize)> = Positions(tokens(part)).collect();
    let mut length = all.len();
    let mut descending = false;
    let mut collation = None;
    if let Some((token, ..)) = all.get(length.wrapping_sub(1)) {
        if token.is_word("DESC") {
            descending = true;
            length -= 1;
        } else if token.is_word("ASC") {
            length -= 1;
        }
    }
    if length >= 3
        && all
            .get(length - 2)
            .is_some_and(|(token, ..)| token.is_word("COLLATE"))
    {
        collation = all.get(length - 1).and_then(|(token, ..)| token.name());
        length -= 2;
    }
    let (_, _, end) = all.get(length.checked_sub(1)?)?;
    let target = match all.first()? {
        (token @ (Token::Word(_) | Token::Quoted(_)), ..) if length == 1 => {
            IndexTarget::Field(Name::new(token.name()?).ok()?)
        }
        _ => {
            let text = super::dialect::unwrapped(part.get(..*end)?.trim());
            IndexTarget::Expression(Expression::new(text))
        }
    };
    let mut key = IndexKey::new(target);
    key.descending = descending;
    key.collation = collation.map(|c| c.to_ascii_uppercase());
    Some(key)
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

    #[test]
    fn an_index_is_read_with_its_keys_and_predicate() {
        let index = parse_index(
            "CREATE UNIQUE INDEX \"i\" ON t (\"a\" COLLATE NOCASE DESC, (lower(b)), length(c)) WHERE a > 0",
        )
        .unwrap();
        assert!(index.unique);
        assert_eq!(index.keys.len(), 3);
        assert!(index.keys[0].descending);
        assert_eq!(index.keys[0].collation.as_deref(), Some("NOCASE"));
        assert_eq!(
            index.keys[1].target,
            IndexTarget::Expression("lower(b)".into())
        );
        assert_eq!(index.predicate.as_deref(), Some("a > 0"));
    }
}
