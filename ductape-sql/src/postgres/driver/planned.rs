//! What every unit does to the ledger, planned by the server once for the session. A third of what a small
//! migration costs beside its own statements goes into parsing and planning these.

use super::super::Postgres;
use super::super::dialect::sql;
use super::lock::Held;
use super::place::Place;
use crate::ledger::{plannable, values_of};
use ductape_engine::ledger::Put;

/// The statements that a session has planned.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// Part of their names: what a raw statement did to earlier ones is not known.
    generation: u32,
    ready: bool,
}

impl Planned {
    /// Whether they can be called.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// The statements that plan them; whatever comes behind can call them.
    pub fn begin(&mut self, place: &Place, held: &Held) -> Vec<String> {
        self.generation += 1;
        self.ready = true;
        let mut statements = vec![format!(
            "PREPARE {} AS {}",
            self.name("fence"),
            held.fence_of_unit(place, true)
        )];
        for (name, text) in plannable::<Postgres>(&place.names) {
            statements.push(format!("PREPARE {} AS {text}", self.name(name)));
        }
        statements
    }

    /// They may not be there any more.
    pub fn forget(&mut self) {
        self.ready = false;
    }

    /// The call of the fence of a unit that leaves it to a later one to wait for the disk.
    pub fn fence(&self) -> Option<String> {
        self.ready
            .then(|| format!("EXECUTE {}", self.name("fence")))
    }

    /// The call of the first of some writes, and how many of them that is, if it is planned.
    pub fn puts(&self, puts: &[Put]) -> Option<(String, usize)> {
        if !self.ready {
            return None;
        }
        let (name, count, values) = values_of::<Postgres>(puts)?;
        let text = sql().words("EXECUTE ").sql(&self.name(name)).words("(");
        Some((text.sql(&values).words(")").finish(), count))
    }

    fn name(&self, what: &str) -> String {
        format!("ductape_{what}_{}", self.generation)
    }
}
