//! Definitions in the server's own words, made and taken away.

use super::compiler::Compilation;
use super::effects;
use super::lost_rows::{add_as_far_as_rows_allow, comes_back_not_valid};
use super::native::{drop_native, is_said_before};
use ductape_core::Operation;
use ductape_core::operation::Restore;
use ductape_core::schema::{INHERITANCE, NativeDefinition};

impl Compilation<'_> {
    /// Whether definitions only get back the words that they had before something that they name got
    /// another name and its own again: the server follows names by itself, and exactly.
    fn follows_a_name(&self, at: usize, restore: &Restore) -> bool {
        let renames = |operation: &Operation| {
            matches!(
                operation,
                Operation::RenameCollection(_) | Operation::RenameField(_)
            )
        };
        let before = at.checked_sub(1).and_then(|at| self.operations.get(at));
        before.is_some_and(|before| renames(&before.operation))
            && !restore.remove.is_empty()
            && restore.definitions.iter().all(|native| {
                let mut removed = restore.remove.iter();
                let is_it = |other: &NativeDefinition| {
                    other.kind == native.kind && other.name == native.name
                };
                native.is_settings() || removed.any(is_it)
            })
    }

    pub(super) fn restore(&mut self, at: usize, restore: &Restore) {
        if self.follows_a_name(at, restore) {
            return;
        }
        for native in restore.remove.iter().filter(|n| !n.is_settings()) {
            let on = native.on.as_ref();
            if native.kind == INHERITANCE && on.is_some_and(|on| self.falls_later(at, on)) {
                continue;
            }
            match drop_native(native) {
                Some(statement) => {
                    let effect = effects::native_gone(native);
                    let target = self.target_that_falls(at, native);
                    let step = self.step(at, statement);
                    step.effects.push(effect);
                    if let Some(target) = target {
                        let on = native.on.as_ref().unwrap_or(&native.name);
                        let risk = comes_back_not_valid(&native.name, on, &target);
                        step.risks.push(risk);
                    }
                }
                None if native.kind == INHERITANCE => self.refuse(
                    at,
                    format!(
                        "{} inherits from {}, and what once stopped to inherit does not do so as before",
                        native.on.as_ref().unwrap_or(&native.name),
                        native.name
                    ),
                    "drop what inherits first, or write raw statements",
                ),
                None => self.refuse(
                    at,
                    format!("PostgreSQL has no way to drop a {}", native.kind),
                    "write a raw statement for it",
                ),
            }
        }
        for native in &restore.definitions {
            if is_said_before(native) {
                continue;
            }
            self.check_native_key(at, native);
            let made = effects::native_made(native);
            let (definition, effect) = match self.lost_its_rows(native) {
                true => (
                    add_as_far_as_rows_allow(
                        &native.definition,
                        &format!("{} NOT VALID", native.definition),
                    ),
                    effects::as_far_as_rows_allow(made),
                ),
                false => (native.definition.clone(), made),
            };
            self.step(at, definition).effects.push(effect);
        }
    }
}
