//! The way in: a database by its URL.

use ductape_engine::{Backend, EngineOptions, Error, ErrorKind, MigrationEngine};
use std::sync::Arc;

/// A database.
#[derive(Clone)]
pub struct Database {
    backend: Arc<dyn Backend>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("kind", &self.backend.compiler().capabilities().title)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// The database of a URL: `sqlite://app.db`, `sqlite::memory:`, with the feature `postgres`
    /// `postgres://user@host:5432/app?schema=public`, and with the feature `dynamodb`
    /// `dynamodb://eu-west-1/prefix_`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a URL that no compiled-in backend knows; what the backend says
    /// otherwise.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let scheme = url.split(':').next().unwrap_or("");
        #[cfg(feature = "sqlite")]
        if scheme == "sqlite" {
            let backend = ductape_sql::sqlite::SqliteBackend::new(url)?;
            return Ok(Self {
                backend: Arc::new(backend),
            });
        }
        #[cfg(feature = "postgres")]
        if matches!(scheme, "postgres" | "postgresql") {
            let backend = ductape_sql::postgres::PostgresBackend::new(url)?;
            return Ok(Self {
                backend: Arc::new(backend),
            });
        }
        #[cfg(feature = "dynamodb")]
        if scheme == "dynamodb" {
            let backend = ductape_dynamo::DynamoBackend::connect(url).await?;
            return Ok(Self {
                backend: Arc::new(backend),
            });
        }
        Err(Error::of(
            ErrorKind::Usage,
            format!("no database of this program is reached by {scheme:?}"),
        )
        .hint("compile it in with its feature, or mend the URL"))
    }

    /// The engine for it.
    pub fn engine(&self) -> MigrationEngine {
        MigrationEngine::new(self.backend.clone())
    }

    /// An engine that goes about its work in this way.
    pub fn engine_with(&self, options: EngineOptions) -> MigrationEngine {
        MigrationEngine::with_options(self.backend.clone(), options)
    }

    /// What implements it.
    pub fn backend(&self) -> Arc<dyn Backend> {
        self.backend.clone()
    }
}
