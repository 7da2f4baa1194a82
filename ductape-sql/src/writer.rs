//! Writing SQL so that what is not SQL is escaped by its type.

use ductape_core::Name;

/// How a dialect escapes.
pub trait Quoting {
    /// The character around names; doubled inside them.
    const NAME_QUOTE: char = '"';
    /// Whether a text with a backslash is marked (`E'a\\b'`), so that it is the same whatever the
    /// session makes of backslashes.
    const MARKS_BACKSLASHES: bool = false;
    /// The milliseconds since the unit began, where the database knows them.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    const TOOK: Option<&'static str> = None;
}

/// An SQL text under construction. Words come from the program alone; names, texts and expressions each
/// have their own way in, so none is mistaken for another.
#[derive(Debug, Clone, Default)]
pub struct Sql {
    text: String,
    quote: Option<char>,
    marks_backslashes: bool,
}

impl Sql {
    /// An empty text of a dialect.
    pub fn new<Q: Quoting>() -> Self {
        Self {
            text: String::with_capacity(128),
            quote: Some(Q::NAME_QUOTE),
            marks_backslashes: Q::MARKS_BACKSLASHES,
        }
    }

    /// Words of SQL.
    #[must_use]
    pub fn words(mut self, words: &'static str) -> Self {
        self.text.push_str(words);
        self
    }

    /// A name, quoted.
    #[must_use]
    pub fn name(mut self, name: &Name) -> Self {
        self.push_name(name.as_str());
        self
    }

    fn push_name(&mut self, name: &str) {
        let quote = self.quote.unwrap_or('"');
        self.text.push(quote);
        for character in name.chars() {
            self.text.push(character);
            if character == quote {
                self.text.push(quote);
            }
        }
        self.text.push(quote);
    }

    /// Names, quoted, with commas between them.
    #[must_use]
    pub fn names<'n>(mut self, names: impl IntoIterator<Item = &'n Name>) -> Self {
        for (index, name) in names.into_iter().enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            self.push_name(name.as_str());
        }
        self
    }

    /// A text literal.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        let marked = self.marks_backslashes && text.contains('\\');
        if marked {
            self.text.push('E');
        }
        self.text.push('\'');
        for character in text.chars() {
            self.text.push(character);
            if character == '\'' || marked && character == '\\' {
                self.text.push(character);
            }
        }
        self.text.push('\'');
        self
    }

    /// Text literals with commas between them.
    #[must_use]
    pub fn texts<'t>(mut self, texts: impl IntoIterator<Item = &'t str>) -> Self {
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            self = self.text(text);
        }
        self
    }

    /// A whole number.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    #[must_use]
    pub fn number(mut self, number: impl Into<i128>) -> Self {
        self.text.push_str(&number.into().to_string());
        self
    }

    /// SQL that was written by another writer, or in the database's own words by the migration's author.
    #[must_use]
    pub fn sql(mut self, sql: &str) -> Self {
        self.text.push_str(sql);
        self
    }

    /// Something for each item, with a separator between them.
    #[must_use]
    pub fn each<T>(
        mut self,
        separator: &'static str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(Self, T) -> Self,
    ) -> Self {
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.text.push_str(separator);
            }
            self = write(self, item);
        }
        self
    }

    /// Something, if there is something.
    #[must_use]
    pub fn maybe<T>(self, item: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match item {
            Some(item) => write(self, item),
            None => self,
        }
    }

    /// Words, if so.
    #[must_use]
    pub fn words_if(self, condition: bool, words: &'static str) -> Self {
        if condition { self.words(words) } else { self }
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }
}
