//! Failures, as text for people and as one document for programs.

use crate::output::{Style, printable, printable_lines};
use crate::secrets::hide;
use ductape::core::Problem;
use ductape::{Error, ErrorKind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Something that is wrong with a file.
#[derive(Debug, Clone)]
pub struct FileProblem {
    pub file: PathBuf,
    pub problem: Problem,
}

impl FileProblem {
    pub fn new(file: &Path, message: impl Into<String>) -> Self {
        Self::of(file, Problem::new("", message))
    }

    pub fn of(file: &Path, problem: Problem) -> Self {
        Self {
            file: file.to_owned(),
            problem,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    error: Box<Error>,
    problems: Vec<FileProblem>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error: Box::new(error),
            problems: Vec::new(),
        }
    }
}

impl Failure {
    pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error::of(kind, message).into()
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Usage, message)
    }

    pub fn io(message: impl Into<String>) -> Self {
        Self::of(ErrorKind::Io, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Error::internal(message).into()
    }

    /// What is wrong with files, all of it, after a sentence that says what it is.
    pub fn of_files(kind: ErrorKind, message: String, problems: Vec<FileProblem>) -> Self {
        Self {
            error: Box::new(Error::of(kind, message)),
            problems,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error.details_mut().hint = Some(hint.into());
        self
    }

    pub fn tag(self, tag: Option<&ductape::Tag>) -> Self {
        Self {
            error: Box::new(self.error.tag(tag)),
            problems: self.problems,
        }
    }

    fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.error.kind().exit_code())
    }

    /// Tells it on standard error, and gives the code to end with.
    pub fn tell(&self, json: bool, style: Style) -> ExitCode {
        let text = if json {
            self.document().to_string()
        } else {
            self.text(style)
        };
        // If nobody can be told, the code still tells.
        let _ = crate::output::tell_aside(&text);
        self.exit_code()
    }

    fn document(&self) -> Value {
        let details = self.error.details();
        let hidden = |text: &Option<String>| text.as_deref().map(hide);
        let mut error = json!({
            "kind": self.error.kind(),
            "message": hide(&self.message()),
            "hint": hidden(&details.hint),
            "tag": details.tag,
            "operation": hidden(&details.operation),
            "statement": hidden(&details.statement),
            "code": details.code,
            "applied": details.done.applied,
        });
        if let Value::Object(error) = &mut error {
            if !details.done.rolled_back.is_empty() {
                error.insert("rolledBack".into(), json!(details.done.rolled_back));
            }
            if !details.differences.is_empty() {
                error.insert("differences".into(), json!(details.differences));
            }
            if !self.problems.is_empty() {
                let problems: Vec<Value> = self.problems.iter().map(problem_document).collect();
                error.insert("problems".into(), Value::Array(problems));
            }
        }
        json!({ "error": error })
    }

    /// What happened, with every file's problem: who reads the message alone misses nothing.
    fn message(&self) -> String {
        let mut message = self.error.details().message.clone();
        for (index, problem) in self.problems.iter().enumerate() {
            message.push_str(if index == 0 { ": " } else { "; " });
            message.push_str(&problem_line(problem));
        }
        message
    }

    fn text(&self, style: Style) -> String {
        let details = self.error.details();
        let mut text = style.red("error");
        text.push_str(": ");
        for about in details
            .tag
            .iter()
            .map(|tag| tag.to_string())
            .chain(details.operation.clone())
        {
            text.push_str(&printable(&hide(&about)));
            text.push_str(": ");
        }
        text.push_str(&printable_lines(&hide(&details.message)));
        if let Some(code) = &details.code {
            text.push_str(&format!(" [{}]", printable(code)));
        }
        text.push('\n');
        for problem in &self.problems {
            text.push_str(&format!("  {}\n", printable(&hide(&problem_line(problem)))));
        }
        if let Some(statement) = &details.statement {
            let statement = printable_lines(&hide(statement)).replace('\n', "\n      ");
            text.push_str(&format!("  in: {statement}\n"));
        }
        for difference in &details.differences {
            text.push_str(&format!("  {}\n", printable(&difference.message)));
        }
        if let Some(hint) = &details.hint {
            let hint = printable_lines(&hide(hint));
            text.push_str(&format!("  {}: {hint}\n", style.cyan("hint")));
        }
        let done = &details.done;
        for (what, done) in [
            ("applied", &done.applied),
            ("rolled back", &done.rolled_back),
        ] {
            for done in done {
                text.push_str(&format!("  {what} before that: {}\n", done.tag));
            }
        }
        text.pop();
        text
    }
}

fn problem_line(found: &FileProblem) -> String {
    format!("{}: {}", found.file.display(), found.problem)
}

fn problem_document(found: &FileProblem) -> Value {
    json!({
        "file": found.file.to_string_lossy(),
        "path": found.problem.path,
        "message": hide(&found.problem.message),
        "hint": found.problem.hint.as_deref().map(hide),
    })
}

/// Tells of a wrong command line, or gives the help that was asked for.
pub fn tell_misuse(error: &clap::Error) -> ExitCode {
    let style = Style::of_stderr(crate::args::When::Auto);
    if !error.use_stderr() {
        return match error.print() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Failure::io(format!("the help cannot be written: {error}")).tell(false, style)
            }
            _ => ExitCode::SUCCESS,
        };
    }
    let rendered = error.render().to_string();
    let mut paragraphs = rendered
        .split("\n\n")
        .map(|paragraph| paragraph.trim().trim_start_matches("error: "));
    let first = paragraphs.next().unwrap_or("the command line is wrong");
    let rest = paragraphs
        .map(|paragraph| paragraph.trim_start_matches("tip: "))
        .filter(|paragraph| {
            !paragraph.is_empty() && !paragraph.starts_with("For more information")
        });
    // Instead of an error there may be the whole help, where only its usage is to the point.
    let help = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let mut rest: Vec<&str> = rest
        .filter(|paragraph| !help || paragraph.starts_with("Usage:"))
        .collect();
    if help || error.kind() == clap::error::ErrorKind::InvalidSubcommand {
        rest.push("--help lists the commands");
    }
    let mut failure = Failure::usage(if help {
        "a subcommand is missing"
    } else {
        first
    });
    if !rest.is_empty() {
        failure = failure.hint(rest.join("; ").replace('\n', " "));
    }
    // The command line could not be read as a whole, but this much can be seen of it.
    let json = std::env::args_os()
        .skip(1)
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json");
    failure.tell(json, style)
}
