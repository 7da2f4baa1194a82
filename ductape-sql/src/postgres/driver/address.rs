//! Where a server is and how it is reached, as `psql` finds it: the URL, a service, the environment, the
//! files in the home directory (libpq-connect, libpq-envars, libpq-pgpass, libpq-pgservice).

use super::service;
use ductape_core::Name;
use ductape_engine::{Error, ErrorKind};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::env::var;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How long reaching a server may take, unless it is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Parameters of a URL that are taken.
const TAKEN: [&str; 20] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "schema",
    "connect_timeout",
    "service",
];

/// Parameters that other programs take, and that change nothing for one connection of Ductape's.
const PASSED_OVER: [&str; 14] = [
    "channel_binding",
    "client_encoding",
    "connection_limit",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "pgbouncer",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
];

/// Files with the certificates that the system trusts; the first that is there counts.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What a URL comes to.
pub(super) struct Address {
    pub options: PgConnectOptions,
    /// The schema that the URL names.
    pub schema: Option<Name>,
    /// How long reaching the server may take.
    pub timeout: Duration,
}

impl Address {
    pub fn of(url: &str) -> Result<Self, Error> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut pairs = pairs(query)?;
        let schema = match taken(&mut pairs, "schema") {
            Some(name) => Some(
                Name::new(name)
                    .map_err(|error| usage(format!("the schema of the URL: {error}")))?,
            ),
            None => None,
        };
        let service = taken(&mut pairs, "service").or_else(|| said("PGSERVICE"));
        // What the URL parser has no place for without a host goes behind the question mark.
        let parts = parts(base);
        let mut base = base;
        if !parts.iter().any(|(part, _)| *part == "host") && base.contains("://") {
            for (part, value) in &parts {
                pairs.insert(0, ((*part).to_owned(), decoded(value)));
            }
            base = "postgres:///";
        }
        if let Some(service) = service {
            let is_given = |key: &str| {
                let key = if key == "hostaddr" { "host" } else { key };
                parts.iter().any(|(part, _)| *part == key)
                    || pairs.iter().any(|(other, _)| other == key)
            };
            let more: Vec<(String, String)> = service::read(&service)?
                .into_iter()
                .filter(|(key, _)| TAKEN.contains(&key.as_str()) && !is_given(key))
                .collect();
            pairs.extend(more);
        }
        let timeout = timeout(taken(&mut pairs, "connect_timeout"))?;
        check_environment()?;
        let mut tls = Tls::of(&mut pairs)?;
        let found = parse(base, &pairs)?;
        // The password file is asked for the database that the server will take.
        let options = match found.get_database() {
            Some(_) => found,
            None => {
                pairs.push(("dbname".to_owned(), found.get_username().to_owned()));
                parse(base, &pairs)?
            }
        };
        if is_socket(&options) {
            tls.mode = Some(PgSslMode::Disable);
        }
        let options = tls
            .applied(options)
            // A pooler refuses start-up parameters that it does not know, and nothing here reads floats.
            .extra_float_digits(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("ductape"),
        };
        Ok(Self {
            options,
            schema,
            timeout,
        })
    }
}

/// Whether the server is on this machine, behind a socket in a folder. TLS is not spoken there.
pub(super) fn is_socket(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/')
}

pub(super) fn usage(message: String) -> Error {
    Error::of(ErrorKind::Usage, message)
        .hint("write postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require&schema=SCHEMA")
}

/// The parameters of a URL, without those that are passed over.
fn pairs(query: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if PASSED_OVER.contains(&key) {
            continue;
        }
        if !TAKEN.contains(&key) && !key.starts_with("options[") {
            // It may be the end of a password with a question mark in it.
            let is_a_word = key
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || "_-".contains(letter));
            return Err(usage(match is_a_word {
                true => format!("a PostgreSQL URL has no parameter {key:?}"),
                false => "a PostgreSQL URL has no such parameter as stands behind its first question mark; in a password, write %3F for one".to_owned(),
            }));
        }
        pairs.push((key.to_owned(), decoded(value)));
    }
    Ok(pairs)
}

