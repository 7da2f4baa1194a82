//! The tokens of a text in a database's own language.

/// A piece of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'t> {
    /// A word without quotes: a name, a keyword or a function.
    Word(&'t str),
    /// A name in quotes, with the quotes: `"a"`, `` `a` ``, `[a]`.
    Quoted(&'t str),
    /// A text literal, with its quotes.
    Text(&'t str),
    /// A number.
    Number(&'t str),
    /// Anything else: an operator, a bracket, a comma.
    Symbol(&'t str),
}

impl<'t> Token<'t> {
    /// The token as it stands in the text.
    pub fn source(self) -> &'t str {
        match self {
            Token::Word(s)
            | Token::Quoted(s)
            | Token::Text(s)
            | Token::Number(s)
            | Token::Symbol(s) => s,
        }
    }

    /// The name that this token is, without its quotes.
    pub fn name(self) -> Option<String> {
        match self {
            Token::Word(word) => Some(word.to_owned()),
            Token::Quoted(quoted) => {
                let mut inner = quoted.chars();
                let open = inner.next()?;
                inner.next_back();
                let close = if open == '[' { ']' } else { open };
                let doubled: String = [close, close].iter().collect();
                Some(inner.as_str().replace(&doubled, &close.to_string()))
            }
            _ => None,
        }
    }

    /// Whether this token is the given keyword.
    pub fn is_word(self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Whether this token is the given symbol.
    pub fn is_symbol(self, symbol: &str) -> bool {
        matches!(self, Token::Symbol(s) if s == symbol)
    }

    pub(crate) fn names(self, name: &str) -> bool {
        match self {
            Token::Word(word) => word.eq_ignore_ascii_case(name) && !is_keyword(word),
            Token::Quoted(quoted) => {
                quoted.len() >= name.len() + 2 && self.name().is_some_and(|n| n == name)
            }
            _ => false,
        }
    }

    fn same(self, other: Token<'_>) -> bool {
        match (self, other) {
            (Token::Word(a), Token::Word(b)) => a.eq_ignore_ascii_case(b),
            (Token::Quoted(_), Token::Quoted(_)) => self.name() == other.name(),
            (Token::Word(word), quoted @ Token::Quoted(_))
            | (quoted @ Token::Quoted(_), Token::Word(word)) => quoted
                .name()
                .is_some_and(|name| name.eq_ignore_ascii_case(word)),
            (a, b) => a == b,
        }
    }
}

/// The tokens of an SQL or CQL text, without white space and comments. A quote that is never closed
/// makes one token of the rest.
pub fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, position: 0 }
}

/// See [`tokens`].
#[derive(Debug, Clone)]
pub struct Tokens<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Tokens<'t> {
    /// The byte at which the next token's search begins: just after the last token.
    pub fn position(&self) -> usize {
        self.position
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.position..).unwrap_or("")
    }

    fn take(&mut self, length: usize) -> &'t str {
        let rest = self.rest();
        let taken = rest.get(..length).unwrap_or(rest);
        self.position += taken.len();
        taken
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        loop {
            let rest = self.rest();
            let first = rest.chars().next()?;
            if first.is_whitespace() {
                self.take(first.len_utf8());
            } else if rest.starts_with("--") {
                let length = rest.find('\n').unwrap_or(rest.len());
                self.take(length);
            } else if rest.starts_with("/*") {
                let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
                self.take(length);
            } else {
                return Some(self.token(first));
            }
        }
    }
}

impl<'t> Tokens<'t> {
    fn token(&mut self, first: char) -> Token<'t> {
        let rest = self.rest();
        match first {
            '\'' => Token::Text(self.take(quoted_length(rest, '\''))),
            '"' | '`' => Token::Quoted(self.take(quoted_length(rest, first))),
            '[' if bracket_name(rest) => Token::Quoted(self.take(quoted_length(rest, ']'))),
            _ if first.is_alphabetic() || first == '_' || first == '$' || first == '@' => {
                let length = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$' || c == '@'))
                    .unwrap_or(rest.len());
                Token::Word(self.take(length))
            }
            _ if first.is_ascii_digit() => {
                let mut previous = ' ';
                let length = rest
                    .find(|c: char| {
                        let goes_on = c.is_ascii_alphanumeric()
                            || c == '.'
                            || (matches!(c, '+' | '-') && matches!(previous, 'e' | 'E'));
                        previous = c;
                        !goes_on
                    })
                    .unwrap_or(rest.len());
                Token::Number(self.take(length))
            }
            _ => {
                for symbol in [
                    "->>", "<=", ">=", "<>", "!=", "==", "||", "::", "->", "<<", ">>",
                ] {
                    if rest.starts_with(symbol) {
                        return Token::Symbol(self.take(symbol.len()));
                    }
                }
                Token::Symbol(self.take(first.len_utf8()))
            }
        }
    }
}

