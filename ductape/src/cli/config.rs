//! Where the database and the migrations are: flags, the environment, and `ductape.toml`.

use crate::args::Global;
use crate::failure::Failure;
use crate::secrets;
use ductape::ErrorKind;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The name of the configuration, where nothing else is said.
pub const FILE_NAME: &str = "ductape.toml";

/// The folder of the migrations, where nothing else is said.
pub const FOLDER: &str = "migrations";

/// A database, and what is said of it.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: String,
    /// Its database and environment, if it comes from the configuration: `main-db.dev`.
    pub name: Option<String>,
    /// Its environment alone.
    pub env: String,
    /// Whether what loses data needs leave.
    pub protected: bool,
    /// The environment that must have applied a migration before.
    pub requires: Option<String>,
}

/// The configuration, read and checked.
#[derive(Debug, Clone, Default)]
pub struct Config {
    path: PathBuf,
    migrations: Option<String>,
    default_database: Option<String>,
    default_env: Option<String>,
    environments: Vec<Environment>,
}

#[derive(Debug, Clone)]
struct Environment {
    database: String,
    env: String,
    url: String,
    protected: bool,
    requires: Option<String>,
}

impl Config {
    /// Reads the configuration: the given one, which must be there, or `ductape.toml` if there is one.
    ///
    /// # Errors
    /// If it cannot be read, is not TOML, or says what the program does not know.
    pub fn read(global: &Global) -> Result<Option<Self>, Failure> {
        let path = global.config.clone().unwrap_or_else(|| FILE_NAME.into());
        let text = match read_bounded(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == Io::NotFound && global.config.is_none() => {
                return Ok(None);
            }
            Err(error) => {
                return Err(wrong(&path, format!("it cannot be read: {error}")));
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let table: Table = text
            .parse()
            .map_err(|error| not_toml(&path, text, &error))?;
        Self::of_table(path, &table).map(Some)
    }

    fn of_table(path: PathBuf, table: &Table) -> Result<Self, Failure> {
        let mut config = Config {
            path,
            ..Config::default()
        };
        let reader = Reader {
            path: config.path.clone(),
        };
        reader.known(table, "", &["product", "databases", "default"])?;
        if let Some(product) = reader.table(table, "", "product")? {
            reader.known(product, "product", &["name", "migrations"])?;
            reader.text(product, "product", "name")?;
            config.migrations = reader.text(product, "product", "migrations")?;
        }
        let databases = reader.table(table, "", "databases")?;
        for name in databases.iter().flat_map(|databases| databases.keys()) {
            let Some(environments) = databases
                .map(|databases| reader.table(databases, "databases", name))
                .transpose()?
                .flatten()
            else {
                continue;
            };
            let at = format!("databases.{name}");
            for env in environments.keys() {
                if let Some(table) = reader.table(environments, &at, env)? {
                    let environment = reader.environment(table, name, env)?;
                    config.environments.push(environment);
                }
            }
        }
        match table.get("default") {
            Some(Value::String(text)) => config.default_to(text)?,
            _ => {
                if let Some(default) = reader.table(table, "", "default")? {
                    reader.known(default, "default", &["database", "env"])?;
                    config.default_database = reader.text(default, "default", "database")?;
                    config.default_env = reader.text(default, "default", "env")?;
                }
            }
        }
        Ok(config)
    }

    /// `DATABASE.ENV`, or the name of either alone.
    fn default_to(&mut self, text: &str) -> Result<(), Failure> {
        let is_database = |name: &str| self.environments.iter().any(|e| e.database == name);
        let is_env = |name: &str| self.environments.iter().any(|e| e.env == name);
        let (database, env) = match text.split_once('.') {
            Some((database, env)) => (Some(database), Some(env)),
            None if is_database(text) => (Some(text), None),
            None if is_env(text) => (None, Some(text)),
            None => {
                let why =
                    format!("default: there is neither a database nor an environment {text:?}");
                return Err(wrong(&self.path, why).hint("write default = \"DATABASE.ENV\""));
            }
        };
        self.default_database = database.map(str::to_owned);
        self.default_env = env.map(str::to_owned);
        Ok(())
    }

    /// The folder of the migrations, which the configuration names from where it stands.
    pub fn folder(&self) -> PathBuf {
        let folder = self.migrations.as_deref().unwrap_or(FOLDER);
        match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent.join(folder),
            _ => PathBuf::from(folder),
        }
    }

    /// Another environment of the same database.
    ///
    /// # Errors
    /// If there is none.
    pub fn sibling(&self, target: &Target, env: &str) -> Result<Target, Failure> {
        let environment = self.environments.iter().find(|environment| {
            let same = format!("{}.{}", environment.database, target.env);
            environment.env == env && target.name.as_deref() == Some(&same)
        });
        match environment {
            Some(environment) => self.target(environment),
            None => Err(wrong(
                &self.path,
                format!(
                    "{} requires the environment {env:?}, which the database does not have",
                    target.name.as_deref().unwrap_or("the database")
                ),
            )),
        }
    }

    fn choose(&self, env: Option<String>, database: Option<String>) -> Result<Target, Failure> {
        if self.environments.is_empty() {
            return Err(wrong(&self.path, "it names no database".to_owned())
                .hint("add [databases.main.dev] with its url, or give --url"));
        }
        let mut names: Vec<&str> = self
            .environments
            .iter()
            .map(|e| e.database.as_str())
            .collect();
        names.dedup();
        let database = pick(
            "database",
            database,
            self.default_database.as_deref(),
            &names,
        )
        .map_err(|why| why.in_config(&self.path))?;
        let of_it: Vec<&Environment> = self
            .environments
            .iter()
            .filter(|environment| environment.database == database)
            .collect();
        let names: Vec<&str> = of_it.iter().map(|e| e.env.as_str()).collect();
        let env = pick("env", env, self.default_env.as_deref(), &names)
            .map_err(|why| why.in_config(&self.path))?;
        let chosen = of_it
            .into_iter()
            .find(|environment| environment.env == env)
            .ok_or_else(|| Failure::internal("an environment was chosen that is not there"))?;
        self.target(chosen)
    }

    fn target(&self, environment: &Environment) -> Result<Target, Failure> {
        let name = format!("{}.{}", environment.database, environment.env);
        let url = expanded(&environment.url, &|variable| std::env::var_os(variable))
            .map_err(|why| wrong(&self.path, format!("databases.{name}.url: {why}")))?;
        secrets::keep_those_of_url(&url);
        Ok(Target {
            url,
            env: environment.env.clone(),
            name: Some(name),
            protected: environment.protected,
            requires: environment.requires.clone(),
        })
    }
}

/// The most bytes that a configuration may have.
const LARGEST: u64 = 1 << 20;

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(std::io::Error::other(format!(
            "it has more than {LARGEST} bytes"
        )));
    }
    Ok(text)
}

