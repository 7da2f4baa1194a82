//! The databases that the suites run against, and how a test comes by one.
//!
//! [`dynamodb`] and [`postgres`] try three ways, in this order:
//!
//! 1. the environment: `DUCTAPE_TEST_DYNAMODB_URL` and the like name a server that is already there;
//! 2. Docker, where the tests are built with it and a daemon answers;
//! 3. the script of that name in `tests/servers`, which installs the server if need be and starts it.
//!
//! A server that cannot be had is a [`ServerError`] that says what became of each, and never a reason
//! to skip a test. A process has one server of a kind, which its tests share and which ends with it;
//! many processes share one when they find it in the environment, as `tests/servers/up` sets it.
//!
//! ```no_run
//! let server = ductape_tests::servers::postgres()?;
//! println!("{}", server.url);
//! # Ok::<(), ductape_tests::servers::ServerError>(())
//! ```

mod docker;
mod environment;
mod error;
mod script;

pub use error::ServerError;

use std::sync::{Arc, OnceLock};

/// DynamoDB Local: `dynamodb://127.0.0.1:PORT/?region=us-east-1`.
pub fn dynamodb() -> Result<Server, ServerError> {
    DYNAMODB.shared()
}

/// DynamoDB Local that takes its time, for the tests of waiting: a new index stays `CREATING` for
/// half a minute.
pub fn dynamodb_with_delay() -> Result<Server, ServerError> {
    DYNAMODB_WITH_DELAY.shared()
}

/// PostgreSQL: `postgres://postgres@127.0.0.1:PORT/postgres`, as its superuser.
pub fn postgres() -> Result<Server, ServerError> {
    POSTGRES.shared()
}

/// PgBouncer before a PostgreSQL: `postgres://postgres@127.0.0.1:PORT/postgres`, and any other database of
/// that server. Each transaction is in another session.
pub fn pgbouncer() -> Result<Server, ServerError> {
    PGBOUNCER.shared()
}

/// DynamoDB Local, as [`dynamodb`] shares it.
pub static DYNAMODB: Kind = Kind::new(
    "DynamoDB",
    "DUCTAPE_TEST_DYNAMODB_URL",
    "dynamodb://127.0.0.1:8000/?region=us-east-1",
    "dynamodb",
    &[],
);

/// DynamoDB Local with delays, as [`dynamodb_with_delay`] shares it.
pub static DYNAMODB_WITH_DELAY: Kind = Kind::new(
    "DynamoDB with delays",
    "DUCTAPE_TEST_DYNAMODB_DELAY_URL",
    "dynamodb://127.0.0.1:8000/?region=us-east-1",
    "dynamodb",
    &["--delay"],
);

/// PostgreSQL, as [`postgres`] shares it.
pub static POSTGRES: Kind = Kind::new(
    "PostgreSQL",
    "DUCTAPE_TEST_POSTGRES_URL",
    "postgres://postgres@127.0.0.1:5432/postgres",
    "postgres",
    &[],
);

/// PostgreSQL that asks for passwords and speaks TLS; only `postgres` gets in over TCP without.
pub static SECURE_POSTGRES: Kind = Kind::new(
    "PostgreSQL with TLS",
    "DUCTAPE_TEST_POSTGRES_SECURE_URL",
    "postgres://postgres@127.0.0.1:5432/postgres",
    "postgres",
    &["--secure"],
);

/// PgBouncer, as [`pgbouncer`] shares it.
pub static PGBOUNCER: Kind = Kind::new(
    "PgBouncer",
    "DUCTAPE_TEST_PGBOUNCER_URL",
    "postgres://postgres@127.0.0.1:6432/postgres",
    "pgbouncer",
    &[],
);

/// PgBouncer that passes over the start-up parameters it does not know.
pub static LENIENT_PGBOUNCER: Kind = Kind::new(
    "PgBouncer that passes over start-up parameters",
    "DUCTAPE_TEST_PGBOUNCER_LENIENT_URL",
    "postgres://postgres@127.0.0.1:6432/postgres",
    "pgbouncer",
    &["--lenient"],
);

/// A kind of server: one line of the registry.
#[derive(Debug)]
pub struct Kind {
    /// What people call it.
    title: &'static str,
    /// The environment variable that names one.
    variable: &'static str,
    /// What such a variable looks like, for the error.
    example: &'static str,
    /// Its script in `tests/servers`.
    script: &'static str,
    /// The script's own options.
    options: &'static [&'static str],
    /// The one of this process, once a test asked for it.
    shared: OnceLock<Result<Server, ServerError>>,
}

