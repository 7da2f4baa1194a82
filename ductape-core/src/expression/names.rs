//! Which names an expression mentions, and what becomes of it when one of them changes.

use super::token::{Token, is_keyword, is_plain, tokens};
use crate::name::Name;

/// The tokens of an expression that stand where a field can, each with the byte after it. The word
/// before `(` is a function; the one after `::`, `AS` or `COLLATE` is a type or a collation.
pub(super) fn places(text: &str) -> impl Iterator<Item = (Token<'_>, usize)> {
    const OF_TYPES: [&str; 8] = [
        "with",
        "without",
        "local",
        "time",
        "zone",
        "varying",
        "precision",
        "unsigned",
    ];
    let mut walk = tokens(text);
    let mut in_type = false;
    std::iter::from_fn(move || {
        loop {
            let token = walk.next()?;
            let word = matches!(token, Token::Word(_));
            if token.is_symbol("::") || token.is_word("AS") || token.is_word("COLLATE") {
                in_type = true;
            } else if in_type {
                // `timestamp without time zone`
                let mut next = walk.clone();
                in_type = next
                    .next()
                    .is_some_and(|next| OF_TYPES.iter().any(|word| next.is_word(word)));
            } else if !(word && walk.clone().next().is_some_and(|next| next.is_symbol("("))) {
                return Some((token, walk.position()));
            }
        }
    })
}

/// Whether a text names something so called.
pub fn mentions(text: &str, name: &Name) -> bool {
    tokens(text).any(|token| token.names(name.as_str()))
}

/// Whether a definition names this field of this collection. A name after a qualifier that can only be
/// another collection is not the field; one without a qualifier may be.
pub fn mentions_field(text: &str, collection: &Name, field: &Name, on: Option<&Name>) -> bool {
    let all: Vec<Token<'_>> = tokens(text).collect();
    let is = |token: &Token<'_>, name: &Name| {
        token
            .name()
            .is_some_and(|n| n.eq_ignore_ascii_case(name.as_str()))
    };
    let at = |place: usize| all.get(place).copied();
    // What the collection is called in the text, and what stands for others.
    let mut own = vec![collection.as_str().to_ascii_lowercase()];
    let mut others = Vec::new();
    let mut in_sources = false;
    let mut wanted = false;
    for (place, token) in all.iter().enumerate() {
        if SOURCES.iter().any(|word| token.is_word(word)) {
            (in_sources, wanted) = (true, true);
            continue;
        }
        let stays = token.is_symbol("(") || token.is_word("ONLY") || token.is_word("LATERAL");
        let ends = matches!(token, Token::Word(word) if is_keyword(word) && !token.is_word("AS"))
            || CLAUSES.iter().any(|word| token.is_word(word));
        if ends && !stays {
            (in_sources, wanted) = (false, false);
            continue;
        }
        if token.is_symbol(",") {
            wanted = in_sources;
            continue;
        }
        // A schema stands before the name.
        let qualifies = at(place + 1).is_some_and(|t| t.is_symbol("."));
        if !wanted || stays || qualifies || token.is_symbol(".") {
            continue;
        }
        wanted = false;
        let Some(name) = token.name() else {
            continue;
        };
        let mut next = place + 1;
        if at(next).is_some_and(|t| t.is_word("AS")) {
            next += 1;
        }
        let alias = at(next)
            .filter(|t| match t {
                Token::Word(word) => !is_keyword(word) && !CLAUSES.iter().any(|c| t.is_word(c)),
                other => matches!(other, Token::Quoted(_)),
            })
            .and_then(Token::name);
        let names = if name.eq_ignore_ascii_case(collection.as_str()) {
            &mut own
        } else {
            others.push(name.to_ascii_lowercase());
            &mut others
        };
        names.extend(alias.map(|alias| alias.to_ascii_lowercase()));
    }
    let stands_on_it = on == Some(collection);
    let row = |name: &str| name == "new" || name == "old";
    all.iter().enumerate().any(|(place, token)| {
        if !is(token, field) || matches!(token, Token::Word(word) if is_keyword(word)) {
            return false;
        }
        let qualified = place
            .checked_sub(1)
            .and_then(at)
            .is_some_and(|before| before.is_symbol("."));
        if !qualified {
            return true;
        }
        let qualifier = place.checked_sub(2).and_then(at).and_then(Token::name);
        match qualifier.map(|name| name.to_ascii_lowercase()) {
            Some(name) if row(&name) => stands_on_it || on.is_none(),
            Some(name) => own.contains(&name) || !others.contains(&name),
            None => true,
        }
    })
}

