//! What can be asked.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ductape::Tag;
use ductape::core::BackendName;
use std::path::PathBuf;

/// One reversible schema migration for every database.
#[derive(Debug, Parser)]
#[command(name = "ductape", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands, before or after its name.
#[derive(Debug, Args)]
pub struct Global {
    /// The database's URL (or DUCTAPE_URL)
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Which database"
    )]
    pub url: Option<String>,
    /// The environment in ductape.toml (or DUCTAPE_ENV)
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "url",
        help_heading = "Which database"
    )]
    pub env: Option<String>,
    /// The database in ductape.toml (or DUCTAPE_DATABASE)
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "url",
        help_heading = "Which database"
    )]
    pub database: Option<String>,
    /// The configuration, ductape.toml unless said
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        help_heading = "Which database"
    )]
    pub config: Option<PathBuf>,
    /// The folder of the migrations, or a file; may be given several times
    #[arg(long, global = true, value_name = "DIR|FILE", action = ArgAction::Append, help_heading = "Which migrations")]
    pub migrations: Vec<PathBuf>,
    /// The most bytes that a migration's file may have, 16 MiB unless said
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        help_heading = "Which migrations"
    )]
    pub max_file_size: Option<usize>,
    /// Answer with one JSON document
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// How progress is told on standard error
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub progress: Progress,
    /// Whether text is coloured (NO_COLOR says never)
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub color: When,
    /// Tell more on standard error
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
}

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, lines elsewhere, nothing with --json
    Auto,
    /// A line for each migration
    Plain,
    /// JSON lines
    Json,
    /// Nothing
    None,
}

/// When something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented ductape.toml, the folder for migrations, and the JSON Schema for editors
    Init(Init),
    /// Write a new migration's file
    ///
    /// Operations may be given short, one after the other:
    ///   create users id:uuid:pk "email:string(255):required:unique"
    ///   add users "phone:string(20)"
    ///   drop users.old_column
    ///   drop users
    ///   rename users.name full_name
    ///   rename users people
    ///   index "users(email):unique"
    /// Without any, the file is left for you to fill; ductape.schema.json says what an operation may be.
    #[command(verbatim_doc_comment)]
    New(New),
    /// Check migration files, without a database
    Validate(Validate),
    /// Show the statements that `up` (or `down`) would run
    Plan(Plan),
    /// Apply what is pending
    Up(Up),
    /// Roll back the last migration, or the named ones
    Down(Down),
    /// Roll back and apply again
    Redo(Redo),
    /// Tell where each migration stands
    Status(Status),
    /// List what was applied, or all that ever happened
    History(History),
    /// Show one migration
    Show(Show),
    /// Compare the live schema and the files with what is on record
    Verify(Verify),
    /// Mend the record, without running anything
    Repair(Repair),
    /// Print the schema on record, or that of the live database
    Schema(Schema),
    /// See who holds the lock, or take it away
    Lock(Lock),
}

#[derive(Debug, Args)]
pub struct Init {}

#[derive(Debug, Args)]
pub struct New {
    /// Letters, digits and _
    pub name: String,
    /// Operations, given short; see them with `ductape new --help`
    #[arg(value_name = "OPERATION", allow_hyphen_values = true)]
    pub operations: Vec<String>,
    /// What the migration is for
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
}

#[derive(Debug, Args)]
pub struct Validate {
    /// The files; those of the folder unless said
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Also list what this database cannot do
    #[arg(long = "for", value_name = "BACKEND", value_parser = backend)]
    pub backend: Option<BackendName>,
}

#[derive(Debug, Args)]
pub struct Plan {
    /// Files; those of the folder unless said
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Up to and with this migration; with --down everything after it
    #[arg(long, value_name = "TAG", value_parser = tag, conflicts_with = "count")]
    pub to: Option<Tag>,
    /// The first pending ones, so many; with --down the last applied ones
    #[arg(long, value_name = "N", value_parser = count)]
    pub count: Option<usize>,
    /// What `down` would run
    #[arg(long)]
    pub down: bool,
    /// The statements alone
    #[arg(long)]
    pub sql: bool,
    /// Without a database, as if all were pending
    #[arg(long, value_name = "BACKEND", value_parser = backend, conflicts_with_all = ["url", "env", "database"])]
    pub offline: Option<BackendName>,
    #[command(flatten)]
    pub change: Change,
}

/// What everything understands that changes a database.
#[derive(Debug, Args)]
pub struct Change {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The longest wait for the lock
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub wait: std::time::Duration,
    /// After this long without a sign of life the lock can be taken over, where it is a lease
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = lease)]
    pub lease: std::time::Duration,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// Allow what loses data where the environment is protected
    #[arg(long)]
    pub allow_data_loss: bool,
}