impl Kind {
    const fn new(
        title: &'static str,
        variable: &'static str,
        example: &'static str,
        script: &'static str,
        options: &'static [&'static str],
    ) -> Self {
        Self {
            title,
            variable,
            example,
            script,
            options,
            shared: OnceLock::new(),
        }
    }

    /// The environment variable by which a process finds a server of this kind; set it for a child
    /// process that is to work on the same one.
    pub fn variable(&self) -> &'static str {
        self.variable
    }

    /// The server of this kind that the whole process uses, started when it is first asked for.
    ///
    /// It lasts until the process ends, so that one test's end does not take it from the next.
    pub fn shared(&'static self) -> Result<Server, ServerError> {
        self.shared.get_or_init(|| self.find()).clone()
    }

    /// A server that nobody else uses, for a test that disturbs it. It ends with its last [`Server`].
    ///
    /// The environment is not asked: what it names is shared.
    pub fn private(&'static self) -> Result<Server, ServerError> {
        self.start("not asked: it would be shared".to_owned())
    }

    fn find(&'static self) -> Result<Server, ServerError> {
        match environment::find(self) {
            Ok(server) => Ok(server),
            Err(environment::Missing::Unset) => self.start("it is not set".to_owned()),
            // Whoever set it means that server: another one in its place would only hide the mistake.
            Err(environment::Missing::Silent(environment)) => Err(ServerError {
                kind: self,
                environment,
                docker: "not tried".to_owned(),
                script: "not tried".to_owned(),
            }),
        }
    }

    fn start(&'static self, environment: String) -> Result<Server, ServerError> {
        let docker = match docker::start(self) {
            Ok(server) => return Ok(server),
            Err(reason) => reason,
        };
        script::start(self).map_err(|script| ServerError {
            kind: self,
            environment,
            docker,
            script,
        })
    }
}

/// A server that answers. Clones stand for the same one; what this process started ends with the last.
#[derive(Clone, Debug)]
pub struct Server {
    /// What Ductape connects to.
    pub url: String,
    /// What keeps it running; nothing where somebody else does.
    _keeper: Option<Arc<dyn Keeper>>,
}

impl Server {
    fn of_others(url: String) -> Self {
        Self { url, _keeper: None }
    }

    fn kept(url: String, keeper: impl Keeper + 'static) -> Self {
        Self {
            url,
            _keeper: Some(Arc::new(keeper)),
        }
    }
}

/// What ends a server when it is dropped: a script's process, a container.
trait Keeper: std::fmt::Debug + Send + Sync {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    fn address(url: &str) -> String {
        environment::address(url).unwrap_or_default()
    }

    #[test]
    fn a_process_has_one_server_of_a_kind() -> Result<(), ServerError> {
        let (first, second) = (dynamodb()?, dynamodb()?);
        assert_eq!(first.url, second.url);
        assert!(first.url.starts_with("dynamodb://"), "{}", first.url);
        assert!(postgres()?.url.starts_with("postgres://"));
        Ok(())
    }

    #[test]
    fn a_private_server_ends_with_its_last_handle() -> Result<(), ServerError> {
        let server = POSTGRES.private()?;
        let address = address(&server.url);
        let clone = server.clone();
        drop(server);
        assert!(TcpStream::connect(&address).is_ok());
        drop(clone);
        let since = Instant::now();
        while TcpStream::connect(&address).is_ok() {
            assert!(since.elapsed() < Duration::from_secs(5), "still there");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    #[test]
    fn a_server_that_cannot_be_had_names_the_three_ways() {
        static NOWHERE: Kind = Kind::new(
            "Nowhere",
            "DUCTAPE_TEST_NOWHERE_URL",
            "nowhere://127.0.0.1:1/",
            "nowhere",
            &[],
        );
        let message = match NOWHERE.shared() {
            Ok(server) => server.url,
            Err(error) => error.to_string(),
        };
        for way in [
            "DUCTAPE_TEST_NOWHERE_URL",
            "Docker",
            "tests/servers/nowhere",
        ] {
            assert!(message.contains(way), "{message}");
        }
    }
}
