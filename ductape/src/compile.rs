//! Statements without a database.

use ductape_core::{Compiler, Migration};
use ductape_engine::{Error, MigrationSet, Plan, plan_offline};

/// The statements that migrations become on a database, both ways, without one at hand.
///
/// The schema before the first of them is taken to be empty, so a migration that changes a collection
/// stands behind the one that makes it. What it gives prints as the statements, for a look or for a
/// snapshot; one by one they are in [`Plan::migrations`].
///
/// ```
/// use ductape::prelude::*;
/// use ductape::Sqlite;
///
/// let orders = migration("create_orders")
///     .create_collection("orders", [uuid("id").primary_key(), decimal("total", 10, 2)])
///     .build()?;
/// let status = migration("add_status")
///     .add_field("orders", string("status").length(50))
///     .build()?;
///
/// println!("{}", orders.compile(&Sqlite)?);
/// let plan = [orders, status].compile(&Sqlite)?;
/// let [create, add] = plan.migrations.as_slice() else { unreachable!() };
/// assert!(create.up[0].statement.starts_with("CREATE TABLE \"orders\""));
/// assert!(add.up[0].statement.starts_with("ALTER TABLE \"orders\""));
/// # Ok::<(), Error>(())
/// ```
pub trait Compile {
    /// Compiles for a database.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) with everything that this database
    /// cannot do; [`ErrorKind::Mismatch`](crate::ErrorKind::Mismatch) for what is not there.
    fn compile(&self, compiler: &dyn Compiler) -> Result<Plan, Error>;
}

impl Compile for Migration {
    fn compile(&self, compiler: &dyn Compiler) -> Result<Plan, Error> {
        std::slice::from_ref(self).compile(compiler)
    }
}

impl Compile for [Migration] {
    fn compile(&self, compiler: &dyn Compiler) -> Result<Plan, Error> {
        plan_offline(compiler, self)
    }
}

impl Compile for MigrationSet {
    fn compile(&self, compiler: &dyn Compiler) -> Result<Plan, Error> {
        self.migrations().compile(compiler)
    }
}
