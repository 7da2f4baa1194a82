//! A PostgreSQL server, as a URL names it.

use super::super::dialect::{Postgres, sql};
use super::address::Address;
use super::client::Client;
use super::lock;
use super::place::Place;
use super::session::PostgresSession;
use async_trait::async_trait;
use ductape_core::{Compiler, Name};
use ductape_engine::backend::{Reader, Session};
use ductape_engine::ledger::{HEAD_KEY, Head};
use ductape_engine::{Actor, Backend, DbError, Error, Holder, Patience};
use sqlx::postgres::PgConnectOptions;
use std::time::Duration;

/// A setting that a connection starts with, so that it can be told later whether it is still in the
/// session of the server that it started. A pooler passes it over or refuses it: its sessions were there
/// before.
pub(super) const OWN_SESSION: &str = "ductape.session";

/// A PostgreSQL database.
#[derive(Clone)]
pub struct PostgresBackend {
    options: PgConnectOptions,
    /// The schema that the URL names; the session's own if it names none.
    schema: Option<Name>,
    timeout: Duration,
}

impl std::fmt::Debug for PostgresBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresBackend")
            .field("host", &self.options.get_host())
            .field("database", &self.options.get_database())
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl PostgresBackend {
    /// The database of a URL: `postgres://user@host:5432/app?sslmode=require&schema=public`. What the URL
    /// does not say comes from a service, from `PGHOST`, `PGUSER` and their like, and from the password
    /// file, as with `psql`. Nothing is reached yet.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](ductape_engine::ErrorKind::Usage) if it is no such URL.
    pub fn new(url: &str) -> Result<Self, Error> {
        let Address {
            options,
            schema,
            timeout,
        } = Address::of(url)?;
        Ok(Self {
            options,
            schema,
            timeout,
        })
    }

    pub(super) fn schema(&self) -> Option<&Name> {
        self.schema.as_ref()
    }

    pub(super) async fn connect(&self) -> Result<Client, DbError> {
        Client::connect(&self.options, self.timeout).await
    }

    /// A connection for the lock, and the word that its session has as [`OWN_SESSION`] if the server keeps
    /// one for this connection alone.
    pub(super) async fn connect_for_lock(&self) -> Result<(Client, Option<String>), DbError> {
        let word = format!("{:016x}", lock::random());
        let options = self.options.clone().options([(OWN_SESSION, &word)]);
        match Client::connect(&options, self.timeout).await {
            Ok(client) => Ok((client, Some(word))),
            Err(error) if refuses_settings(&error) => Ok((self.connect().await?, None)),
            Err(error) => Err(error),
        }
    }
}

/// Whether a connection was refused for the settings that it started with: PgBouncer knows no start-up
/// parameter `options` (08P01), RDS Proxy takes none (0A000), other engines know no settings but their own.
fn refuses_settings(error: &DbError) -> bool {
    let class = error.code.as_deref().and_then(|code| code.get(..2));
    matches!(class, Some("08" | "0A" | "22" | "42"))
}

#[async_trait]
impl Backend for PostgresBackend {
    fn compiler(&self) -> &dyn Compiler {
        &Postgres
    }

    async fn head(&self) -> Result<Option<Head>, Error> {
        let mut client = self.connect().await?;
        let mut text = sql().words("SELECT value FROM ");
        if let Some(schema) = &self.schema {
            text = text.name(schema).words(".");
        }
        let text = text
            .name(&crate::ledger::LedgerNames::default().state)
            .words(" WHERE key = ")
            .text(HEAD_KEY)
            .finish();
        let answer = client.answer(text).await;
        client.close().await;
        match answer {
            Ok(answer) => answer.first(0).map(crate::ledger::read_head).transpose(),
            // There is no such table, or no such schema.
            Err(error) if matches!(error.code.as_deref(), Some("42P01" | "3F000")) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn read(&self) -> Result<Box<dyn Reader>, Error> {
        let mut client = self.connect().await?;
        let place = Place::find(&mut client, self.schema.as_ref()).await?;
        Ok(Box::new(PostgresSession::for_reading(
            self.clone(),
            client,
            place,
        )))
    }

    async fn lock(&self, actor: &Actor, patience: &Patience) -> Result<Box<dyn Session>, Error> {
        let session = PostgresSession::locked(self.clone(), actor.clone(), *patience).await?;
        Ok(Box::new(session))
    }

    async fn force_release(&self) -> Result<Option<Holder>, Error> {
        lock::take_away(self).await
    }
}