/// `[name]` is a quoted name in SQLite; `a[1]` and `ARRAY[…]` are subscripts elsewhere.
fn bracket_name(rest: &str) -> bool {
    rest.chars()
        .nth(1)
        .is_some_and(|c| c.is_alphabetic() || c == '_')
        && rest.contains(']')
        && !rest
            .get(..rest.find(']').unwrap_or(0))
            .unwrap_or("")
            .contains(',')
}

/// The length in bytes of a quoted piece at the start of `rest`, doubled quotes included.
fn quoted_length(rest: &str, close: char) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character == close {
            if characters.peek().is_some_and(|(_, next)| *next == close) {
                characters.next();
            } else {
                return index + close.len_utf8();
            }
        }
    }
    rest.len()
}

/// Whether two texts are the same but for white space, the case of bare words and quotes.
pub fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (mut a, mut b) = (tokens(a), tokens(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) if x.same(y) => {}
            _ => return false,
        }
    }
}

/// Whether a text can stand inside a statement and end there: its brackets and quotes are closed, and
/// it has no comment and no `;`.
///
/// # Errors
/// What is wrong, as a sentence.
pub fn check(text: &str) -> Result<(), &'static str> {
    if text.trim().is_empty() {
        return Err("an expression cannot be empty");
    }
    let mut depth = 0_i32;
    let mut walk = tokens(text);
    let mut end = 0;
    while let Some(token) = walk.next() {
        let start = walk.position() - token.source().len();
        if text
            .get(end..start)
            .is_some_and(|gap| !gap.trim().is_empty())
        {
            return Err("an expression cannot have a comment");
        }
        end = walk.position();
        match token {
            Token::Symbol("(") => depth += 1,
            Token::Symbol(")") => depth -= 1,
            Token::Symbol(";") => return Err("an expression cannot have a ;"),
            Token::Text(quoted) | Token::Quoted(quoted) => {
                let close = match quoted.chars().next() {
                    Some('[') => ']',
                    Some(open) => open,
                    None => ' ',
                };
                if quoted.chars().count() < 2
                    || !quoted.ends_with(close)
                    || odd_quotes(quoted, close)
                {
                    return Err("a quote in it is never closed");
                }
            }
            _ => {}
        }
        if depth < 0 {
            return Err("a bracket in it is closed that was never opened");
        }
    }
    if text.get(end..).is_some_and(|rest| !rest.trim().is_empty()) {
        return Err("an expression cannot have a comment");
    }
    if depth > 0 {
        return Err("a bracket in it is never closed");
    }
    Ok(())
}

/// `'it''` is open: its last two quotes are one quote inside.
fn odd_quotes(quoted: &str, close: char) -> bool {
    close != ']' && quoted.chars().filter(|c| *c == close).count() % 2 == 1
}

/// Words that shape an expression, so that a field so called stands in quotes there.
pub(super) const KEYWORDS: [&str; 34] = [
    "all", "and", "any", "as", "between", "case", "cast", "collate", "distinct", "else", "end",
    "escape", "exists", "false", "from", "glob", "group", "having", "in", "is", "isnull", "like",
    "not", "notnull", "null", "or", "order", "select", "then", "true", "union", "using", "when",
    "where",
];

pub(super) fn is_keyword(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    KEYWORDS.binary_search(&lower.as_str()).is_ok()
}

/// Whether a name can stand without quotes in every dialect.
pub fn is_plain(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !is_keyword(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_makes_no_difference_and_meaning_does() {
        assert!(same("price>0", "\"price\"  > 0 -- ok"));
        assert!(same("lower(email)", "LOWER( [email] )"));
        assert!(!same("price > 0", "price > 1"));
        assert!(!same("a = 'X'", "a = 'x'"));
        assert!(!same("a = 'x'", "a = x"));
    }

    #[test]
    fn what_would_not_end_where_it_should_is_told() {
        for good in [
            "a > 0",
            "x IN ('it''s', \"q\")",
            "f((1), [b])",
            "'--' || '/*'",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            " ",
            "a) OR (b",
            "(a",
            "a; DROP TABLE b",
            "a -- b",
            "a /* b",
            "'a",
            "'a''",
            "\"",
            "/* a */ 1",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_open_quote_ends_with_the_text() {
        assert_eq!(tokens("a = 'x").count(), 3);
        assert_eq!(tokens("[").count(), 1);
        assert_eq!(tokens("/* never closed").count(), 0);
    }
}
