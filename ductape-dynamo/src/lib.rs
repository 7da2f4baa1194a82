//! Ductape on DynamoDB.
//!
//! Thin: tables, fields with a default, and global secondary indexes. Whatever else is asked for is
//! refused when it is planned, with why and what to do instead.

mod capabilities;
mod compiler;
#[cfg(feature = "driver")]
mod driver_error;
#[cfg(feature = "driver")]
mod introspect;
#[cfg(feature = "driver")]
mod item;
#[cfg(feature = "driver")]
mod ledger;
#[cfg(feature = "driver")]
mod lock;
mod problems;
#[cfg(feature = "driver")]
mod request;
#[cfg(feature = "driver")]
mod session;
mod table;

pub use capabilities::CAPABILITIES;
pub use compiler::DynamoDb;
#[cfg(feature = "driver")]
pub use session::DynamoBackend;
