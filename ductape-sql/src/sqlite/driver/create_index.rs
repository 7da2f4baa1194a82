//! Reading `CREATE INDEX` as `sqlite_schema` keeps it.

use super::super::dialect::unwrapped;
use super::super::text::{Positions, Walk, plain, split};
use ductape_core::expression::{Token, tokens};
use ductape_core::schema::{IndexKey, IndexTarget};
use ductape_core::{Expression, Name};

/// An index as it is declared.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParsedIndex {
    pub unique: bool,
    pub keys: Vec<IndexKey>,
    pub predicate: Option<String>,
}

/// Reads `CREATE INDEX`.
pub(crate) fn parse_index(text: &str) -> Option<ParsedIndex> {
    let text = plain(text);
    let mut walk = Walk::new(&text);
    walk.word("CREATE");
    let mut index = ParsedIndex {
        unique: walk.word("UNIQUE"),
        ..ParsedIndex::default()
    };
    if !walk.word("INDEX") {
        return None;
    }
    walk.name()?;
    walk.word("ON");
    walk.name()?;
    let keys = walk.bracketed()?;
    for part in split(&keys) {
        index.keys.push(parse_key(part)?);
    }
    if walk.word("WHERE") {
        let predicate = walk.rest().trim().trim_end_matches(';').trim();
        index.predicate = Some(predicate.to_owned());
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
    let text = unwrapped(part.get(..*end)?.trim());
    // SQLite reads a text here as a name, and looks through brackets.
    let mut walk = Walk::new(text);
    let name = walk.name().filter(|_| walk.peek().is_none());
    let target = match name {
        Some(name) => IndexTarget::Field(Name::new(name).ok()?),
        None => IndexTarget::Expression(Expression::new(text)),
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
