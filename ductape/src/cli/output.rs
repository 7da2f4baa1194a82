//! Answers, as text for people or as one JSON document.

use crate::args::When;
use crate::failure::Failure;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// What a command answers. It may be a failure all the same: something is pending, something differs.
#[derive(Debug)]
pub struct Answer {
    pub text: String,
    pub failure: Option<Failure>,
}

impl Answer {
    /// With a failure that the answer tells of.
    #[must_use]
    pub fn failing(mut self, failure: Option<Failure>) -> Self {
        self.failure = failure;
        self
    }
}

/// The document of an answer.
///
/// # Errors
/// If it cannot be written as JSON, which would be a defect.
pub fn document<T: Serialize + ?Sized>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::internal(format!("the answer is no JSON: {error}")))
}

/// Writes to standard output, ending with one new line.
///
/// # Errors
/// If it cannot be written.
pub fn tell(text: &str) -> std::io::Result<()> {
    write(std::io::stdout().lock(), text)
}

/// Writes to standard error, ending with one new line.
///
/// # Errors
/// If it cannot be written.
pub fn tell_aside(text: &str) -> std::io::Result<()> {
    write(std::io::stderr().lock(), text)
}

fn write(mut to: impl Write, text: &str) -> std::io::Result<()> {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Ok(());
    }
    to.write_all(text.as_bytes())?;
    to.write_all(b"\n")?;
    to.flush()
}

/// Whether and how text is coloured.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    coloured: bool,
}

impl Style {
    /// For standard output.
    pub fn of_stdout(when: When) -> Self {
        Self::of(when, std::io::stdout().is_terminal())
    }

    /// For standard error.
    pub fn of_stderr(when: When) -> Self {
        Self::of(when, std::io::stderr().is_terminal())
    }

    fn of(when: When, terminal: bool) -> Self {
        let no_color = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let coloured = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !no_color() && !dumb(),
        };
        Self { coloured }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.coloured {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// A text on one line, with nothing in it that a terminal would obey.
pub fn printable(text: &str) -> String {
    escaped(text, |_| false)
}

/// A text that may have several lines, with nothing else in it that a terminal would obey.
pub fn printable_lines(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) && !keep(c) {
            result.extend(c.escape_default());
        } else {
            result.push(c);
        }
    }
    result
}

/// A cell of a table: its text, and how it is painted.
pub struct Cell(pub String, pub Option<fn(Style, &str) -> String>);

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell(printable(&text.to_string()), None)
    }
}

/// Lines of aligned cells.
pub fn table(rows: &[Vec<Cell>], style: Style) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, Cell(text, _)) in row.iter().enumerate() {
            let width = text.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut result = String::new();
    for row in rows {
        let mut line = String::new();
        for (Cell(text, paint), width) in row.iter().zip(&widths) {
            let padding = width - text.chars().count();
            match paint {
                Some(paint) => line.push_str(&paint(style, text)),
                None => line.push_str(text),
            }
            line.push_str(&" ".repeat(padding + 2));
        }
        result.push_str(line.trim_end());
        result.push('\n');
    }
    result
}
