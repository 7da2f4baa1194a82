//! Migrations.

use crate::backends::{Backend, Backends};
use crate::changes::ChangeBuilder;
use crate::constraint::ConstraintBuilder;
use crate::document::{Document, Part};
use crate::field::FieldSpec;
use crate::index::IndexBuilder;
use crate::operation::{self, Builds, DefinitionBuilder, IsOperation, OperationBuilder};
use ductape_core::json::{Node, Read, Reader};
use ductape_core::operation::{
    AddConstraint, AddField, CreateCollection, CreateIndex, DropCollection, DropConstraint,
    DropField, DropIndex, ModifyCollection, ModifyField, Operation, Raw, RenameCollection,
    RenameField, Restore, Update,
};
use ductape_core::{Migration, Problem, Problems, Tag};
use serde_json::Value;
use std::marker::PhantomData;

/// Where a [`MigrationBuilder`] stands.
pub mod state {
    /// Before the first operation.
    #[derive(Debug, Clone, Copy)]
    pub enum Start {}
    /// Writing what the migration applies.
    #[derive(Debug, Clone, Copy)]
    pub enum Up {}
    /// Writing the way back.
    #[derive(Debug, Clone, Copy)]
    pub enum Down {}
}

/// A migration in the making.
///
/// `Last` is the operation that was written last: what else can be said of that one, and of no other,
/// comes from the option traits of [`operation`]. `Way` tells whether this is the way up or, inside
/// [`down`](MigrationBuilder::down), the way back.
#[derive(Debug, Clone)]
#[must_use = "a migration is there once it is built"]
pub struct MigrationBuilder<Last = state::Start, Way = state::Up> {
    name: String,
    tag: Option<String>,
    description: Option<String>,
    operations: Vec<Document>,
    down: Option<Vec<Document>>,
    state: PhantomData<fn() -> (Last, Way)>,
}

/// Begins a migration: a name of letters, digits and `_`.
///
/// ```
/// use ductape_builder::{decimal, index, migration, uuid};
///
/// let orders = migration("create_order_system")
///     .description("Create orders and order_items tables")
///     .create_collection("orders", [uuid("id").primary_key(), decimal("total", 10, 2)])
///     .create_index("orders", index("idx_orders_total", ["total"]))
///     .raw("postgresql", "CREATE EXTENSION IF NOT EXISTS pgcrypto")
///     .build()?;
/// assert_eq!(orders.up().len(), 3);
/// # Ok::<(), ductape_core::Problems>(())
/// ```
pub fn migration(name: impl Into<String>) -> MigrationBuilder {
    MigrationBuilder {
        name: name.into(),
        tag: None,
        description: None,
        operations: Vec::new(),
        down: None,
        state: PhantomData,
    }
}

impl<Last, Way> MigrationBuilder<Last, Way> {
    fn at<Next, Then>(self) -> MigrationBuilder<Next, Then> {
        MigrationBuilder {
            name: self.name,
            tag: self.tag,
            description: self.description,
            operations: self.operations,
            down: self.down,
            state: PhantomData,
        }
    }

    /// Adds an operation that was made outside the migration.
    ///
    /// ```
    /// use ductape_builder::{migration, operation};
    /// let rename = operation::rename_field("users", "name", "full_name");
    /// assert!(migration("rename").operation(rename).build().is_ok());
    /// ```
    pub fn operation<T: IsOperation>(
        mut self,
        operation: impl Into<OperationBuilder<T>>,
    ) -> MigrationBuilder<T, Way> {
        self.operations.push(operation.into().into_document());
        self.at()
    }

    /// Adds operations from a list that the program made; core's own operations, too.
    ///
    /// ```
    /// use ductape_builder::{migration, operation};
    /// let drops = ["old_users", "old_posts"].map(operation::drop_collection);
    /// assert_eq!(migration("drop_old").operations(drops).build()?.up().len(), 2);
    /// # Ok::<(), ductape_core::Problems>(())
    /// ```
    pub fn operations<T: IsOperation>(
        mut self,
        operations: impl IntoIterator<Item = impl Into<OperationBuilder<T>>>,
    ) -> MigrationBuilder<Operation, Way> {
        let operations = operations
            .into_iter()
            .map(Into::<OperationBuilder<T>>::into);
        self.operations
            .extend(operations.map(OperationBuilder::into_document));
        self.at()
    }