#[derive(Debug, Args)]
pub struct Up {
    /// Files; those of the folder unless said
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Up to and with this migration
    #[arg(long, value_name = "TAG", value_parser = tag, conflicts_with = "count")]
    pub to: Option<Tag>,
    /// The first pending ones, so many
    #[arg(long, value_name = "N", value_parser = count)]
    pub count: Option<usize>,
    /// Apply also what is older than the last applied one
    #[arg(long)]
    pub out_of_order: bool,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct Down {
    /// These ones
    #[arg(value_name = "TAG", value_parser = tag, conflicts_with_all = ["to", "count"])]
    pub tags: Vec<Tag>,
    /// Everything after this one
    #[arg(long, value_name = "TAG", value_parser = tag, conflicts_with = "count")]
    pub to: Option<Tag>,
    /// The last ones, so many
    #[arg(long, value_name = "N", value_parser = count)]
    pub count: Option<usize>,
    /// Go by the live schema where it is not as recorded
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct Redo {
    /// The last ones, so many
    #[arg(long, value_name = "N", value_parser = count, default_value = "1")]
    pub count: usize,
    /// Go by the live schema where it is not as recorded
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub change: Change,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Files; those of the folder unless said
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// End with code 3 if something is pending, with 4 if something was edited
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct History {
    /// Every up, down, repair and failure that ever happened
    #[arg(long)]
    pub log: bool,
}

#[derive(Debug, Args)]
pub struct Show {
    /// The migration
    #[arg(value_parser = tag)]
    pub tag: Tag,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Files; those of the folder unless said
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Repair {
    /// Accept an applied migration as its file has it now
    #[arg(long, value_name = "TAG", value_parser = tag)]
    pub accept: Vec<Tag>,
    /// Remove an entry, without running anything
    #[arg(long, value_name = "TAG", value_parser = tag)]
    pub forget: Vec<Tag>,
    /// Add an entry, without running anything
    #[arg(long, value_name = "TAG", value_parser = tag)]
    pub mark_applied: Vec<Tag>,
    /// Say of the statement in doubt whether it ran; of the one migration in doubt, or TAG=WORD
    #[arg(long, value_name = "done|undone", value_parser = step)]
    pub step: Option<Step>,
    /// Take the live schema as the record
    #[arg(long)]
    pub to_live: bool,
    #[command(flatten)]
    pub change: Change,
}

/// Whether a statement in doubt ran.
#[derive(Debug, Clone)]
pub struct Step {
    pub tag: Option<Tag>,
    pub done: bool,
}

#[derive(Debug, Args)]
pub struct Schema {
    /// Of the live database
    #[arg(long)]
    pub live: bool,
}

#[derive(Debug, Args)]
pub struct Lock {
    #[command(subcommand)]
    pub action: LockAction,
}

#[derive(Debug, Subcommand)]
pub enum LockAction {
    /// Tell who holds the lock, since when, and its lease
    Status,
    /// Take the lock away from whoever holds it
    Release {
        /// Also from one who may be alive; they can write nothing more
        #[arg(long, required = true)]
        force: bool,
    },
}

fn tag(text: &str) -> Result<Tag, String> {
    text.parse::<Tag>().map_err(|error| error.to_string())
}

fn backend(text: &str) -> Result<BackendName, String> {
    // What people say besides the names in a migration's file.
    let word = match text {
        "postgres" => "postgresql",
        "mongo" => "mongodb",
        "dynamo" => "dynamodb",
        other => other,
    };
    BackendName::from_word(word).ok_or_else(|| {
        let names: Vec<&str> = BackendName::ALL.iter().map(|name| name.word()).collect();
        format!("it is none of {}", names.join(", "))
    })
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1 is needed".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("it is not a whole number from 1 on".to_owned()),
    }
}

/// A year: longer waits are mistakes, and must not overflow a clock.
const LONGEST: f64 = 366.0 * 24.0 * 3600.0;

fn seconds(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| (0.0..=LONGEST).contains(seconds))
        .map(std::time::Duration::from_secs_f64)
        .ok_or_else(|| "it is not a number of seconds from 0 to a year".to_owned())
}

fn lease(text: &str) -> Result<std::time::Duration, String> {
    seconds(text)
        .ok()
        .filter(|lease| lease.as_secs_f64() >= 1.0)
        .ok_or_else(|| "it is not a number of seconds from 1 to a year".to_owned())
}

fn step(text: &str) -> Result<Step, String> {
    let (of, word) = match text.rsplit_once('=') {
        Some((of, word)) => (Some(tag(of)?), word),
        None => (None, text),
    };
    let done = match word {
        "done" => true,
        "undone" => false,
        _ => return Err("it is neither `done` nor `undone`".to_owned()),
    };
    Ok(Step { tag: of, done })
}
