//! What SQLite can do. Source: lang_altertable.html, lang_createtable.html, foreignkeys.html of
//! sqlite.org, and the tests of this workspace.

use ductape_core::BackendName;
use ductape_core::capabilities::{Capabilities, NameScope, Support};

/// SQLite, as bundled.
pub const CAPABILITIES: Capabilities = {
    let mut capabilities = Capabilities::none(BackendName::Sqlite, "SQLite");
    capabilities.names_ignore_case = true;
    capabilities.index_names = NameScope::Schema;
    capabilities.transactional_changes = true;
    capabilities.rename_collection = Support::Native;
    capabilities.add_field = Support::Native;
    capabilities.drop_field = Support::Native;
    capabilities.rename_field = Support::Native;
    capabilities.change_type = Support::Rebuild;
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
    capabilities.comments = Support::Record;
    capabilities.update = Support::Batches;
    capabilities
};