/// Words that a collection's name follows in a statement.
const SOURCES: [&str; 4] = ["FROM", "JOIN", "INTO", "UPDATE"];

/// Words that may follow a collection's name in a statement, and are no other name of it.
const CLAUSES: [&str; 22] = [
    "on",
    "set",
    "values",
    "inner",
    "left",
    "right",
    "full",
    "cross",
    "natural",
    "join",
    "limit",
    "offset",
    "window",
    "intersect",
    "except",
    "returning",
    "default",
    "indexed",
    "do",
    "begin",
    "for",
    "with",
];

/// The text after a field got another name. Functions, types and collations stay.
pub fn rename(text: &str, from: &str, to: &str) -> String {
    rename_at(text, places(text), from, to)
}

/// The text of a definition after a collection got another name; nothing where it cannot be told which
/// of its words mean the collection.
pub(crate) fn rename_collection(text: &str, from: &Name, to: &Name) -> Option<String> {
    let all: Vec<Token<'_>> = tokens(text).collect();
    for (place, token) in all.iter().enumerate() {
        if token.names(to.as_str()) {
            return None;
        }
        if !token.names(from.as_str()) {
            continue;
        }
        let before = place.checked_sub(1).and_then(|place| all.get(place));
        let stands_for_it = before.is_some_and(|before| match before {
            Token::Word(word) => {
                is_keyword(word)
                    || ["join", "into", "update", "on"]
                        .contains(&word.to_ascii_lowercase().as_str())
            }
            Token::Symbol(_) => true,
            _ => false,
        }) && !before.is_some_and(|before| before.is_word("AS"));
        if !stands_for_it || !leads_back(*token, from, to) {
            return None;
        }
    }
    let mut walk = tokens(text);
    let everywhere = std::iter::from_fn(|| walk.next().map(|token| (token, walk.position())));
    Some(rename_at(text, everywhere, from.as_str(), to.as_str()))
}

/// The text of a definition after a field got another name; nothing where the new name is used already
/// or the old one is given to something else.
pub(crate) fn rename_field(text: &str, from: &Name, to: &Name) -> Option<String> {
    let mut alias = false;
    for token in tokens(text) {
        let unclear = alias || !leads_back(token, from, to);
        if token.names(to.as_str()) || token.names(from.as_str()) && unclear {
            return None;
        }
        alias = token.is_word("AS");
    }
    Some(rename(text, from.as_str(), to.as_str()))
}

/// Whether the token spells the old name as it is, and both names can stand in the way in which it is
/// quoted, so that the way back leads back.
fn leads_back(token: Token<'_>, from: &Name, to: &Name) -> bool {
    let free = token.source().starts_with(['"', '`']);
    let as_it_is = token.name().is_some_and(|name| name == from.as_str());
    as_it_is && (free || is_plain(from.as_str()) && is_plain(to.as_str()))
}

