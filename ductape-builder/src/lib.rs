//! Typed builders for Ductape migrations.
//!
//! ```
//! use ductape_builder::prelude::*;
//!
//! let users = migration("create_users")
//!     .description("People who can sign in")
//!     .create_collection("users", [
//!         uuid("id").primary_key(),
//!         string("email").length(255).required().unique(),
//!         string("name").length(100),
//!         enumeration("status", ["active", "inactive"]).default("active"),
//!     ])
//!     .timestamps()
//!     .create_index("users", index("idx_users_status", ["status"]))
//!     .add_constraint("posts", foreign_key(["author_id"]).references("users", ["id"]).on_delete(Cascade))
//!     .build()?;
//! assert_eq!(users.up().len(), 3);
//! # Ok::<(), ductape_core::Problems>(())
//! ```
//!
//! What makes no sense does not compile: a length on a number, a precision on a text, an enumeration
//! without values, a foreign key that points at nothing, `cascade` on anything but a drop, a migration
//! without operations. What only the whole can tell (an empty name, a default of another type, a word
//! that is no database) is collected, and [`build`](MigrationBuilder::build) reports all of it at
//! once, each with the path that it would have in a migration file.
//!
//! # Fields of different types in one array
//!
//! An array has elements of one type, and yet `.length()` must exist on a string and not on a number.
//! So [`string`] gives a [`TypedField<String>`](TypedField), which is a box of a
//! [`FieldBuilder<String>`](FieldBuilder), and [`uuid`] a box of another builder. Whatever takes fields
//! takes [`FieldSpec`]s: boxes of `FieldBuilder<dyn Kind>`. Where one is expected, the compiler turns
//! every box into it by itself, in an array as in an argument. Where none is expected, in a `let` or a
//! `Vec`, [`erase`](FieldBuilder::erase) or a written type does the same:
//!
//! ```
//! use ductape_builder::prelude::*;
//!
//! let fields: Vec<FieldSpec> = vec![uuid("id").primary_key(), string("name")];
//! let people = operation::create_collection("people", []).fields(fields).build()?;
//! # let _ = people;
//! # Ok::<(), ductape_core::Problems>(())
//! ```
//!
//! # Operations with more to say
//!
//! After an operation in a migration, what else can be said of that operation can be called, until the
//! next one begins: `.create_collection(…).timestamps().comment(…)`, `.drop_collection(…).cascade()`,
//! `.update(…).set(…).filter(…)`, and `.allow(…)` after any. These methods come from the traits in
//! [`operation`], which the [`prelude`] brings along. They work in the same way on the operations of
//! [`operation`], which are made outside a migration, and on anything else that implements
//! [`Builds`](operation::Builds).

mod backends;
mod changes;
mod constraint;
mod document;
mod enum_values;
mod field;
mod filters;
mod index;
pub mod kind;
mod migration;
pub mod operation;
mod options;
pub mod types;
mod values;

pub use backends::{Backend, Backends, ExpressionBuilder, per_backend};
pub use changes::{ChangeBuilder, change};
pub use constraint::{
    ConstraintBuilder, ForeignKeyWithoutTarget, check, foreign_key, primary_key, rule, unique,
};
pub use enum_values::EnumValues;
pub use field::{
    FieldBuilder, FieldSpec, TypedField, array, bigint, binary, blob, boolean, date, datetime,
    decimal, double, enumeration, float, integer, json, smallint, string, text, time, timestamp,
    unbounded_decimal, uuid,
};
pub use filters::{
    FilterBuilder, and, eq, exists, gt, gte, is_not_null, is_null, lt, lte, ne, not, one_of, or,
};
pub use index::{IndexBuilder, KeyBuilder, asc, desc, expression, index, index_on};
pub use migration::{MigrationBuilder, migration, state};
pub use operation::OperationBuilder;
pub use options::{
    CassandraOptionsBuilder, DynamoOptionsBuilder, MongoOptionsBuilder, SecondaryIndexBuilder,
    SqlOptionsBuilder, cassandra_options, dynamo_options, mongo_options, secondary_index,
    sql_options,
};
pub use values::{
    ValueBuilder, add, cast, coalesce, concat, divide, field, lit, lower, multiply, new_uuid, now,
    subtract, trim, upper,
};

pub use ductape_core::BackendName;
pub use ductape_core::operation::Allow;
pub use ductape_core::schema::ReferentialAction::{
    self, Cascade, NoAction, Restrict, SetDefault, SetNull,
};
pub use ductape_core::schema::{ClusteringDirection, Deferrable, KeyType, Method};

/// All that writing migrations takes: `use ductape_builder::prelude::*`.
pub mod prelude {
    pub use crate::operation::{
        self, Builds, CreateCollectionOptions, DropCollectionOptions, ModifyCollectionOptions,
        ModifyFieldOptions, OptionGroup, RawOptions, RestoreOptions, UpdateOptions, definition,
    };
    pub use crate::*;
}
