//! What a raw text is: which statements it has, whether they can stand in a transaction, and which of
//! the session's settings they leave changed.

use ductape_core::expression::{Token, tokens};

/// What the statements of a raw text are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Words that would begin or end a transaction, or let go of the lock.
    pub forbidden: Option<&'static str>,
    /// Whether one of them cannot stand in a transaction.
    pub alone: bool,
    /// How many there are.
    pub count: usize,
    /// What gives the session its settings back.
    pub resets: Vec<String>,
}

/// Looks at the statements of a raw text.
pub(crate) fn look(text: &str) -> Found {
    let mut found = Found::default();
    for statement in statements(text) {
        let words: Vec<Token<'_>> = tokens(&statement).collect();
        if words.is_empty() {
            continue;
        }
        found.count += 1;
        found.forbidden = found.forbidden.or_else(|| forbidden(&words));
        found.alone |= stands_alone(&words);
        for reset in resets(&words) {
            if !found.resets.contains(&reset) {
                found.resets.push(reset);
            }
        }
    }
    found
}

fn begins(words: &[Token<'_>], with: &[&str]) -> bool {
    words.len() >= with.len() && with.iter().zip(words).all(|(w, token)| token.is_word(w))
}

fn has(words: &[Token<'_>], word: &str) -> bool {
    words.iter().any(|token| token.is_word(word))
}

fn forbidden(words: &[Token<'_>]) -> Option<&'static str> {
    const FORBIDDEN: [(&[&str], &str); 9] = [
        (&["BEGIN"], "BEGIN"),
        (&["START", "TRANSACTION"], "START TRANSACTION"),
        (&["COMMIT"], "COMMIT"),
        (&["END"], "END"),
        (&["ROLLBACK"], "ROLLBACK"),
        (&["ABORT"], "ABORT"),
        (&["SAVEPOINT"], "SAVEPOINT"),
        (&["RELEASE"], "RELEASE"),
        (&["PREPARE", "TRANSACTION"], "PREPARE TRANSACTION"),
    ];
    // Both let go of every advisory lock, Ductape's own included.
    if begins(words, &["DISCARD", "ALL"]) {
        return Some("DISCARD ALL");
    }
    if has(words, "pg_advisory_unlock_all") {
        return Some("pg_advisory_unlock_all");
    }
    FORBIDDEN
        .iter()
        .find(|(with, _)| begins(words, with))
        .map(|(_, shown)| *shown)
}

/// Whether PostgreSQL refuses the statement in a transaction: where its source calls
/// `PreventInTransactionBlock`.
fn stands_alone(words: &[Token<'_>]) -> bool {
    let concurrently = has(words, "CONCURRENTLY");
    let is = |with: &[&str]| begins(words, with);
    is(&["VACUUM"])
        || is(&["ALTER", "SYSTEM"])
        || (is(&["CREATE"]) || is(&["DROP"]))
            && (is_second(words, "DATABASE")
                || is_second(words, "TABLESPACE")
                || is_second(words, "SUBSCRIPTION"))
        || is(&["ALTER", "DATABASE"]) && has(words, "TABLESPACE")
        || is(&["ALTER", "SUBSCRIPTION"]) && (has(words, "REFRESH") || has(words, "PUBLICATION"))
        || is(&["REINDEX"])
            && (concurrently
                || ["DATABASE", "SYSTEM", "SCHEMA"]
                    .iter()
                    .any(|word| has(words, word)))
        || is(&["CLUSTER"]) && (words.len() == 1 || is(&["CLUSTER", "VERBOSE"]) && words.len() == 2)
        || concurrently
            && (is(&["CREATE", "INDEX"])
                || is(&["CREATE", "UNIQUE", "INDEX"])
                || is(&["DROP", "INDEX"])
                || is(&["ALTER", "TABLE"]) && has(words, "DETACH"))
}

fn is_second(words: &[Token<'_>], word: &str) -> bool {
    words.get(1).is_some_and(|token| token.is_word(word))
}

/// What gives back the settings that a statement changes, for what comes after it.
fn resets(words: &[Token<'_>]) -> Vec<String> {
    let mut resets: Vec<String> = Vec::new();
    if words.first().is_some_and(|word| word.is_word("SET")) {
        let rest = match words.get(1) {
            Some(word) if word.is_word("LOCAL") => words.get(2..),
            Some(word)
                if word.is_word("SESSION")
                    && !is_word_at(words, 2, "AUTHORIZATION")
                    && !is_word_at(words, 2, "CHARACTERISTICS") =>
            {
                words.get(2..)
            }
            _ => words.get(1..),
        };
        resets.extend(rest.and_then(reset_of));
    }
    for (at, word) in words.iter().enumerate() {
        if word.is_word("set_config")
            && let Some(Token::Text(name)) = words.get(at + 2)
        {
            let name = name.trim_matches('\'');
            if is_setting(name) {
                resets.push(format!("RESET {name}"));
            }
        }
    }
    resets
}

fn is_word_at(words: &[Token<'_>], at: usize, word: &str) -> bool {
    words.get(at).is_some_and(|token| token.is_word(word))
}

fn reset_of(rest: &[Token<'_>]) -> Option<String> {
    let first = rest.first()?;
    let is = |word: &str| first.is_word(word);
    if is("CONSTRAINTS") || is("TRANSACTION") {
        return None;
    }
    if is("SCHEMA") {
        return Some("RESET search_path".to_owned());
    }
    if is("NAMES") {
        return Some("RESET client_encoding".to_owned());
    }
    if is("TIME") {
        return Some("RESET TimeZone".to_owned());
    }
    if is("ROLE") {
        return Some("RESET ROLE".to_owned());
    }
    if is("SESSION") {
        return is_word_at(rest, 1, "AUTHORIZATION").then(|| "RESET SESSION AUTHORIZATION".into());
    }
    // A setting of an extension has a point in its name.
    let mut name = first.name()?;
    if rest.get(1).is_some_and(|token| token.is_symbol("."))
        && let Some(second) = rest.get(2).and_then(|token| token.name())
    {
        name = format!("{name}.{second}");
    }
    is_setting(&name).then(|| format!("RESET {name}"))
}

fn is_setting(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
}

/// The statements of a text, without texts between dollars, which may hold anything. A body between
/// `BEGIN ATOMIC` and its `END` is part of its statement.
fn statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let text = without_dollar_texts(text);
    let mut walk = tokens(&text);
    let mut start = 0;
    let mut depth = 0_usize;
    let mut begun = false;
    let mut end = 0;
    while let Some(token) = walk.next() {
        if begun && token.is_word("ATOMIC") || depth > 0 && token.is_word("CASE") {
            depth += 1;
        } else if depth > 0 && token.is_word("END") {
            depth -= 1;
        } else if depth == 0 && token.is_symbol(";") {
            statements.push(text.get(start..end).unwrap_or("").to_owned());
            start = walk.position();
        }
        begun = token.is_word("BEGIN");
        end = walk.position();
    }
    statements.push(text.get(start..).unwrap_or("").to_owned());
    statements
}

/// The text with `''` for every text between dollars, and with marked texts in the plain form.
fn without_dollar_texts(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '$' if !result.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                match dollar_text(rest) {
                    Some(length) => {
                        result.push_str("''");
                        rest = rest.get(length..).unwrap_or("");
                        continue;
                    }
                    None => 1,
                }
            }
            '\'' if marked(&result) => {
                result.push_str("''");
                rest = rest.get(marked_length(rest)..).unwrap_or("");
                continue;
            }
            '\'' | '"' => quoted_length(rest, character),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => {
                // Comments nest in PostgreSQL.
                result.push(' ');
                rest = rest.get(comment_length(rest)..).unwrap_or("");
                continue;
            }
            other => other.len_utf8(),
        };
        let (taken, left) = rest.split_at(length.min(rest.len()));
        result.push_str(taken);
        rest = left;
    }
    result
}

/// Whether a text that begins here is a marked one: `E'it\'s'`.
fn marked(before: &str) -> bool {
    let mut last = before.chars().rev();
    matches!(last.next(), Some('e' | 'E'))
        && !last
            .next()
            .is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
}

fn marked_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn quoted_length(text: &str, quote: char) -> usize {
    text.char_indices()
        .skip(1)
        .find(|(_, character)| *character == quote)
        .map_or(text.len(), |(at, _)| at + 1)
}

fn comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            match rest.chars().next() {
                Some(character) => at += character.len_utf8(),
                None => break,
            }
        }
    }
    text.len()
}

/// The length of a text between dollars that begins here.
fn dollar_text(text: &str) -> Option<usize> {
    let inner = text.get(1..)?;
    let close = inner.find('$')?;
    let tag = inner.get(..close)?;
    let is_tag = !tag.starts_with(|c: char| c.is_ascii_digit())
        && tag.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_tag {
        return None;
    }
    let tag = text.get(..close + 2)?;
    let body = text.get(tag.len()..)?;
    Some(match body.find(tag) {
        Some(end) => tag.len() + end + tag.len(),
        None => text.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_transaction_is_found_out() {
        for text in [
            "VACUUM",
            "vacuum analyze users;",
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "/* now */ create unique index concurrently i on t (a);",
            "DROP INDEX CONCURRENTLY i",
            "REINDEX TABLE CONCURRENTLY t",
            "REINDEX (CONCURRENTLY) TABLE t",
            "CREATE DATABASE d",
            "ALTER SYSTEM SET work_mem = '1MB'",
            "ALTER TABLE p DETACH PARTITION q CONCURRENTLY",
        ] {
            assert!(look(text).alone, "{text}");
        }
        for text in [
            "ALTER TYPE t ADD VALUE 'x'",
            "CREATE INDEX i ON t (a)",
            "REINDEX TABLE t",
            "SELECT 'VACUUM'",
            "-- VACUUM\nSELECT 1",
            "DO $$ BEGIN PERFORM 1; END $$",
            "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        ] {
            assert!(!look(text).alone, "{text}");
        }
    }

    #[test]
    fn what_ends_the_transaction_is_told() {
        for (text, word) in [
            ("COMMIT", "COMMIT"),
            ("SELECT 1; rollback;", "ROLLBACK"),
            ("BEGIN; SELECT 1; END", "BEGIN"),
            ("/* a /* b */ c */ START TRANSACTION", "START TRANSACTION"),
            ("DISCARD ALL", "DISCARD ALL"),
            ("SELECT E'\\'; '; COMMIT", "COMMIT"),
        ] {
            assert_eq!(look(text).forbidden, Some(word), "{text}");
        }
        for text in [
            "DO $$ BEGIN COMMIT; END $$",
            "DO $x$ BEGIN ROLLBACK; END $x$;",
            "SELECT ';COMMIT;'",
            "SELECT E'\\';COMMIT;'",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; SELECT 1",
            "/* ; /* ; */ COMMIT; */ SELECT 1",
        ] {
            assert_eq!(look(text).forbidden, None, "{text}");
        }
        assert_eq!(look("SELECT 1; SELECT ';'; -- ;\n").count, 2);
    }

    #[test]
    fn settings_come_back() {
        for (text, reset) in [
            ("SET search_path = a, b", "RESET search_path"),
            ("SET LOCAL search_path TO a", "RESET search_path"),
            ("SET SCHEMA 'a'", "RESET search_path"),
            (
                "SELECT pg_catalog.set_config('search_path', '', false)",
                "RESET search_path",
            ),
            (
                "SET SESSION AUTHORIZATION bob",
                "RESET SESSION AUTHORIZATION",
            ),
            ("SET ROLE bob", "RESET ROLE"),
            ("SET TIME ZONE 'UTC'", "RESET TimeZone"),
            ("SET my.own = 1", "RESET my.own"),
        ] {
            assert_eq!(look(text).resets, [reset], "{text}");
        }
        for text in [
            "SET CONSTRAINTS ALL DEFERRED",
            "UPDATE t SET a = 1",
            "SET TRANSACTION READ ONLY",
        ] {
            assert!(look(text).resets.is_empty(), "{text}");
        }
    }
}
