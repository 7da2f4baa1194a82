//! Small and capital letters. SQLite's own `lower` and `upper` know those of ASCII and leave all others
//! as they are (lang_corefunc.html), where the other databases know them all.

use super::dialect::sql;
use std::sync::LazyLock;

/// Letters, each before what becomes of it.
fn pairs<C: ExactSizeIterator<Item = char>>(change: impl Fn(char) -> C) -> String {
    let mut pairs = String::new();
    for letter in '\u{80}'..=char::MAX {
        // A letter that becomes two stays as it is, as it does on the other databases.
        let mut changed = change(letter);
        if let (1, Some(other)) = (changed.len(), changed.next())
            && other != letter
        {
            pairs.extend([letter, other]);
        }
    }
    pairs
}

static SMALL: LazyLock<String> = LazyLock::new(|| pairs(char::to_lowercase));
static CAPITAL: LazyLock<String> = LazyLock::new(|| pairs(char::to_uppercase));

/// A text in small letters.
pub(super) fn lower(text: &str) -> String {
    changed("lower", text, &SMALL)
}

/// A text in capital letters.
pub(super) fn upper(text: &str) -> String {
    changed("upper", text, &CAPITAL)
}

/// Only a text that has more bytes than letters is gone through, a letter at a time. Those from U+2E80 to
/// U+A63F are Asia's, of which there are many in a text and none that changes.
fn changed(function: &str, text: &str, pairs: &str) -> String {
    const LETTER: &str = "substr(x, i + 1, 1)";
    let pairs = sql().text(pairs).finish();
    format!(
        "(SELECT CASE WHEN length(x) = length(CAST(x AS BLOB)) THEN {function}(x) ELSE (\
         WITH RECURSIVE done(i, y) AS (SELECT 0, '' UNION ALL SELECT i + 1, y || CASE \
         WHEN unicode({LETTER}) < 128 THEN {function}({LETTER}) \
         WHEN unicode({LETTER}) BETWEEN 11904 AND 42559 THEN {LETTER} \
         WHEN instr(z, {LETTER}) % 2 = 1 THEN substr(z, instr(z, {LETTER}) + 1, 1) \
         ELSE {LETTER} END FROM done WHERE i < length(x)) \
         SELECT y FROM done WHERE i = length(x)) END \
         FROM (SELECT CAST({text} AS TEXT) AS x, {pairs} AS z))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_where_nothing_is_looked_for() {
        for letter in '\u{2E80}'..='\u{A63F}' {
            for mut changed in [
                letter.to_lowercase().collect::<Vec<_>>(),
                letter.to_uppercase().collect(),
            ] {
                assert_eq!(changed.pop(), Some(letter));
            }
        }
    }

    #[test]
    fn what_a_letter_becomes_stays_as_it_is() {
        for pairs in [&*SMALL, &*CAPITAL] {
            let letters: Vec<char> = pairs.chars().collect();
            for pair in letters.chunks(2) {
                let first = pair
                    .last()
                    .and_then(|to| letters.iter().position(|l| l == to));
                assert!(first.is_some_and(|place| place % 2 == 1), "{pair:?}");
            }
        }
    }
}
