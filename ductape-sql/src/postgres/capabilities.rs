//! What PostgreSQL can do. Source: the manual of version 15 (sql-createtable, sql-altertable,
//! sql-createindex, ddl-constraints), and the tests of this workspace.

use ductape_core::BackendName;
use ductape_core::capabilities::{Capabilities, NameScope, Support};
use ductape_core::name::LengthUnit;

/// PostgreSQL 12 and later.
pub const CAPABILITIES: Capabilities = {
    let mut capabilities = Capabilities::none(BackendName::Postgresql, "PostgreSQL");
    // The server itself would cut a longer one, and say so only in a notice (NAMEDATALEN).
    capabilities.name_limit = Some((63, LengthUnit::Bytes));
    capabilities.index_names = NameScope::Schema;
    capabilities.transactional_changes = true;
    // `pg_get_expr` and its like write expressions anew from what was parsed.
    capabilities.respells_expressions = true;
    // "cannot alter type of a column used by …" (ATRememberAllDependents in tablecmds.c).
    capabilities.held_by = &[
        "view",
        "materialized view",
        "trigger",
        "rule",
        "policy",
        "function",
        "procedure",
        "publication",
        "constraint",
        "statistics",
    ];
    // An advisory lock ends with its connection.
    capabilities.lock_is_lease = false;
    capabilities.rename_collection = Support::Native;
    capabilities.add_field = Support::Native;
    capabilities.drop_field = Support::Native;
    capabilities.rename_field = Support::Native;
    capabilities.change_type = Support::Native;
    capabilities.not_null = Support::Native;
    capabilities.defaults = Support::Native;
    capabilities.generated = Support::Native;
    capabilities.indexes = Support::Native;
    capabilities.unique = Support::Native;
    capabilities.partial_indexes = Support::Native;
    capabilities.expression_indexes = Support::Native;
    capabilities.foreign_keys = Support::Native;
    capabilities.checks = Support::Native;
    capabilities.deferrable = Support::Native;
    capabilities.auto_increment = Support::Native;
    capabilities.comments = Support::Native;
    capabilities.update = Support::Batches;
    capabilities
};
