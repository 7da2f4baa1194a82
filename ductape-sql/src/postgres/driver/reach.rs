//! Reaching a server, and saying what is wrong where it is not reached.

use super::client::db_error;
use ductape_engine::DbError;
use rustls::crypto::CryptoProvider;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, PgConnection};
use std::time::Duration;

/// Connects within a time.
pub(super) async fn reach(
    options: &PgConnectOptions,
    timeout: Duration,
) -> Result<PgConnection, DbError> {
    match tokio::time::timeout(timeout, connect(options)).await {
        Ok(reached) => reached.map_err(|error| not_reached(options, &error)),
        Err(_) => {
            let mut error = DbError::connection(format!(
                "the server at {} did not answer within {} s",
                address(options),
                timeout.as_secs()
            ));
            error.refused = Some(NOBODY_THERE);
            Err(error)
        }
    }
}

/// What to do where nobody answers.
const NOBODY_THERE: &str = "see that a server runs there and can be reached from here, and that the URL names its host and port";

/// Connects; with the other of TLS and none where the server refuses the first, as far as the mode leaves
/// it to the server (libpq-ssl).
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mode = options.get_ssl_mode();
    if matches!(mode, PgSslMode::VerifyCa) && CryptoProvider::get_default().is_none() {
        // For this mode the driver asks rustls for the process's own, and rustls panics where other crates
        // have brought several. Whoever else was first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let first = options.connect().await;
    let other = match (&first, mode) {
        (Err(error), PgSslMode::Prefer) if wants_other(error) => PgSslMode::Disable,
        (Err(error), PgSslMode::Allow) if wants_other(error) => PgSslMode::Require,
        _ => return first,
    };
    match options.clone().ssl_mode(other).connect().await {
        Ok(connection) => Ok(connection),
        Err(_) => first,
    }
}

/// Whether there is no line in `pg_hba.conf` for such a connection (28000), or TLS did not come about.
fn wants_other(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.code().as_deref() == Some("28000"),
        error => of_tls(error).is_some(),
    }
}

/// Why TLS did not come about, if that is it. What is wrong with a certificate is told as bad data of the
/// stream.
fn of_tls(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Tls(error) => Some(error.to_string()),
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Some(error.to_string())
        }
        _ => None,
    }
}

/// What went wrong, and what to do about it.
fn not_reached(options: &PgConnectOptions, error: &sqlx::Error) -> DbError {
    let place = address(options);
    let mut told = db_error(error);
    told.connection = true;
    if matches!(error, sqlx::Error::Database(_)) {
        told.message = format!(
            "the server at {place} refused the connection: {}",
            told.message
        );
        told.refused = match told.code.as_deref() {
            Some("28P01" | "28000") => Some(
                "the password is that of the URL, of PGPASSWORD or of the password file; who may connect from where is in the server's pg_hba.conf",
            ),
            Some("3D000") => Some("make it with CREATE DATABASE, or mend the URL"),
            _ => None,
        };
        return told;
    }
    let why = match (of_tls(error), error) {
        (Some(why), _) => {
            told.refused = Some(match why.contains("CaUsedAsEndEntity") {
                true => {
                    "a certificate that signs itself is not taken for a server's: make an authority's with openssl req -x509, sign the server's with it, and name the authority's in sslrootcert"
                }
                false => {
                    "sslmode says whether TLS has to be, and sslrootcert which certificate the server's is judged by"
                }
            });
            format!("TLS did not come about: {why}")
        }
        (None, sqlx::Error::Io(error)) => {
            told.refused = Some(NOBODY_THERE);
            error.to_string()
        }
        (None, other) => other.to_string(),
    };
    told.message = format!("the server at {place} was not reached: {why}");
    told
}

/// Where a server is, for people. No user, no password.
fn address(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("{} (port {})", socket.display(), options.get_port()),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}
