//! Casts that a database writes behind constants, where the type that they name goes away.

use crate::expression::{Token, tokens};
use crate::name::Name;

/// Casts that go.
pub(crate) struct Going<'c> {
    /// The types that they are to.
    pub types: Vec<String>,
    /// The field whose own casts go, with those of constants and lists of them; nothing if all go.
    pub only: Option<&'c Name>,
    /// What a list and its constants are cast to instead: they alone do not take the type of what they
    /// are compared with.
    pub instead: Option<String>,
}

/// The text without the casts that go.
pub(crate) fn without_casts(text: &str, going: &Going<'_>) -> String {
    let mut walk = tokens(text);
    let mut all: Vec<(Token<'_>, usize)> = Vec::new();
    while let Some(token) = walk.next() {
        all.push((token, walk.position()));
    }
    let types: Vec<Vec<Token<'_>>> = going
        .types
        .iter()
        .map(|name| tokens(name).collect())
        .collect();
    let mut result = String::with_capacity(text.len());
    let mut copied = 0;
    let mut place = 0;
    let mut brackets = Vec::new();
    while let Some((token, end)) = all.get(place) {
        place += 1;
        match token {
            Token::Symbol(bracket @ ("(" | "[")) => brackets.push(*bracket),
            Token::Symbol(")" | "]") => {
                brackets.pop();
            }
            _ => {}
        }
        if !token.is_symbol("::") {
            continue;
        }
        let casted = all.get(..place - 1).unwrap_or_default();
        if (going.only).is_some_and(|field| !is_constant_or(casted, field)) {
            continue;
        }
        let behind = all.get(place..).unwrap_or_default();
        let Some(length) = types.iter().find_map(|name| named(behind, name)) else {
            continue;
        };
        result.push_str(text.get(copied..end - token.source().len()).unwrap_or(""));
        let last = casted.last().map(|(token, _)| *token);
        let of_constant = matches!(last, Some(Token::Text(_)));
        let of_list = all
            .get(place + length - 1)
            .is_some_and(|(token, _)| token.is_symbol("]"));
        if let Some(instead) = &going.instead
            && (of_constant && brackets.last() == Some(&"[") || of_list)
        {
            result.push_str("::");
            result.push_str(instead);
            result.push_str(if of_list { "[]" } else { "" });
        }
        place += length;
        copied = place
            .checked_sub(1)
            .and_then(|place| all.get(place))
            .map_or(*end, |(_, end)| *end);
    }
    result.push_str(text.get(copied..).unwrap_or(""));
    result
}

/// Whether what ends here is a constant, a list or the field in brackets.
fn is_constant_or(casted: &[(Token<'_>, usize)], field: &Name) -> bool {
    let back = |steps: usize| {
        let place = casted.len().checked_sub(steps)?;
        casted.get(place).map(|(token, _)| *token)
    };
    match back(1) {
        Some(Token::Text(_)) => true,
        Some(token) if token.is_symbol("]") => true,
        Some(token) if token.is_symbol(")") => {
            let of_field = back(2).is_some_and(|token| token.names(field.as_str()))
                && back(3).is_some_and(|token| token.is_symbol("(") || token.is_symbol("."));
            of_field || back(2).is_some_and(|token| token.is_symbol("]"))
        }
        _ => false,
    }
}

/// How many tokens name the type, or an array of it; nothing if they name another.
fn named(behind: &[(Token<'_>, usize)], name: &[Token<'_>]) -> Option<usize> {
    let is_it = !name.is_empty()
        && name.len() <= behind.len()
        && name
            .iter()
            .zip(behind)
            .all(|(wanted, (token, _))| wanted == token);
    if !is_it {
        return None;
    }
    let mut length = name.len();
    let symbol = |at: usize, symbol: &str| {
        behind
            .get(at)
            .is_some_and(|(token, _)| token.is_symbol(symbol))
    };
    while symbol(length, "[") && symbol(length + 1, "]") {
        length += 2;
    }
    // `character varying` is not `character`, and a schema is no type.
    let goes_on = symbol(length, ".")
        || behind
            .get(length)
            .is_some_and(|(token, _)| token.is_word("varying"));
    (!goes_on).then_some(length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{Going, Name, without_casts};

    #[test]
    fn casts_to_a_type_go_and_others_stay() {
        let going = Going {
            types: vec!["public.\"Role\"".to_owned(), "rating".to_owned()],
            only: None,
            instead: None,
        };
        assert_eq!(
            without_casts(
                "a <> 'R'::rating AND b = ANY (ARRAY['x'::public.\"Role\", 'y'::text]::public.\"Role\"[]) AND c::rating_2 = '::rating'",
                &going
            ),
            "a <> 'R' AND b = ANY (ARRAY['x', 'y'::text]) AND c::rating_2 = '::rating'"
        );
    }

    #[test]
    fn a_cast_of_another_field_stays_where_one_is_meant() {
        let field = Name::new("s").unwrap();
        let going = Going {
            types: vec!["text".to_owned(), "character varying".to_owned()],
            only: Some(&field),
            instead: Some("e".to_owned()),
        };
        assert_eq!(
            without_casts(
                "(t.s)::text = 'a'::text OR (s)::text = ANY ((ARRAY['b'::character varying])::text[]) OR s = ANY (ARRAY['c'::text]) OR (r)::text = lower('B'::text)",
                &going
            ),
            "(t.s) = 'a' OR (s) = ANY ((ARRAY['b'::e])::e[]) OR s = ANY (ARRAY['c'::e]) OR (r)::text = lower('B')"
        );
    }
}
