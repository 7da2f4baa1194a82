//! What DynamoDB can do. Source: the developer guide (API reference, service quotas).

use ductape_core::BackendName;
use ductape_core::capabilities::{Capabilities, NameScope, Support};
use ductape_core::name::LengthUnit;

/// DynamoDB, as this backend drives it.
pub const CAPABILITIES: Capabilities = {
    let mut capabilities = Capabilities::none(BackendName::Dynamodb, "DynamoDB");
    capabilities.name_limit = Some((255, LengthUnit::Bytes));
    capabilities.index_names = NameScope::Collection;
    capabilities.add_field = Support::Batches;
    capabilities.drop_field = Support::Batches;
    capabilities.indexes = Support::Native;
    capabilities
};