/// The database that is meant: the flags first, then the environment, then the configuration.
///
/// # Errors
/// If none is meant, or one that is not there.
pub fn target(global: &Global, config: Option<&Config>) -> Result<Target, Failure> {
    let by_url = |url: String| Target {
        url,
        name: None,
        env: String::new(),
        protected: false,
        requires: None,
    };
    let named = global.env.is_some() || global.database.is_some();
    if let Some(url) = &global.url {
        return Ok(by_url(url.clone()));
    }
    if !named && let Some(url) = variable("DUCTAPE_URL")? {
        return Ok(by_url(url));
    }
    let env = match &global.env {
        Some(env) => Some(env.clone()),
        None => variable("DUCTAPE_ENV")?,
    };
    let database = match &global.database {
        Some(database) => Some(database.clone()),
        None => variable("DUCTAPE_DATABASE")?,
    };
    match config {
        Some(config) => config.choose(env, database),
        None if env.is_some() || database.is_some() => Err(Failure::usage(format!(
            "an environment is named, and there is no {FILE_NAME} that says where it is"
        ))
        .hint("write one with `ductape init`, or give --url")),
        None => Err(Failure::usage("no database is named").hint(
            "give --url or DUCTAPE_URL, or name one in ductape.toml, which `ductape init` writes",
        )),
    }
}

/// A variable of the environment; an empty one counts as absent.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{name} is not UTF-8")))
        }
    }
}

/// Why nothing could be picked.
struct Unpicked {
    message: String,
    hint: String,
}

