//! Constraints, added without keeping anybody waiting, and dropped.

use super::compiler::{Compilation, is_partitioned, not_transactional};
use super::constraint::{
    add_constraint, add_not_valid, add_using_index, drop_constraint, key_index_concurrently,
    validate,
};
use super::effects;
use super::guard::constraint_guards;
use super::lost_rows::{add_as_far_as_rows_allow, comes_back_not_valid};
use ductape_core::compiler::Guard;
use ductape_core::operation::{AddConstraint, DropConstraint};
use ductape_core::schema::{Constraint, Rule};
use ductape_core::{Name, Schema};

impl Compilation<'_> {
    pub(super) fn add_constraint(&mut self, at: usize, add: &AddConstraint, before: &Schema) {
        let (name, constraint) = (&add.collection, &add.constraint);
        let (Some(collection), Some(called)) = (before.collection(name), &constraint.name) else {
            return;
        };
        self.check_constraint(at, collection, constraint, before);
        if self.stands_aside(at) || self.nobody_waits(at, name) || is_partitioned(before, name) {
            let effect = effects::constraint_made(name, called);
            self.step(at, add_constraint(name, constraint))
                .effects
                .push(effect);
            return;
        }
        if self.points_at_what_lost_its_rows(constraint) {
            let effect = effects::as_far_as_rows_allow(effects::constraint_made(name, called));
            let statement = add_as_far_as_rows_allow(
                &add_constraint(name, constraint),
                &add_not_valid(name, constraint),
            );
            self.step(at, statement).effects.push(effect);
            return;
        }
        let guards = constraint_guards(collection, constraint);
        match &constraint.rule {
            Rule::PrimaryKey(columns) | Rule::Unique(columns) => {
                let statement = key_index_concurrently(name, called, columns);
                let effect = effects::index_made(name, called);
                let step = self.alone(at, statement, effect);
                step.guards = guards;
                step.risks.push(not_transactional(called));
                let statement = add_using_index(name, called, constraint);
                let effect = effects::constraint_made(name, called);
                self.step(at, statement).effects.push(effect);
            }
            Rule::ForeignKey(..) | Rule::Check(_) => {
                self.add_and_validate(at, name, called, constraint, guards);
            }
        }
    }

    /// Adds a constraint without looking at the rows that are there, and looks at them afterwards.
    pub(super) fn add_and_validate(
        &mut self,
        at: usize,
        collection: &Name,
        name: &Name,
        constraint: &Constraint,
        guards: Vec<Guard>,
    ) {
        let step = self.step(at, add_not_valid(collection, constraint));
        step.guards = guards;
        step.effects
            .push(effects::constraint_made(collection, name));
        let effect = effects::constraint_validated(collection, name);
        self.alone(at, validate(collection, name), effect);
    }

    pub(super) fn drop_constraint(&mut self, at: usize, drop: &DropConstraint, before: &Schema) {
        let statement = drop_constraint(&drop.collection, &drop.constraint);
        let effect = effects::constraint_gone(&drop.collection, &drop.constraint);
        let target = before
            .collection(&drop.collection)
            .and_then(|collection| collection.constraint(&drop.constraint)?.references())
            .map(|references| &references.table)
            .filter(|target| **target != drop.collection);
        let goes = target
            .filter(|target| self.falls_later(at, target))
            .cloned();
        let stays = !self.falls_later(at, &drop.collection);
        self.check_key_is_not_pointed_at(at, drop, before);
        let step = self.step(at, statement);
        step.effects.push(effect);
        if let Some(target) = goes.filter(|_| stays) {
            step.risks.push(comes_back_not_valid(
                &drop.constraint,
                &drop.collection,
                &target,
            ));
        }
    }
}
