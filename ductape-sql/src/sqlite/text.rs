//! Walking through SQLite's own texts.
//!
//! A text is first made plain: comments fall, and names in `[…]` or `` `…` `` get double quotes, so that
//! what is kept of it can stand in any other statement.

#[cfg(feature = "sqlite")]
use ductape_core::Name;
use ductape_core::expression::{Token, Tokens, tokens};

/// The text without comments, and with names in one kind of quotes.
pub(crate) fn plain(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, piece) = match first {
            '\'' | '"' => {
                let length = quoted_length(rest, first);
                (length, rest.get(..length).unwrap_or("").to_owned())
            }
            '`' => {
                let length = quoted_length(rest, first);
                let inner = inside(rest, length).replace("``", "`");
                (length, requoted(&inner))
            }
            '[' => {
                let length = rest.find(']').map_or(rest.len(), |end| end + 1);
                (length, requoted(inside(rest, length)))
            }
            '-' if rest.starts_with("--") => {
                (rest.find('\n').unwrap_or(rest.len()), " ".to_owned())
            }
            '/' if rest.starts_with("/*") => {
                let length = rest
                    .get(2..)
                    .and_then(|inner| inner.find("*/"))
                    .map_or(rest.len(), |end| end + 4);
                (length, " ".to_owned())
            }
            other => (other.len_utf8(), other.to_string()),
        };
        result.push_str(&piece);
        rest = rest.get(length..).unwrap_or("");
    }
    result
}

fn inside(quoted: &str, length: usize) -> &str {
    quoted.get(1..length.saturating_sub(1)).unwrap_or("")
}

fn requoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

/// The expression with every quoted name of a column spelled as the column is.
#[cfg(feature = "sqlite")]
pub(crate) fn with_columns(text: &str, columns: &[Name]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut copied = 0;
    for (token, start, end) in Positions(tokens(text)) {
        let Token::Quoted(_) = token else { continue };
        let column = token.name().and_then(|name| {
            columns
                .iter()
                .find(|column| column.as_str().eq_ignore_ascii_case(&name))
        });
        if let Some(column) = column {
            result.push_str(text.get(copied..start).unwrap_or(""));
            result.push_str(&requoted(column.as_str()));
            copied = end;
        }
    }
    result.push_str(text.get(copied..).unwrap_or(""));
    result.trim().to_owned()
}

/// The names that a text mentions, in lower case; texts in single quotes, too, if they may be names.
#[cfg(feature = "sqlite")]
pub(crate) fn names_in(text: &str, texts: bool) -> std::collections::BTreeSet<String> {
    tokens(text)
        .filter_map(|token| match token {
            Token::Text(quoted) if texts => Some(quoted.trim_matches('\'').to_owned()),
            token => token.name(),
        })
        .map(|name| name.to_ascii_lowercase())
        .collect()
}

/// Walks over the tokens of a plain text, one ahead, and knows where in the text it is.
#[derive(Clone)]
pub(crate) struct Walk<'t> {
    text: &'t str,
    tokens: std::iter::Peekable<Positions<'t>>,
    /// Where the last token taken ended.
    pub end: usize,
}

/// Tokens with where they begin and end.
#[derive(Clone)]
pub(crate) struct Positions<'t>(pub Tokens<'t>);

impl<'t> Iterator for Positions<'t> {
    type Item = (Token<'t>, usize, usize);
    fn next(&mut self) -> Option<Self::Item> {
        let token = self.0.next()?;
        let end = self.0.position();
        Some((token, end - token.source().len(), end))
    }
}

impl<'t> Walk<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            tokens: Positions(tokens(text)).peekable(),
            end: 0,
        }
    }

    pub fn peek(&mut self) -> Option<Token<'t>> {
        self.tokens.peek().map(|(token, ..)| *token)
    }

    pub fn take(&mut self) -> Option<Token<'t>> {
        let (token, _, end) = self.tokens.next()?;
        self.end = end;
        Some(token)
    }

    pub fn word(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(keyword));
        if found {
            self.take();
        }
        found
    }

    pub fn symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_symbol(symbol));
        if found {
            self.take();
        }
        found
    }

    pub fn is_next(&mut self, words: &[&str]) -> bool {
        self.peek()
            .is_some_and(|token| words.iter().any(|word| token.is_word(word)))
    }

    /// A name, quoted in any of SQLite's ways, texts included.
    pub fn name(&mut self) -> Option<String> {
        let token = self.take()?;
        match token {
            Token::Text(quoted) => Some(inside(quoted, quoted.len()).replace("''", "'")),
            token => token.name(),
        }
    }

    /// What stands in brackets, as it is written; the opening one comes next.
    pub fn bracketed(&mut self) -> Option<String> {
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

    /// The words up to one of these, with single spaces between them; what stands in brackets as it is.
    pub fn words_until(&mut self, ends: &[&str]) -> Option<String> {
        let mut words = String::new();
        while let Some(token) = self.peek() {
            if self.is_next(ends) {
                break;
            }
            if token.is_symbol("(") {
                words.push_str(&format!("({})", self.bracketed()?));
                continue;
            }
            if !words.is_empty() && !token.is_symbol(")") {
                words.push(' ');
            }
            words.push_str(self.take()?.source());
        }
        Some(words)
    }

    /// `ON CONFLICT` and what then; nothing for what happens anyway.
    pub fn conflict(&mut self) -> Option<String> {
        if !self.is_next(&["ON"]) {
            return None;
        }
        self.take();
        self.word("CONFLICT");
        let word = self.take()?.source().to_ascii_uppercase();
        (word != "ABORT").then_some(word)
    }

    /// What is left of the text.
    #[cfg(feature = "sqlite")]
    pub fn rest(&self) -> &'t str {
        self.text.get(self.end..).unwrap_or("")
    }
}

/// A text cut at the commas that stand in no brackets.
#[cfg(feature = "sqlite")]
pub(crate) fn split(text: &str) -> Vec<&str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_fall_and_names_get_one_kind_of_quotes() {
        assert_eq!(
            plain("a /* ' */ [b \"c] -- it's\n, `d``e` 'f -- g' \"h/*\""),
            "a   \"b \"\"c\"  \n, \"d`e\" 'f -- g' \"h/*\""
        );
        assert_eq!(plain("[2nd, one]"), "\"2nd, one\"");
    }
}
