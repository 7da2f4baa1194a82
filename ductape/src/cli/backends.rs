//! The one place where the program asks which databases it has: their compilers, for working without
//! a connection. With one, [`ductape::Database::connect`] goes by the URL.

use crate::failure::Failure;
use ductape::ErrorKind;
use ductape::core::{BackendName, Compiler};

/// DynamoDB, its tables called as the collections are.
#[cfg(feature = "dynamodb")]
static DYNAMODB: ductape_dynamo::DynamoDb = ductape_dynamo::DynamoDb {
    prefix: String::new(),
};

/// The compiler for a database.
///
/// # Errors
/// If this program has none for it.
pub fn compiler(name: BackendName) -> Result<&'static dyn Compiler, Failure> {
    match name {
        BackendName::Sqlite => Ok(&ductape_sql::sqlite::Sqlite),
        BackendName::Postgresql => Ok(&ductape_sql::postgres::Postgres),
        #[cfg(feature = "dynamodb")]
        BackendName::Dynamodb => Ok(&DYNAMODB),
        #[cfg(not(feature = "dynamodb"))]
        BackendName::Dynamodb => Err(Failure::of(
            ErrorKind::Unsupported,
            "this program was built without dynamodb",
        )
        .hint("build it with the feature `dynamodb`")),
        other => Err(Failure::of(
            ErrorKind::Unsupported,
            format!("{other} is planned, and not there yet"),
        )
        .hint("there are sqlite, postgresql and dynamodb")),
    }
}
