//! What every command needs: the flags that all share, and the ways to a database and to the files.

use crate::args::{Change, Global, When};
use crate::config::{self, Config, Target};
use crate::failure::Failure;
use crate::files::{MigrationFile, Source};
use crate::output::{Answer, Style, document, tell_aside};
use crate::progress::Watch;
use crate::secrets::hide;
use ductape::core::json::DEFAULT_SIZE_LIMIT;
use ductape::engine::{Backend, EngineOptions, Patience};
use ductape::{Database, ErrorKind, MigrationEngine};
use serde::Serialize;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What every command needs.
pub struct Context {
    global: Global,
    /// Set when a run is to end between two statements.
    pub interrupt: Arc<AtomicBool>,
    /// Set when the statement under way is no longer waited for.
    pub break_off: Arc<AtomicBool>,
    /// Set once a run has the lock.
    pub under_lock: Arc<AtomicBool>,
}

/// An engine, and what is said of its database.
pub struct Connected {
    pub engine: MigrationEngine,
    pub backend: Arc<dyn Backend>,
    pub target: Target,
}

impl Context {
    pub fn new(global: Global) -> Self {
        Self {
            global,
            interrupt: Arc::default(),
            break_off: Arc::default(),
            under_lock: Arc::default(),
        }
    }

    pub fn global(&self) -> &Global {
        &self.global
    }

    pub fn json(&self) -> bool {
        self.global.json
    }

    pub fn color(&self) -> When {
        self.global.color
    }

    /// The style of answers.
    pub fn style(&self) -> Style {
        Style::of_stdout(self.global.color)
    }

    /// Tells more, if that is wanted.
    pub fn verbose(&self, text: impl FnOnce() -> String) {
        if self.global.verbose > 0 && !self.json() {
            // It is an aside: nobody fails because it cannot be told.
            let _ = tell_aside(&hide(&text()));
        }
    }

    /// The answer: a document for programs, text for people.
    ///
    /// # Errors
    /// If the document cannot be written.
    pub fn answer<T: Serialize + ?Sized>(
        &self,
        value: &T,
        text: impl FnOnce(Style) -> String,
    ) -> Result<Answer, Failure> {
        let text = if self.json() {
            document(value)?
        } else {
            text(self.style())
        };
        Ok(Answer {
            text,
            failure: None,
        })
    }

    /// The configuration, if there is one.
    ///
    /// # Errors
    /// If it is wrong.
    pub fn config(&self) -> Result<Option<Config>, Failure> {
        let config = Config::read(&self.global)?;
        if config.is_some() {
            self.verbose(|| "the configuration was read".to_owned());
        }
        Ok(config)
    }

    /// Where the migrations are: files given to the command, `--migrations`, the configuration's
    /// folder, `migrations`.
    ///
    /// # Errors
    /// If the configuration is wrong.
    pub fn source(&self, files: &[PathBuf]) -> Result<Source, Failure> {
        let mut places = self.global.migrations.clone();
        places.extend_from_slice(files);
        let named = !places.is_empty();
        if !named {
            places.push(match self.config()? {
                Some(config) => config.folder(),
                None => config::FOLDER.into(),
            });
        }
        Ok(Source {
            places,
            limit: self.global.max_file_size.unwrap_or(DEFAULT_SIZE_LIMIT),
            named,
        })
    }

    /// The database, to look at.
    ///
    /// # Errors
    /// If none is named, or it is not reached.
    pub async fn connect(&self) -> Result<Connected, Failure> {
        self.connect_with(EngineOptions::default()).await
    }

    /// The database, to be changed.
    ///
    /// # Errors
    /// If none is named, or it is not reached.
    pub async fn connect_to(&self, change: &Change) -> Result<Connected, Failure> {
        let mut options = EngineOptions::default();
        options.patience = Patience {
            wait: change.wait,
            lease: change.lease,
        };
        options.interrupt = Some(self.interrupt.clone());
        options.break_off = Some(self.break_off.clone());
        options.observer = Some(Arc::new(Watch::new(&self.global, self.under_lock.clone())));
        let mut connected = self.connect_with(options).await?;
        connected.engine.options_mut().forbid_data_loss =
            connected.target.protected && !change.allow_data_loss;
        Ok(connected)
    }

    /// Asks on a terminal, before a protected environment is changed.
    ///
    /// # Errors
    /// If the answer is no.
    pub fn confirm(&self, target: &Target, change: &Change) -> Result<(), Failure> {
        let Some(name) = target.name.as_deref().filter(|_| target.protected) else {
            return Ok(());
        };
        if change.yes || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(());
        }
        let _ = tell_aside(&format!("{name} is protected. Change it? [y/N]"));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::of(
            ErrorKind::Refused,
            format!("{name} is protected, and the answer was no"),
        )
        .hint("say yes, or give --yes"))
    }

    async fn connect_with(&self, options: EngineOptions) -> Result<Connected, Failure> {
        let config = self.config()?;
        let target = config::target(&self.global, config.as_ref())?;
        self.verbose(|| match &target.name {
            Some(name) => format!("the database is {name}: {}", target.url),
            None => format!("the database is {}", target.url),
        });
        Self::reach(target, options).await
    }

    /// The environment that must have applied a migration before, if the target says so.
    ///
    /// # Errors
    /// If the configuration does not have it, or it is not reached.
    pub async fn required_before(&self, target: &Target) -> Result<Option<Connected>, Failure> {
        let (Some(env), Some(config)) = (&target.requires, self.config()?) else {
            return Ok(None);
        };
        let sibling = config.sibling(target, env)?;
        Self::reach(sibling, EngineOptions::default())
            .await
            .map(Some)
    }

    async fn reach(target: Target, options: EngineOptions) -> Result<Connected, Failure> {
        let database = Database::connect(&target.url).await?;
        Ok(Connected {
            engine: database.engine_with(options),
            backend: database.backend(),
            target,
        })
    }

    /// The files, read while the database is being reached.
    ///
    /// # Errors
    /// What is wrong with the files; else why the database is not reached.
    pub async fn both(
        &self,
        source: &Source,
        connect: impl Future<Output = Result<Connected, Failure>>,
    ) -> Result<(Vec<MigrationFile>, Connected), Failure> {
        let reading = {
            let source = source.clone();
            std::thread::Builder::new().spawn(move || source.read())
        };
        let connected = connect.await;
        let files = match reading {
            Ok(reading) => reading
                .join()
                .map_err(|_| Failure::internal("reading the files broke off"))?,
            Err(_) => source.read(),
        }?;
        self.verbose(|| format!("{} migration files were read", files.len()));
        Ok((files, connected?))
    }
}
