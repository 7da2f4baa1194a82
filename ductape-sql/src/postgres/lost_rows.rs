//! Foreign keys to a collection that is dropped: it comes back without its rows, and where others point at
//! them, the key comes back for new rows alone.

use super::compiler::Compilation;
use super::enum_type::block;
use ductape_core::compiler::Direction;
use ductape_core::schema::{Constraint, NativeDefinition};
use ductape_core::{Name, Risk, RiskKind};

impl Compilation<'_> {
    /// The collection that a foreign key in the server's own words points at and that falls in this list,
    /// while what the key stands on stays.
    pub(super) fn target_that_falls(&self, at: usize, native: &NativeDefinition) -> Option<Name> {
        if native.kind != "constraint" || native.definition.contains(" NOT VALID") {
            return None;
        }
        let (_, target) = native.definition.split_once(" REFERENCES ")?;
        self.outlook
            .falling(at)
            .find(|name| {
                ductape_core::expression::mentions(target, name) && native.on.as_ref() != Some(name)
            })
            .cloned()
    }

    /// On the way back, whether a foreign key in the server's own words points at a collection that comes
    /// back without its rows.
    pub(super) fn lost_its_rows(&self, native: &NativeDefinition) -> bool {
        let target = native.definition.split_once(" REFERENCES ");
        self.direction == Direction::Down
            && native.kind == "constraint"
            && !native.definition.contains(" NOT VALID")
            && !native.definition.contains(';')
            && target.is_some_and(|(_, target)| {
                let mut fresh = self.fresh.iter();
                fresh.any(|name| ductape_core::expression::mentions(target, name))
            })
    }

    /// On the way back, whether a foreign key points at a collection that comes back without its rows.
    pub(super) fn points_at_what_lost_its_rows(&self, constraint: &Constraint) -> bool {
        let target = constraint.references().map(|references| &references.table);
        self.direction == Direction::Down && target.is_some_and(|t| self.fresh.contains(t))
    }

    /// Whether a later operation of this list drops the collection.
    pub(super) fn falls_later(&self, at: usize, collection: &Name) -> bool {
        self.outlook.falls(at, collection)
    }
}

/// Adds a foreign key, and if rows are in the way, for the rows to come.
pub(super) fn add_as_far_as_rows_allow(add: &str, not_valid: &str) -> String {
    block(&format!(
        "BEGIN\n  {add};\nEXCEPTION WHEN foreign_key_violation THEN\n  {not_valid};\nEND"
    ))
}

pub(super) fn comes_back_not_valid(constraint: &Name, collection: &Name, target: &Name) -> Risk {
    Risk::new(
        RiskKind::NotRestored,
        format!(
            "rows of {collection} that point at {target} then point at nothing: where there are any, the way back brings {constraint} back for new rows alone (NOT VALID)"
        ),
    )
}
