//! Expressions that the server writes in words which it reads otherwise.
//!
//! It keeps what it parsed, and writes that anew. For a list of strings (`status IN ('a', 'b')`) it writes
//! `(status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])`, and when it
//! reads that, it puts the cast into the list: `ARRAY[('a'::character varying)::text, …]`. The same rule
//! in other words is another definition to whoever compares two dumps. Without the cast it is read as the
//! list was: the server adds the cast by itself.

use ductape_core::expression::{Token, tokens};
use std::borrow::Cow;

const CAST: &str = ")::text[]";
const ITEM: &str = "::character varying";

/// A statement in words that the server reads as it once read the definitions in it.
pub(crate) fn as_first_read(statement: &str) -> Cow<'_, str> {
    if !statement.contains(CAST) || !statement.contains("(ARRAY[") {
        return Cow::Borrowed(statement);
    }
    let mut walk = tokens(statement);
    let mut brackets: Vec<usize> = Vec::new();
    let mut casts: Vec<usize> = Vec::new();
    while let Some(token) = walk.next() {
        let after = walk.position();
        match token {
            Token::Symbol("(") => brackets.push(after),
            Token::Symbol(")") => {
                let inner = brackets
                    .pop()
                    .and_then(|begin| statement.get(begin..after.checked_sub(1)?));
                let cast = statement
                    .get(after.saturating_sub(1)..)
                    .is_some_and(|rest| rest.starts_with(CAST));
                if cast && inner.is_some_and(is_list_of_strings) {
                    casts.push(after);
                }
            }
            _ => {}
        }
    }
    let mut text = String::with_capacity(statement.len());
    let mut from = 0;
    for at in casts {
        text.push_str(statement.get(from..at).unwrap_or_default());
        from = at + CAST.len() - 1;
    }
    text.push_str(statement.get(from..).unwrap_or_default());
    Cow::Owned(text)
}

/// Whether it is `ARRAY['a'::character varying, …]`.
fn is_list_of_strings(inner: &str) -> bool {
    let items = inner
        .strip_prefix("ARRAY[")
        .and_then(|rest| rest.strip_suffix(']'));
    items.is_some_and(|items| {
        let mut from = 0;
        let mut walk = tokens(items);
        let mut parts = Vec::new();
        let mut depth = 0_i32;
        while let Some(token) = walk.next() {
            match token {
                Token::Symbol("(") => depth += 1,
                Token::Symbol(")") => depth -= 1,
                Token::Symbol(",") if depth == 0 => {
                    let at = walk.position();
                    parts.push(items.get(from..at.saturating_sub(1)).unwrap_or_default());
                    from = at;
                }
                _ => {}
            }
        }
        parts.push(items.get(from..).unwrap_or_default());
        parts
            .iter()
            .all(|part| part.trim().starts_with('\'') && part.trim().ends_with(ITEM))
    })
}

#[cfg(test)]
mod tests {
    use super::as_first_read;

    #[test]
    fn a_list_of_strings_is_written_without_the_cast_that_the_server_adds_by_itself() {
        assert_eq!(
            as_first_read(
                "CHECK ((s)::text = ANY ((ARRAY['a, b'::character varying, ')'::character varying])::text[]))"
            ),
            "CHECK ((s)::text = ANY ((ARRAY['a, b'::character varying, ')'::character varying])))"
        );
        for text in [
            "CHECK (s = ANY (ARRAY['a'::text]))",
            "(ARRAY[('a'::character varying)::text, 'b'::text])::text[]",
            "SELECT '(ARRAY[''a''::character varying])::text[]'",
        ] {
            assert_eq!(as_first_read(text), text);
        }
    }
}
