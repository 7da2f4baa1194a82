//! Changes of a database's schema, one call each.

use crate::call::Call;
use ductape_builder::operation::{self, DefinitionBuilder, IsOperation, OperationBuilder};
use ductape_builder::{
    Backend, Backends, ChangeBuilder, ConstraintBuilder, FieldSpec, IndexBuilder,
};
use ductape_core::operation::{
    AddConstraint, AddField, CreateCollection, CreateIndex, DropCollection, DropConstraint,
    DropField, DropIndex, ModifyCollection, ModifyField, Raw, RenameCollection, RenameField,
    Restore,
};
use ductape_engine::MigrationEngine;
use serde_json::Value;

/// The changes of a database's schema: [`Database::schema`](crate::Database::schema).
///
/// Every call is a future with options. Awaited, it is a new migration: applied under the lock,
/// recorded, and returned with its tag and its way back.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ductape::Error> {
/// use ductape::prelude::*;
///
/// let db = Database::connect("sqlite::memory:").await?;
/// let schema = db.schema();
/// schema.create("users", [uuid("id").primary_key(), string("name").length(100)]).await?;
/// schema.create_index("users", index_on(["name"])).await?;
/// assert_eq!(db.engine().history().await?.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SchemaCalls {
    engine: MigrationEngine,
}

impl SchemaCalls {
    pub(crate) fn new(engine: MigrationEngine) -> Self {
        Self { engine }
    }

    fn call<T: IsOperation>(&self, operation: OperationBuilder<T>) -> Call<T> {
        Call::new(self.engine.clone(), operation)
    }

