//! The program `ductape`: migrations from the command line.
//!
//! [`args`] says what can be asked, [`commands`] answers, one file a command, and what every command
//! needs stands beside them: where the database is ([`config`]), the migration files ([`files`]), how
//! answers and failures are told ([`output`], [`failure`]), and what must not be told ([`secrets`]).

mod args;
mod backends;
mod commands;
mod config;
mod context;
mod failure;
mod files;
mod interrupt;
mod output;
mod progress;
mod secrets;

use args::{Cli, Command};
use clap::Parser;
use context::Context;
use failure::Failure;
use output::{Answer, Style};
use std::process::ExitCode;

/// A long history is many small objects, which this one makes and frees half as fast again as the one
/// that comes with Linux.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    secrets::keep_those_of_the_command_line();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::tell_misuse(&error),
    };
    let context = Context::new(cli.global);
    let (answer, failure) = match answer(&context, &cli.command) {
        Ok(answer) => (Some(answer.text), answer.failure),
        Err(failure) => (None, Some(failure)),
    };
    let told = answer.map_or(Ok(()), |text| output::tell(&text));
    let failure = match told {
        Ok(()) => failure,
        // Whoever reads has gone, as in `ductape history | head`: there is nobody to tell.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => failure,
        Err(error) => failure.or_else(|| {
            Some(Failure::io(format!(
                "the answer cannot be written to standard output: {error}"
            )))
        }),
    };
    match failure {
        None => ExitCode::SUCCESS,
        Some(failure) => failure.tell(context.json(), Style::of_stderr(context.color())),
    }
}

fn answer(context: &Context, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Init(init) => commands::init::run(context, init),
        Command::New(new) => commands::new::run(context, new),
        Command::Validate(validate) => commands::validate::run(context, validate),
        Command::Plan(plan) if plan.offline.is_some() => commands::plan::offline(context, plan),
        with_database => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::io(format!("no runtime could be started: {error}")))?;
            let answer = runtime.block_on(interrupt::heeding(
                context,
                answer_with_database(context, with_database),
            ));
            // A statement that was left to itself must not be waited for.
            runtime.shutdown_background();
            answer
        }
    }
}

async fn answer_with_database(context: &Context, command: &Command) -> Result<Answer, Failure> {
    match command {
        Command::Init(_) | Command::New(_) | Command::Validate(_) => {
            Err(Failure::internal("this command has no need of a database"))
        }
        Command::Plan(plan) => commands::plan::run(context, plan).await,
        Command::Up(up) => commands::up::run(context, up).await,
        Command::Down(down) => commands::down::run(context, down).await,
        Command::Redo(redo) => commands::redo::run(context, redo).await,
        Command::Status(status) => commands::status::run(context, status).await,
        Command::History(history) => commands::history::run(context, history).await,
        Command::Show(show) => commands::show::run(context, show).await,
        Command::Verify(verify) => commands::verify::run(context, verify).await,
        Command::Repair(repair) => commands::repair::run(context, repair).await,
        Command::Schema(schema) => commands::schema::run(context, schema).await,
        Command::Lock(lock) => commands::lock::run(context, lock).await,
    }
}