/// Takes a parameter out; the last one counts.
fn taken(pairs: &mut Vec<(String, String)>, key: &str) -> Option<String> {
    let value = pairs
        .iter()
        .rfind(|(other, _)| other == key)
        .map(|(_, value)| value.clone());
    pairs.retain(|(other, _)| other != key);
    value
}

/// The part of a URL before its question mark: the place, and as parameters what it says.
fn parts(base: &str) -> Vec<(&'static str, &str)> {
    let rest = base.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let end_of_host = place.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match place.get(end_of_host..).and_then(|end| end.find(':')) {
        Some(at) => place.split_at(end_of_host + at),
        None => (place, ""),
    };
    let all = [
        ("user", user),
        ("password", password),
        ("host", host),
        ("port", port.trim_start_matches(':')),
        ("dbname", path),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn parse(base: &str, pairs: &[(String, String)]) -> Result<PgConnectOptions, Error> {
    let query: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={}", encoded(value)))
        .collect();
    let url = match query.as_slice() {
        [] => base.to_owned(),
        query => format!("{base}?{}", query.join("&")),
    };
    PgConnectOptions::from_str(&url)
        .map_err(|error| usage(format!("this is no PostgreSQL URL: {error}")))
}

/// As libpq has it: zero is no limit, and one second is not enough.
fn timeout(given: Option<String>) -> Result<Duration, Error> {
    let (name, given) = match given {
        Some(given) => ("connect_timeout", given),
        None => match said("PGCONNECT_TIMEOUT") {
            Some(given) => ("PGCONNECT_TIMEOUT", given),
            None => return Ok(CONNECT_TIMEOUT),
        },
    };
    let seconds: u64 = given
        .trim()
        .parse()
        .map_err(|_| usage(format!("{name} is a number of seconds")))?;
    Ok(match seconds {
        0 => Duration::from_secs(24 * 60 * 60),
        seconds => Duration::from_secs(seconds.max(2)),
    })
}

/// The driver takes a variable that it cannot read for one that is not set; a mistyped `PGSSLMODE` must
/// not make a connection less safe.
fn check_environment() -> Result<(), Error> {
    if let Some(port) = said("PGPORT")
        && port.parse::<u16>().is_err()
    {
        return Err(usage(format!("PGPORT is no port: {port:?}")));
    }
    if let Some(mode) = said("PGSSLMODE") {
        ssl_mode("PGSSLMODE", &mode)?;
    }
    Ok(())
}

fn ssl_mode(name: &str, value: &str) -> Result<PgSslMode, Error> {
    value.parse().map_err(|_| {
        usage(format!(
            "{name} is one of disable, allow, prefer, require, verify-ca and verify-full, and not {value:?}"
        ))
    })
}

/// How the server shows who it is.
struct Tls {
    mode: Option<PgSslMode>,
    roots: Option<PathBuf>,
    /// Our own certificate with its key.
    own: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    fn of(pairs: &mut Vec<(String, String)>) -> Result<Self, Error> {
        let mut last = |keys: &[&str]| {
            let mut value = None;
            for key in keys {
                value = taken(pairs, key).or(value);
            }
            value
        };
        let mode = match last(&["ssl-mode", "sslmode"]) {
            Some(mode) => Some(ssl_mode("sslmode", &mode)?),
            None => match said("PGSSLMODE") {
                Some(mode) => Some(ssl_mode("PGSSLMODE", &mode)?),
                None => None,
            },
        };
        let roots =
            last(&["ssl-ca", "ssl-root-cert", "sslrootcert"]).or_else(|| said("PGSSLROOTCERT"));
        let own = (
            last(&["ssl-cert", "sslcert"]).or_else(|| said("PGSSLCERT")),
            last(&["ssl-key", "sslkey"]).or_else(|| said("PGSSLKEY")),
        );
        let own = match own {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (Some(_), None) | (None, Some(_)) => {
                return Err(usage("sslcert and sslkey belong together".to_owned()));
            }
            (None, None) => in_home("postgresql.crt").zip(in_home("postgresql.key")),
        };
        if roots.as_deref() == Some("system") {
            return match mode {
                None | Some(PgSslMode::VerifyFull) => Ok(Self {
                    mode: Some(PgSslMode::VerifyFull),
                    roots: SYSTEM_ROOTS
                        .iter()
                        .map(PathBuf::from)
                        .find(|path| path.exists()),
                    own,
                }),
                Some(_) => Err(usage(
                    "with sslrootcert=system, sslmode has to be verify-full".to_owned(),
                )),
            };
        }
        let roots = roots.map(PathBuf::from).or_else(|| in_home("root.crt"));
        let mode = match (mode, &roots) {
            // As libpq has it: whoever gives a root certificate wants it to be looked at.
            (Some(PgSslMode::Require), Some(path)) if path.exists() => Some(PgSslMode::VerifyCa),
            (mode, _) => mode,
        };
        Ok(Self { mode, roots, own })
    }

    fn applied(self, mut options: PgConnectOptions) -> PgConnectOptions {
        if let Some(mode) = self.mode {
            options = options.ssl_mode(mode);
        }
        if let Some(roots) = self.roots {
            options = options.ssl_root_cert(roots);
        }
        if let Some((certificate, key)) = self.own {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        options
    }
}

/// A file that libpq looks for in the home directory.
fn in_home(name: &str) -> Option<PathBuf> {
    let path = std::env::home_dir()?.join(".postgresql").join(name);
    path.exists().then_some(path)
}

/// A variable of the environment that says something.
pub(super) fn said(name: &str) -> Option<String> {
    var(name).ok().filter(|value| !value.is_empty())
}

/// A value of a URL without its percent signs.
fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = value
            .get(at + 1..at + 3)
            .filter(|_| *byte == b'%')
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        plain.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// A value as it stands in a URL.
fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fails(url: &str) -> String {
        match Address::of(url) {
            Ok(_) => "it is one".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_a_url_says_by_itself_is_known() {
        assert_eq!(
            parts("postgres://me:p:w@host:5432/app"),
            [
                ("user", "me"),
                ("password", "p:w"),
                ("host", "host"),
                ("port", "5432"),
                ("dbname", "app")
            ]
        );
        assert_eq!(
            parts("postgres://me@[::1]:7/"),
            [("user", "me"), ("host", "[::1]"), ("port", "7")]
        );
        assert_eq!(parts("postgres://[::1]"), [("host", "[::1]")]);
        assert!(parts("postgres:///").is_empty());
    }

    #[test]
    fn a_value_survives_its_spelling() {
        let value = "a b/ü%&=?#";
        assert_eq!(decoded(&encoded(value)), value);
    }

    #[test]
    fn no_part_of_a_password_is_told() {
        let error = fails("postgres://me:se?CRET7@host/app");
        assert!(error.contains("%3F"), "{error}");
        assert!(!error.contains("CRET7"), "{error}");
        assert!(!fails("postgres://me:se#CRET7@host/app").contains("CRET7"));
    }

    #[test]
    fn a_mistyped_parameter_is_told() {
        assert!(fails("postgres://host/app?sslmod=require").contains("sslmod"));
        assert!(fails("postgres://host/app?sslmode=required").contains("verify-full"));
        assert!(fails("postgres://host/app?connect_timeout=soon").contains("seconds"));
    }

    #[test]
    fn a_socket_speaks_no_tls() {
        let address = Address::of("postgres://me@/app?host=/tmp&sslmode=require").unwrap();
        assert!(is_socket(&address.options));
        assert!(matches!(address.options.get_ssl_mode(), PgSslMode::Disable));
    }
}
