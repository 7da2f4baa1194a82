//! Expressions in a database's own words: defaults, checks, predicates, generated fields.
//!
//! Nobody parses them. They are cut into tokens, which is enough to compare two spellings of one
//! text, to see which fields are named, and to follow a renamed field.

use crate::backend_name::BackendName;
use crate::json::{Node, Read, Reader};
use crate::name::Name;
use std::collections::BTreeMap;

/// A text in a database's own language, or one text for each database.
///
/// It holds what was *authored* and, once a server has it, the spelling that this server *adopted*;
/// two expressions are equal if the adopted texts are, or else the authored ones. White space, the
/// case of bare words and the quotes around a name make no difference.
#[derive(Debug, Clone)]
pub struct Expression {
    authored: Texts,
    adopted: Option<String>,
}

#[derive(Debug, Clone)]
enum Texts {
    One(String),
    PerBackend(BTreeMap<BackendName, String>),
}

impl Expression {
    /// One text for every database.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            authored: Texts::One(text.into()),
            adopted: None,
        }
    }

    /// A text for each named database.
    pub fn per_backend(texts: BTreeMap<BackendName, String>) -> Self {
        Self {
            authored: Texts::PerBackend(texts),
            adopted: None,
        }
    }

    /// The text for a database: the adopted one, or else the authored one.
    pub fn text(&self, backend: BackendName) -> Option<&str> {
        if let Some(adopted) = &self.adopted {
            return Some(adopted);
        }
        self.authored(backend)
    }

    /// The text for a database as it was authored.
    pub fn authored(&self, backend: BackendName) -> Option<&str> {
        match &self.authored {
            Texts::One(text) => Some(text),
            Texts::PerBackend(texts) => texts.get(&backend).map(String::as_str),
        }
    }

    /// The spelling that the server at hand gave back, if it differs from the authored one.
    pub fn adopted(&self) -> Option<&str> {
        self.adopted.as_deref()
    }

    /// Takes the spelling that a server gave back.
    #[must_use]
    pub fn adopt(mut self, text: impl Into<String>) -> Self {
        self.adopted = Some(text.into());
        self
    }

    /// The expression as one backend has it: its text alone.
    #[must_use]
    pub fn folded(&self, backend: BackendName) -> Option<Self> {
        self.text(backend).map(Expression::new)
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match &self.authored {
            Texts::One(text) => (Some(text.as_str()), None),
            Texts::PerBackend(texts) => (None, Some(texts.values().map(String::as_str))),
        };
        one.into_iter()
            .chain(many.into_iter().flatten())
            .chain(self.adopted.as_deref())
    }

    /// Whether any of the texts names this field.
    pub fn mentions(&self, name: &Name) -> bool {
        self.texts()
            .any(|text| places(text).any(|(token, _)| token.names(name.as_str())))
    }

    /// The same expression after a field got another name.
    #[must_use]
    pub fn renamed(&self, from: &Name, to: &Name) -> Self {
        let rename = |text: &str| rename(text, from.as_str(), to.as_str());
        Self {
            authored: match &self.authored {
                Texts::One(text) => Texts::One(rename(text)),
                Texts::PerBackend(texts) => Texts::PerBackend(
                    texts
                        .iter()
                        .map(|(backend, text)| (*backend, rename(text)))
                        .collect(),
                ),
            },
            adopted: self.adopted.as_deref().map(rename),
        }
    }
}

impl From<&str> for Expression {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Expression {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        if let (Some(mine), Some(theirs)) = (&self.adopted, &other.adopted) {
            return same(mine, theirs);
        }
        match (&self.authored, &other.authored) {
            (Texts::One(mine), Texts::One(theirs)) => same(mine, theirs),
            (Texts::PerBackend(mine), Texts::PerBackend(theirs)) => {
                mine.len() == theirs.len()
                    && mine
                        .iter()
                        .zip(theirs)
                        .all(|((a, x), (b, y))| a == b && same(x, y))
            }
            _ => false,
        }
    }
}

impl serde::Serialize for Expression {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.authored {
            Texts::One(text) => serializer.serialize_str(text),
            Texts::PerBackend(texts) => serializer.collect_map(texts),
        }
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for Expression {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expression".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A text in the database's own words, or one for each database.",
            "anyOf": [
                { "type": "string" },
                { "type": "object", "additionalProperties": { "type": "string" }, "minProperties": 1 }
            ]
        })
    }
}

impl Read for Expression {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let written = |text: String, reader: &mut Reader| match check(&text) {
            Ok(()) => Some(text),
            Err(why) => {
                reader.problem(why);
                None
            }
        };
        match node {
            Node::Text(_) => {
                let text = String::read(node, reader)?;
                written(text, reader).map(Expression::new)
            }
            Node::Object(entries) if !entries.is_empty() => {
                let texts = BTreeMap::<BackendName, String>::read(node, reader)?;
                for (backend, text) in &texts {
                    reader.within(backend.word(), |reader| written(text.clone(), reader));
                }
                Some(Expression::per_backend(texts))
            }
            other => reader.expected("an expression: a text, or a text for each database", other),
        }
    }
}

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

    fn names(self, name: &str) -> bool {
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

/// The tokens of an expression that stand where a field can, each with the byte after it. The word
/// before `(` is a function; the one after `::`, `AS` or `COLLATE` is a type or a collation.
fn places(text: &str) -> impl Iterator<Item = (Token<'_>, usize)> {
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
    for (place, token) in all.iter().enumerate() {
        let source = ["FROM", "JOIN", "INTO", "UPDATE"];
        let after_source = place.checked_sub(1).and_then(at).is_some_and(|before| {
            source.iter().any(|word| before.is_word(word)) || before.is_symbol(",")
        });
        let Some(name) = token.name().filter(|_| after_source) else {
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
const KEYWORDS: [&str; 34] = [
    "all", "and", "any", "as", "between", "case", "cast", "collate", "distinct", "else", "end",
    "escape", "exists", "false", "from", "glob", "group", "having", "in", "is", "isnull", "like",
    "not", "notnull", "null", "or", "order", "select", "then", "true", "union", "using", "when",
    "where",
];

fn is_keyword(word: &str) -> bool {
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