fn rename_at<'t>(
    text: &'t str,
    places: impl Iterator<Item = (Token<'t>, usize)>,
    from: &str,
    to: &str,
) -> String {
    let mut result = String::with_capacity(text.len() + to.len());
    let mut copied = 0;
    for (token, end) in places {
        let start = end - token.source().len();
        if token.names(from) {
            result.push_str(text.get(copied..start).unwrap_or(""));
            let quote = match token {
                Token::Quoted(quoted) => match quoted.chars().next() {
                    // Not every name can stand in brackets.
                    Some('[') if !is_plain(to) => '"',
                    quote => quote.unwrap_or('"'),
                },
                _ if is_plain(to) => ' ',
                _ => '"',
            };
            match quote {
                ' ' => result.push_str(to),
                '[' => {
                    result.push('[');
                    result.push_str(to);
                    result.push(']');
                }
                quote => {
                    result.push(quote);
                    for character in to.chars() {
                        result.push(character);
                        if character == quote {
                            result.push(quote);
                        }
                    }
                    result.push(quote);
                }
            }
            copied = end;
        }
    }
    result.push_str(text.get(copied..).unwrap_or(""));
    result
}

#[cfg(test)]
mod tests {
    use super::super::token::{KEYWORDS, same};
    use super::*;
    use crate::expression::Expression;

    #[test]
    #[allow(clippy::unwrap_used, reason = "a test")]
    fn a_field_is_found_behind_what_stands_for_its_collection() {
        let view = "CREATE VIEW v AS SELECT a.id, a.name, f.title AS t, lower(c.note) FROM ((actor a LEFT JOIN casting c ON ((a.id = c.actor))) LEFT JOIN ONLY shop.film f ON (f.id = c.film)), place GROUP BY a.id, a.name";
        let name = |text: &str| Name::new(text).unwrap();
        let finds = |collection: &str, field: &str| {
            mentions_field(view, &name(collection), &name(field), None)
        };
        for (collection, field) in [
            ("actor", "id"),
            ("actor", "name"),
            ("casting", "note"),
            ("film", "title"),
        ] {
            assert!(finds(collection, field), "{collection}.{field}");
        }
        for (collection, field) in [("film", "name"), ("casting", "title"), ("place", "note")] {
            assert!(!finds(collection, field), "{collection}.{field}");
        }
    }

    #[test]
    fn a_renamed_field_is_followed_and_functions_and_texts_are_not() {
        assert_eq!(
            rename(
                "status IN ('status') AND status(1) = \"status\"",
                "status",
                "state"
            ),
            "state IN ('status') AND status(1) = \"state\""
        );
        let there = rename("price > 0", "price", "the \"price\"");
        assert_eq!(there, "\"the \"\"price\"\"\" > 0");
        assert!(same(&rename(&there, "the \"price\"", "price"), "price > 0"));
    }

    #[test]
    fn brackets_hold_only_what_can_stand_in_them() {
        for to in ["b]c", "1st", "a,b", "🧾", "plain"] {
            let there = rename("[a] > 0", "a", to);
            assert!(same(&rename(&there, to, "a"), "a > 0"), "{there}");
        }
    }

    #[test]
    fn a_function_and_a_type_are_no_fields() {
        let expression =
            Expression::new("date(a) > CAST(b AS date) AND b::date > 'x' COLLATE date");
        #[allow(clippy::unwrap_used, reason = "a test")]
        let (date, day) = (Name::new("date").unwrap(), Name::new("day").unwrap());
        assert!(!expression.mentions(&date));
        assert!(expression.renamed(&date, &day).mentions(&date) == expression.mentions(&date));
        assert_eq!(rename("a::date = date", "date", "day"), "a::date = day");
    }

    #[test]
    fn a_keyword_is_no_field_unless_it_is_quoted() {
        let text = "CASE WHEN \"end\" = 1 THEN 1 ELSE 0 END = 1";
        assert_eq!(
            rename(text, "end", "finish"),
            "CASE WHEN \"finish\" = 1 THEN 1 ELSE 0 END = 1"
        );
        assert_eq!(rename("price > 0", "price", "order"), "\"order\" > 0");
        assert!(KEYWORDS.is_sorted());
    }
}
