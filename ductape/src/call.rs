//! Calls: one operation each, awaited, and thereby a migration of its own.

use ductape_builder::operation::{Builds, IsOperation, OperationBuilder};
use ductape_core::{Migration, Operation, Tag};
use ductape_engine::{Done, Error, MigrationEngine, Plan};
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;

/// A change of the database that happens when it is awaited.
///
/// It is one operation of core, `T`. What else can be said of it comes from the option traits of
/// [`operation`](crate::builder::operation), which the [prelude](crate::prelude) brings along. Awaited,
/// it becomes a migration: applied under the lock, recorded, and returned with its way back.
///
/// The future can be sent to another thread, and can be dropped: what was not done by then is not
/// done, or is finished by the next run.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ductape::Error> {
/// use ductape::prelude::*;
///
/// let db = Database::connect("sqlite::memory:").await?;
/// let users = db.schema().create("users", [uuid("id").primary_key()])
///     .timestamps()
///     .comment("People who can sign in")
///     .await?;
/// assert!(users.migration.tag.as_str().ends_with("_create_users"));
/// db.engine().down(&users.migration).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a call does nothing until it is awaited"]
#[derive(Debug, Clone)]
pub struct Call<T> {
    engine: MigrationEngine,
    operation: OperationBuilder<T>,
    name: Option<String>,
    description: Option<String>,
}

impl<T: IsOperation> Call<T> {
    pub(crate) fn new(engine: MigrationEngine, operation: OperationBuilder<T>) -> Self {
        Self {
            engine,
            operation,
            name: None,
            description: None,
        }
    }

    /// Gives its migration another name than the one made from the operation: letters, digits and `_`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// let users = db.schema().create("users", [uuid("id").primary_key()]).named("the_beginning").await?;
    /// assert_eq!(users.migration.name(), "the_beginning");
    /// # Ok(())
    /// # }
    /// ```
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says what it is for; the history keeps it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// let call = db.schema().create("users", [uuid("id").primary_key()]).description("People");
    /// assert_eq!(call.await?.migration.description(), Some("People"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The migration that it would be. Nothing is run, and no database is asked.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// let migration = db.schema().drop("users").cascade().migration()?;
    /// assert_eq!(migration.name(), "drop_users");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with everything that is wrong with it.
    pub fn migration(self) -> Result<Migration, Error> {
        let operation = self.operation.build()?;
        let name = self.name.unwrap_or_else(|| name_of(&operation));
        Ok(Migration::new(
            name,
            self.description,
            vec![operation],
            None,
        )?)
    }

    /// What it would run on the database at hand, both ways. Changes nothing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// let plan = db.schema().create("users", [integer("id").primary_key()]).plan().await?;
    /// assert!(plan.to_string().contains("DROP TABLE"));
    /// assert!(db.engine().history().await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Whatever awaiting it would refuse before it touches anything.
    pub fn plan(self) -> impl Future<Output = Result<Plan, Error>> + Send + 'static {
        let engine = self.engine.clone();
        let migration = self.migration();
        async move { engine.plan_new(&migration?).await }
    }
}

impl<T: IsOperation> Builds for Call<T> {
    type Operation = T;

    fn edit(mut self, change: impl FnOnce(OperationBuilder<T>) -> OperationBuilder<T>) -> Self {
        self.operation = change(self.operation);
        self
    }
}

impl<T: IsOperation> IntoFuture for Call<T> {
    type Output = Result<Applied, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let engine = self.engine.clone();
        let migration = self.migration();
        Box::pin(async move { engine.apply_new(&migration?).await.map(Applied::of) })
    }
}

/// What a call did.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ductape::Error> {
/// # use ductape::prelude::*;
/// # let db = Database::connect("sqlite::memory:").await?;
/// # db.schema().create("users", [uuid("id").primary_key()]).await?;
/// let phone = db.schema().add_field("users", string("phone").length(20)).await?;
/// let down = phone.migration.down.as_deref().unwrap_or_default();
/// assert_eq!(down[0].describe(), "drop field users.phone");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Applied {
    /// The migration that it became.
    pub migration: AppliedMigration,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many statements ran.
    pub statements: usize,
}

impl Applied {
    fn of(done: Done) -> Self {
        Self {
            migration: AppliedMigration {
                tag: done.tag,
                down: done.migration.down().map(<[Operation]>::to_vec),
                migration: done.migration,
            },
            duration_ms: done.duration_ms,
            statements: done.statements,
        }
    }
}

/// A migration that has been applied. It stands wherever a [`Migration`] is asked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AppliedMigration {
    /// Its tag.
    pub tag: Tag,
    /// The operations that undo it; nothing if it has no way back, as a raw statement without an
    /// inverse has none.
    pub down: Option<Vec<Operation>>,
    migration: Migration,
}

impl Deref for AppliedMigration {
    type Target = Migration;

    fn deref(&self) -> &Migration {
        &self.migration
    }
}

impl From<AppliedMigration> for Migration {
    fn from(applied: AppliedMigration) -> Self {
        applied.migration
    }
}

/// The longest name that is made, in bytes: with tag and ending it must do as the name of a file.
const LONGEST_NAME: usize = 120;

/// A name for the migration that an operation becomes.
fn name_of(operation: &Operation) -> String {
    let words = match operation {
        Operation::CreateCollection(o) => format!("create {}", o.name),
        Operation::DropCollection(o) => format!("drop {}", o.name),
        Operation::RenameCollection(o) => format!("rename {} to {}", o.from, o.to),
        Operation::ModifyCollection(o) => format!("modify {}", o.name),
        Operation::AddField(o) => format!("add {} to {}", o.field.name, o.collection),
        Operation::DropField(o) => format!("drop {} from {}", o.field, o.collection),
        Operation::RenameField(o) => format!("rename {} to {} in {}", o.from, o.to, o.collection),
        Operation::ModifyField(o) => format!("modify {} in {}", o.field, o.collection),
        Operation::CreateIndex(o) => match &o.index.name {
            Some(name) => format!("create {name}"),
            None => format!("create index on {}", o.collection),
        },
        Operation::DropIndex(o) => format!("drop {}", o.index),
        Operation::AddConstraint(o) => match &o.constraint.name {
            Some(name) => format!("add {name}"),
            None => format!("add constraint to {}", o.collection),
        },
        Operation::DropConstraint(o) => format!("drop {}", o.constraint),
        Operation::Update(o) => format!("update {}", o.collection),
        Operation::Raw(_) => "raw".to_owned(),
        Operation::Restore(_) => "restore".to_owned(),
    };
    let mut name = words
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("_");
    while name.len() > LONGEST_NAME {
        name.pop();
    }
    name
}