impl Unpicked {
    fn in_config(self, path: &Path) -> Failure {
        Failure::usage(format!("{}: {}", path.display(), self.message)).hint(self.hint)
    }
}

fn pick(
    what: &str,
    named: Option<String>,
    default: Option<&str>,
    there: &[&str],
) -> Result<String, Unpicked> {
    let list = there.join(", ");
    let wanted = match (named, default, there) {
        (Some(named), _, _) => named,
        (None, Some(default), _) => default.to_owned(),
        (None, None, [only]) => (*only).to_owned(),
        (None, None, _) => {
            return Err(Unpicked {
                message: format!("there are several to choose from: {list}"),
                hint: format!("name one with --{what}, or write `default = \"DATABASE.ENV\"`"),
            });
        }
    };
    if there.contains(&wanted.as_str()) {
        return Ok(wanted);
    }
    Err(Unpicked {
        message: format!("there is no {what} {wanted:?}"),
        hint: format!("there are: {list}"),
    })
}

/// A text with every `${NAME}` replaced.
fn expanded(
    text: &str,
    variable: &dyn Fn(&str) -> Option<std::ffi::OsString>,
) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        result.push_str(before);
        let (name, after) = after.split_once('}').ok_or("a `${` has no `}` after it")?;
        let value = variable(name)
            .ok_or_else(|| format!("the environment has no variable {name:?}"))?
            .into_string()
            .map_err(|_| format!("the variable {name:?} is not UTF-8"))?;
        if secrets::tells_of_a_secret(name) {
            secrets::keep(&value);
        }
        result.push_str(&value);
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

fn wrong(path: &Path, why: String) -> Failure {
    Failure::of(ErrorKind::Invalid, format!("{}: {why}", path.display()))
}

/// Tells where the text is no TOML, and nothing of what stands there: it may be a secret.
fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| before.matches('\n').count() + 1);
    let place = line.map_or_else(String::new, |line| format!(" (line {line})"));
    wrong(path, format!("it is not TOML{place}: {}", error.message()))
}

/// Reads tables, and says of what is wrong where it stands, but not what: it may be a secret.
struct Reader {
    path: PathBuf,
}

impl Reader {
    fn known(&self, table: &Table, at: &str, keys: &[&str]) -> Result<(), Failure> {
        match table.keys().find(|key| !keys.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let near = ductape::core::json::nearest(key, keys.iter().copied());
                let failure = wrong(&self.path, format!("unknown key {:?}", join(at, key)));
                Err(match near {
                    Some(near) => failure.hint(format!("did you mean {near:?}?")),
                    None => failure.hint(format!("it knows: {}", keys.join(", "))),
                })
            }
        }
    }

    fn expected(&self, at: &str, key: &str, what: &str, found: &Value) -> Failure {
        wrong(
            &self.path,
            format!(
                "{}: expected {what}, found {}",
                join(at, key),
                found.type_str()
            ),
        )
    }

    fn table<'t>(
        &self,
        table: &'t Table,
        at: &str,
        key: &str,
    ) -> Result<Option<&'t Table>, Failure> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(table)),
            Some(other) => Err(self.expected(at, key, "a table", other)),
        }
    }

    fn text(&self, table: &Table, at: &str, key: &str) -> Result<Option<String>, Failure> {
        match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.expected(at, key, "a text", other)),
        }
    }

    fn environment(
        &self,
        table: &Table,
        database: &str,
        env: &str,
    ) -> Result<Environment, Failure> {
        let at = format!("databases.{database}.{env}");
        self.known(table, &at, &["url", "protected", "requires"])?;
        let protected = match table.get("protected") {
            None => false,
            Some(Value::Boolean(protected)) => *protected,
            Some(other) => return Err(self.expected(&at, "protected", "true or false", other)),
        };
        let url = self
            .text(table, &at, "url")?
            .ok_or_else(|| wrong(&self.path, format!("{at}: the key \"url\" is missing")))?;
        Ok(Environment {
            database: database.to_owned(),
            env: env.to_owned(),
            url,
            protected,
            requires: self.text(table, &at, "requires")?,
        })
    }
}

fn join(at: &str, key: &str) -> String {
    if at.is_empty() {
        key.to_owned()
    } else {
        format!("{at}.{key}")
    }
}
