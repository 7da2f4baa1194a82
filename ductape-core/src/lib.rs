//! The core of Ductape: operations as data, the schema model, inverses, checksums, and what a
//! database's compiler is. No I/O, no async, no clock, no randomness.
//!
//! The law that everything rests on: for every schema and every operation that fits it, applying the
//! operation and then its inverse gives the schema back, exactly. The test `law` of the workspace
//! shows it on random sequences.
//!
//! ```
//! use ductape_core::{Migration, Schema};
//!
//! let migration = Migration::parse(r#"{
//!     "format": 1,
//!     "tag": "20240115_143052_create_users",
//!     "up": [{ "type": "createCollection", "name": "users",
//!              "fields": { "id": { "type": "uuid", "primaryKey": true }, "stock": "integer" } }]
//! }"#)?;
//! let mut schema = Schema::new();
//! let before = schema.clone();
//! for operation in migration.up() {
//!     let inverse = operation.inverse(&schema)?;
//!     operation.apply(&mut schema)?;
//!     for back in &inverse.operations {
//!         back.apply(&mut schema)?;
//!     }
//! }
//! assert_eq!(schema, before);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod backend_name;
pub mod capabilities;
mod casts;
pub mod checksum;
pub mod compiler;
pub mod data;
pub mod difference;
pub mod expression;
pub mod inverse;
pub mod json;
pub mod migration;
pub mod name;
pub mod operation;
pub mod problem;
pub mod resolve;
pub mod risk;
pub mod schema;
pub mod statement;
pub mod tag;
pub mod value;

pub use backend_name::BackendName;
pub use capabilities::Capabilities;
pub use checksum::Checksum;
pub use compiler::{Compiler, Context, Direction, Refusal, Step};
pub use expression::Expression;
pub use inverse::{Inverse, Irreversible, Reversibility};
pub use migration::Migration;
pub use name::{Name, NameError};
pub use operation::Operation;
pub use problem::{Problem, Problems};
pub use resolve::{ResolveError, Resolved, resolve, way_back};
pub use risk::{Risk, RiskKind};
pub use schema::{Collection, Field, FieldType, Schema};
pub use statement::Statement;
pub use tag::{Tag, TagError};
