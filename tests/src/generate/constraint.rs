//! Constraints.

use super::CanWait;
use super::draw::{Draw, OTHERS};
use ductape_core::operation::{AddConstraint, DropConstraint};
use ductape_core::schema::{Constraint, Deferrable, References, ReferentialAction, Rule};
use ductape_core::{Collection, Name, Operation};

impl Draw<'_> {
    pub(super) fn constraint(&mut self, collection: &Collection, new: bool) -> Option<Constraint> {
        let keyless = collection.key().is_empty()
            && !(new && collection.fields.iter().any(|field| field.primary_key));
        let rule = match self.below(6) {
            0 | 1 => self.foreign_key(collection)?,
            2 => Rule::Check(self.condition(collection)?),
            3 if keyless => Rule::PrimaryKey(self.some_fields(collection, 2)),
            _ => Rule::Unique(self.some_fields(collection, 3)),
        };
        let mut constraint = Constraint::new(rule);
        constraint.name = self.maybe(2, |draw| {
            draw.free(OTHERS, |n| collection.constraint(n).is_some())
        });
        let can_wait = match self.profile.can_wait {
            CanWait::None => false,
            CanWait::ForeignKeys => constraint.references().is_some(),
            CanWait::All => !self.profile.typed || !matches!(constraint.rule, Rule::Check(_)),
        };
        if can_wait {
            constraint.deferrable = self.maybe(4, |draw| draw.of(Deferrable::ALL).copied());
        }
        Some(constraint)
    }

    pub(super) fn foreign_key(&mut self, collection: &Collection) -> Option<Rule> {
        // Every key there is, and where it is.
        let mut keys: Vec<(Name, Vec<Name>)> = Vec::new();
        for other in self.schema.collections() {
            let of_constraints = other
                .constraints
                .iter()
                .filter(|c| matches!(c.rule, Rule::PrimaryKey(_) | Rule::Unique(_)))
                .map(|c| c.columns().to_vec());
            let of_indexes = other
                .indexes
                .iter()
                .filter(|index| index.unique && index.predicate.is_none())
                .filter_map(|index| {
                    let names = index.fields.iter().map(|key| key.name().cloned());
                    names.collect::<Option<Vec<Name>>>()
                });
            let mut found: Vec<Vec<Name>> = of_constraints.chain(of_indexes).collect();
            // Others before itself: these are the interesting ones.
            let place = if other.name == collection.name {
                keys.len()
            } else {
                0
            };
            found.dedup();
            for columns in found {
                keys.insert(place, (other.name.clone(), columns));
            }
        }
        let flagged = collection
            .fields
            .iter()
            .filter(|field| field.primary_key || field.unique)
            .map(|field| (collection.name.clone(), vec![field.name.clone()]));
        keys.extend(flagged);
        let (table, mut columns) = self.of(&keys)?.clone();
        if columns.len() > 1 && self.once_in(2) {
            columns.reverse();
        }
        let mut own: Vec<Name> = Vec::new();
        let start = self.below(collection.fields.len());
        for step in 0..columns.len().min(collection.fields.len()) {
            let at = (start + step) % collection.fields.len();
            own.extend(collection.fields.get(at).map(|field| field.name.clone()));
        }
        let references = References {
            table,
            columns,
            on_delete: self.action(),
            on_update: self.action(),
        };
        (own.len() == references.columns.len()).then_some(Rule::ForeignKey(own, references))
    }

    /// What happens to rows that point; nothing is said for what happens anyway.
    fn action(&mut self) -> Option<ReferentialAction> {
        self.maybe(2, |draw| draw.of(ReferentialAction::ALL).copied())
            .filter(|action| *action != ReferentialAction::NoAction)
    }

    pub(super) fn add_constraint(&mut self) -> Option<AddConstraint> {
        let collection = self.collection()?;
        let constraint = match self.constraint(&collection, false) {
            Some(constraint) => constraint,
            None => Constraint::new(Rule::Unique(self.some_fields(&collection, 2))),
        };
        let mut add = AddConstraint::new(collection.name.clone(), constraint);
        add.allow = self.allow();
        Some(add)
    }

    pub(super) fn drop_constraint(&mut self) -> Option<DropConstraint> {
        let all: Vec<DropConstraint> = self
            .schema
            .collections()
            .flat_map(|collection| {
                collection.constraints.iter().filter_map(|constraint| {
                    let name = constraint.name.clone()?;
                    Some(DropConstraint::new(collection.name.clone(), name))
                })
            })
            .filter(|drop| {
                Operation::from(drop.clone())
                    .apply(&mut self.schema.clone())
                    .is_ok()
            })
            .collect();
        let mut drop = self.of(&all)?.clone();
        drop.allow = self.allow();
        Some(drop)
    }

    // ---- data, raw statements and native definitions
}