    /// Makes a collection. What else can be said of it:
    /// [`CreateCollectionOptions`](operation::CreateCollectionOptions).
    ///
    /// A second one of the same name is [`Error::AlreadyExists`](crate::Error::AlreadyExists), which
    /// tells whether it is the same.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// let create = || db.schema().create("products", [
    ///     uuid("id").primary_key(),
    ///     string("name").length(255).required(),
    ///     decimal("price", 10, 2),
    ///     boolean("is_active").default(true),
    /// ]).timestamps();
    /// create().await?;
    /// let again = create().await.unwrap_err();
    /// assert!(again.to_string().contains("already exists"));
    /// assert!(matches!(again, Error::AlreadyExists { same: true, .. }));
    /// create().if_not_exists().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn create<const N: usize>(
        &self,
        collection: impl Into<String>,
        fields: [FieldSpec; N],
    ) -> Call<CreateCollection> {
        self.call(operation::create_collection(collection, fields))
    }

    /// Drops a collection with its data. What else can be said of it:
    /// [`DropCollectionOptions`](operation::DropCollectionOptions).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("old_table", [uuid("id").primary_key()]).await?;
    /// db.schema().drop("old_table").cascade().await?;
    /// db.schema().drop("old_table").if_exists().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop(&self, collection: impl Into<String>) -> Call<DropCollection> {
        self.call(operation::drop_collection(collection))
    }

    /// Gives a collection another name.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key()]).await?;
    /// db.schema().rename("users", "people").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rename(&self, from: impl Into<String>, to: impl Into<String>) -> Call<RenameCollection> {
        self.call(operation::rename_collection(from, to))
    }

    /// Changes a collection's comment or options, which come from
    /// [`ModifyCollectionOptions`](operation::ModifyCollectionOptions).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key()]).await?;
    /// db.schema().modify("users").comment("People who can sign in").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn modify(&self, collection: impl Into<String>) -> Call<ModifyCollection> {
        self.call(operation::modify_collection(collection))
    }

    /// Adds a field to a collection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key()]).await?;
    /// let added = db.schema().add_field("users", string("phone").length(20)).await?;
    /// assert!(added.migration.tag.as_str().ends_with("_add_phone_to_users"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_field(&self, collection: impl Into<String>, field: FieldSpec) -> Call<AddField> {
        self.call(operation::add_field(collection, field))
    }

    /// Drops a field with its values.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key(), text("old_column")]).await?;
    /// db.schema().drop_field("users", "old_column").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop_field(
        &self,
        collection: impl Into<String>,
        field: impl Into<String>,
    ) -> Call<DropField> {
        self.call(operation::drop_field(collection, field))
    }

    /// Gives a field another name.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key(), text("name")]).await?;
    /// db.schema().rename_field("users", "name", "full_name").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rename_field(
        &self,
        collection: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> Call<RenameField> {
        self.call(operation::rename_field(collection, from, to))
    }

    /// Changes attributes of a field. What else can be said of it:
    /// [`ModifyFieldOptions`](operation::ModifyFieldOptions).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key(), string("email").length(255)]).await?;
    /// db.schema().modify_field("users", "email", change().length(500).required()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn modify_field(
        &self,
        collection: impl Into<String>,
        field: impl Into<String>,
        changes: impl Into<ChangeBuilder>,
    ) -> Call<ModifyField> {
        self.call(operation::modify_field(collection, field, changes))
    }

    /// Makes an index.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key(), text("email")]).await?;
    /// db.schema().create_index("users", index("idx_users_email", ["email"]).unique()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_index(
        &self,
        collection: impl Into<String>,
        index: impl Into<IndexBuilder>,
    ) -> Call<CreateIndex> {
        self.call(operation::create_index(collection, index))
    }

    /// Drops an index.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key()]).index(index("idx_users_old", ["id"])).await?;
    /// db.schema().drop_index("users", "idx_users_old").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop_index(
        &self,
        collection: impl Into<String>,
        index: impl Into<String>,
    ) -> Call<DropIndex> {
        self.call(operation::drop_index(collection, index))
    }

    /// Adds a constraint.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("users", [uuid("id").primary_key()]).await?;
    /// # db.schema().create("posts", [uuid("id").primary_key(), uuid("author_id")]).await?;
    /// let author = foreign_key(["author_id"]).references("users", ["id"]).on_delete(Cascade);
    /// db.schema().add_constraint("posts", author.name("fk_posts_author")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn add_constraint<R>(
        &self,
        collection: impl Into<String>,
        constraint: ConstraintBuilder<R>,
    ) -> Call<AddConstraint> {
        self.call(operation::add_constraint(collection, constraint))
    }

    /// Drops a constraint.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// # db.schema().create("items", [uuid("id").primary_key(), integer("quantity")])
    /// #     .constraint(check("quantity > 0").name("ck_quantity")).await?;
    /// db.schema().drop_constraint("items", "ck_quantity").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop_constraint(
        &self,
        collection: impl Into<String>,
        constraint: impl Into<String>,
    ) -> Call<DropConstraint> {
        self.call(operation::drop_constraint(collection, constraint))
    }

    /// A statement in a database's own language, passed over on every other. What else can be said of
    /// it: [`RawOptions`](operation::RawOptions). Without an inverse it has no way back.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// db.schema().raw("sqlite", "CREATE VIEW one AS SELECT 1").inverse("DROP VIEW one").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw(&self, backend: impl Into<Backends>, statement: impl Into<Value>) -> Call<Raw> {
        self.call(operation::raw(backend, statement))
    }

    /// Brings native definitions back. What else can be said of it:
    /// [`RestoreOptions`](operation::RestoreOptions).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), ductape::Error> {
    /// # use ductape::prelude::*;
    /// # let db = Database::connect("sqlite::memory:").await?;
    /// let view = definition("view", "one", "CREATE VIEW one AS SELECT 1");
    /// db.schema().restore("sqlite", [view]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn restore(
        &self,
        backend: impl Into<Backend>,
        definitions: impl IntoIterator<Item = impl Into<DefinitionBuilder>>,
    ) -> Call<Restore> {
        self.call(operation::restore(backend, definitions))
    }
}
