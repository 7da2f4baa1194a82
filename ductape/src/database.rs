//! The way in: a database by its URL.

use crate::call::Call;
use crate::schema::SchemaCalls;
use ductape_builder::operation;
use ductape_core::operation::Update;
use ductape_engine::{Backend, EngineOptions, Error, ErrorKind, MigrationEngine};
use std::sync::Arc;

/// A database: changes of its schema, updates of its data, and the engine for whole migrations.
///
/// A clone is the same database. Each call takes connections as it needs them and lets go of them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ductape::Error> {
/// use ductape::prelude::*;
///
/// let db = Database::connect("sqlite::memory:").await?;
/// let users = db.schema().create("users", [uuid("id").primary_key(), string("name")]).await?;
/// println!("{}", users.migration.tag);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database {
    backend: Arc<dyn Backend>,
    options: EngineOptions,
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
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// use ductape::prelude::*;
    ///
    /// let db = Database::connect("sqlite::memory:").await?;
    /// assert!(db.engine().history().await?.is_empty());
    /// assert!(Database::connect("gopher://nowhere").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a URL that no compiled-in backend knows; what the backend says
    /// otherwise.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let scheme = url.split(':').next().unwrap_or("");
        #[cfg(feature = "sqlite")]
        if scheme == "sqlite" {
            let backend = ductape_sql::sqlite::SqliteBackend::new(url)?;
            return Ok(Self::from_backend(Arc::new(backend)));
        }
        #[cfg(feature = "postgres")]
        if matches!(scheme, "postgres" | "postgresql") {
            let backend = ductape_sql::postgres::PostgresBackend::new(url)?;
            return Ok(Self::from_backend(Arc::new(backend)));
        }
        #[cfg(feature = "dynamodb")]
        if scheme == "dynamodb" {
            let backend = ductape_dynamo::DynamoBackend::connect(url).await?;
            return Ok(Self::from_backend(Arc::new(backend)));
        }
        let feature = match scheme {
            "postgresql" => Some("postgres"),
            known @ ("sqlite" | "postgres" | "dynamodb") => Some(known),
            _ => None,
        };
        let (message, hint) = match feature {
            Some(feature) => (
                format!("this program was built without {feature}"),
                format!("build it with the feature `{feature}`"),
            ),
            None => (
                format!("no database is reached by {scheme:?}"),
                "a URL looks like sqlite://app.db or postgres://user@host/app".to_owned(),
            ),
        };
        Err(Error::of(ErrorKind::Usage, message).hint(hint))
    }

    /// The SQLite database of a pool that the program has already.
    ///
    /// Each call borrows one connection, and gives it back with no transaction open and with
    /// `foreign_keys` as it was.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use ductape::prelude::*;
    /// use ductape::sqlite::SqlitePool;
    ///
    /// let pool = SqlitePool::connect("sqlite::memory:").await?;
    /// let db = Database::from_sqlite_pool(pool.clone());
    /// db.schema().create("users", [uuid("id").primary_key()]).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn from_sqlite_pool(pool: ductape_sql::sqlite::SqlitePool) -> Self {
        Self::from_backend(Arc::new(ductape_sql::sqlite::SqliteBackend::from_pool(
            pool,
        )))
    }

    /// The database that something implements: one that is not among the features, or one that is
    /// wrapped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// use ductape::prelude::*;
    ///
    /// let db = Database::connect("sqlite::memory:").await?;
    /// let same = Database::from_backend(db.backend());
    /// # let _ = same;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn from_backend(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            options: EngineOptions::default(),
        }
    }

    /// The same database, whose calls and engine go about their work in this way.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// use ductape::engine::EngineOptions;
    /// use ductape::prelude::*;
    ///
    /// let mut careful = EngineOptions::default();
    /// careful.forbid_data_loss = true;
    /// let db = Database::connect("sqlite::memory:").await?.with_options(careful);
    /// db.schema().create("users", [uuid("id").primary_key()]).await?;
    /// let refused = db.schema().drop("users").await.unwrap_err();
    /// assert!(matches!(refused, Error::Refused(_)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_options(mut self, options: EngineOptions) -> Self {
        self.options = options;
        self
    }

    /// Changes of the schema, each a migration.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// db.schema().create("users", [uuid("id").primary_key()]).await?;
    /// db.schema().add_field("users", string("phone").length(20)).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn schema(&self) -> SchemaCalls {
        SchemaCalls::new(self.engine())
    }

    /// Moves data, in batches, as a migration; what it sets and where comes from
    /// [`UpdateOptions`](operation::UpdateOptions). One that was cut off is finished by the next run,
    /// and no row is done twice.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key(), text("first_name"), text("last_name"), text("full_name")]).await?;
    /// let update = db.update("users")
    ///     .set("full_name", concat([field("first_name"), lit(" "), field("last_name")]))
    ///     .filter(is_null("full_name"))
    ///     .await?;
    /// assert!(update.migration.tag.as_str().ends_with("_update_users"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn update(&self, collection: impl Into<String>) -> Call<Update> {
        Call::new(self.engine(), operation::update(collection))
    }

    /// The engine for it: whole migrations, history, status.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// let users = migration("create_users").create_collection("users", [uuid("id").primary_key()]).build()?;
    /// db.engine().up(&users).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn engine(&self) -> MigrationEngine {
        self.engine_with(self.options.clone())
    }

    /// An engine that goes about its work in this way.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// let mut options = ductape::engine::EngineOptions::default();
    /// options.out_of_order = true;
    /// let engine = db.engine_with(options);
    /// # let _ = engine;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn engine_with(&self, options: EngineOptions) -> MigrationEngine {
        MigrationEngine::with_options(self.backend.clone(), options)
    }

    /// What implements it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// assert_eq!(db.backend().compiler().capabilities().title, "SQLite");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn backend(&self) -> Arc<dyn Backend> {
        self.backend.clone()
    }
}