    /// Makes a collection. What else can be said of it:
    /// [`CreateCollectionOptions`](operation::CreateCollectionOptions).
    pub fn create_collection<const N: usize>(
        self,
        name: impl Into<String>,
        fields: [FieldSpec; N],
    ) -> MigrationBuilder<CreateCollection, Way> {
        self.operation(operation::create_collection(name, fields))
    }

    /// Drops a collection with its data. What else can be said of it:
    /// [`DropCollectionOptions`](operation::DropCollectionOptions).
    pub fn drop_collection(self, name: impl Into<String>) -> MigrationBuilder<DropCollection, Way> {
        self.operation(operation::drop_collection(name))
    }

    /// Gives a collection another name.
    pub fn rename_collection(
        self,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> MigrationBuilder<RenameCollection, Way> {
        self.operation(operation::rename_collection(from, to))
    }

    /// Changes a collection's comment or options, which come from
    /// [`ModifyCollectionOptions`](operation::ModifyCollectionOptions).
    pub fn modify_collection(
        self,
        name: impl Into<String>,
    ) -> MigrationBuilder<ModifyCollection, Way> {
        self.operation(operation::modify_collection(name))
    }

    /// Adds a field to a collection.
    pub fn add_field(
        self,
        collection: impl Into<String>,
        field: FieldSpec,
    ) -> MigrationBuilder<AddField, Way> {
        self.operation(operation::add_field(collection, field))
    }

    /// Drops a field with its values.
    pub fn drop_field(
        self,
        collection: impl Into<String>,
        field: impl Into<String>,
    ) -> MigrationBuilder<DropField, Way> {
        self.operation(operation::drop_field(collection, field))
    }

    /// Gives a field another name.
    pub fn rename_field(
        self,
        collection: impl Into<String>,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> MigrationBuilder<RenameField, Way> {
        self.operation(operation::rename_field(collection, from, to))
    }

    /// Changes attributes of a field. What else can be said of it:
    /// [`ModifyFieldOptions`](operation::ModifyFieldOptions).
    pub fn modify_field(
        self,
        collection: impl Into<String>,
        field: impl Into<String>,
        changes: impl Into<ChangeBuilder>,
    ) -> MigrationBuilder<ModifyField, Way> {
        self.operation(operation::modify_field(collection, field, changes))
    }

    /// Makes an index.
    pub fn create_index(
        self,
        collection: impl Into<String>,
        index: impl Into<IndexBuilder>,
    ) -> MigrationBuilder<CreateIndex, Way> {
        self.operation(operation::create_index(collection, index))
    }

    /// Drops an index.
    pub fn drop_index(
        self,
        collection: impl Into<String>,
        index: impl Into<String>,
    ) -> MigrationBuilder<DropIndex, Way> {
        self.operation(operation::drop_index(collection, index))
    }

    /// Adds a constraint.
    pub fn add_constraint<R>(
        self,
        collection: impl Into<String>,
        constraint: ConstraintBuilder<R>,
    ) -> MigrationBuilder<AddConstraint, Way> {
        self.operation(operation::add_constraint(collection, constraint))
    }

    /// Drops a constraint.
    pub fn drop_constraint(
        self,
        collection: impl Into<String>,
        constraint: impl Into<String>,
    ) -> MigrationBuilder<DropConstraint, Way> {
        self.operation(operation::drop_constraint(collection, constraint))
    }

    /// Moves data, in batches; what it sets and where comes from
    /// [`UpdateOptions`](operation::UpdateOptions).
    pub fn update(self, collection: impl Into<String>) -> MigrationBuilder<Update, Way> {
        self.operation(operation::update(collection))
    }

    /// A statement in a database's own language, passed over on every other. What else can be said of
    /// it: [`RawOptions`](operation::RawOptions).
    pub fn raw(
        self,
        backend: impl Into<Backends>,
        statement: impl Into<Value>,
    ) -> MigrationBuilder<Raw, Way> {
        self.operation(operation::raw(backend, statement))
    }

    /// Brings native definitions back. What else can be said of it:
    /// [`RestoreOptions`](operation::RestoreOptions).
    pub fn restore(
        self,
        backend: impl Into<Backend>,
        definitions: impl IntoIterator<Item = impl Into<DefinitionBuilder>>,
    ) -> MigrationBuilder<Restore, Way> {
        self.operation(operation::restore(backend, definitions))
    }
}

impl<Last: IsOperation, Way> Builds for MigrationBuilder<Last, Way> {
    type Operation = Last;

    fn edit(
        mut self,
        change: impl FnOnce(OperationBuilder<Last>) -> OperationBuilder<Last>,
    ) -> Self {
        if let Some(last) = self.operations.pop() {
            let last = change(OperationBuilder::from_document(last));
            self.operations.push(last.into_document());
        }
        self
    }
}

impl<Last> MigrationBuilder<Last> {
    /// What it says of itself.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Its tag, which ends in its name: `20240115_143052_create_users`. Without one it gets its tag
    /// when it is first applied.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Writes the way back, in its own order. Without it the way back is derived; one without
    /// operations says that there is nothing to do.
    ///
    /// ```
    /// use ductape_builder::migration;
    ///
    /// let extension = migration("extension")
    ///     .raw("postgresql", "CREATE EXTENSION pgcrypto")
    ///     .down(|down| down.raw("postgresql", "DROP EXTENSION pgcrypto"))
    ///     .build()?;
    /// assert_eq!(extension.written_down().map(<[_]>::len), Some(1));
    /// # Ok::<(), ductape_core::Problems>(())
    /// ```
    pub fn down<End>(
        mut self,
        write: impl FnOnce(
            MigrationBuilder<state::Start, state::Down>,
        ) -> MigrationBuilder<End, state::Down>,
    ) -> Self {
        self.down = Some(write(migration("").at()).operations);
        self
    }
}

impl<Last: IsOperation> MigrationBuilder<Last> {
    /// The migration.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its path.
    ///
    /// ```
    /// use ductape_builder::{index_on, integer, migration};
    ///
    /// let wrong = migration("wrong")
    ///     .create_collection("", [integer("n").default("many")])
    ///     .create_index("things", index_on(["a", "a"]))
    ///     .build()
    ///     .unwrap_err();
    /// let paths: Vec<_> = wrong.0.iter().map(|problem| problem.path.as_str()).collect();
    /// assert_eq!(paths, ["up[0].name", "up[0].fields[0].default", "up[1].index.fields[1]"]);
    /// ```
    ///
    /// A migration without operations is none:
    ///
    /// ```compile_fail
    /// ductape_builder::migration("empty").build();
    /// ```
    pub fn build(self) -> Result<Migration, Problems> {
        let mut reader = Reader::new();
        let tag = self.tag.map(|tag| read_tag(&tag, &self.name, &mut reader));
        let up = read("up", self.operations, &mut reader);
        let down = self.down.map(|down| read("down", down, &mut reader));
        let mut problems = reader.finish();
        let read = up.zip(down.map_or(Some(None), |down| down.map(Some)));
        let migration = match read {
            Some((up, down)) => Migration::new(self.name, self.description, up, down),
            None => Err(Problems(of_name(self.name))),
        };
        match (migration, tag) {
            (Ok(migration), None) if problems.is_empty() => Ok(migration),
            (Ok(migration), Some(Some(tag))) if problems.is_empty() => Ok(migration.with_tag(tag)),
            (Ok(_), _) => Err(Problems(problems)),
            (Err(more), _) => {
                problems.extend(more.0);
                Err(Problems(problems))
            }
        }
    }
}

fn read(key: &str, operations: Vec<Document>, reader: &mut Reader) -> Option<Vec<Operation>> {
    let before = reader.count();
    let operations: Option<Vec<Operation>> = reader.within(key, |reader| {
        let read: Vec<Option<Operation>> = operations
            .into_iter()
            .enumerate()
            .map(|(index, operation)| reader.at(index, |reader| Part::from(operation).read(reader)))
            .collect();
        read.into_iter().collect()
    });
    operations.filter(|_| reader.count() == before)
}

fn read_tag(tag: &str, name: &str, reader: &mut Reader) -> Option<Tag> {
    reader.within("tag", |reader| {
        let tag = Tag::read(&Node::Text(tag.to_owned()), reader)?;
        if tag.name() != name {
            reader.problem_with_hint(
                format!("the tag ends in {:?}, and the name is {name:?}", tag.name()),
                "make them the same",
            );
        }
        Some(tag)
    })
}

/// What is wrong with a name, where the operations are too wrong to make a migration of.
fn of_name(name: String) -> Vec<Problem> {
    match Migration::new(name, None, Vec::new(), None) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            let of_name = problems.0.into_iter();
            of_name.filter(|problem| problem.path == "name").collect()
        }
    }
}
