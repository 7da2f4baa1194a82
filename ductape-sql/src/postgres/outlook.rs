//! What the operations of a list are about, noted once, so that none of them looks through all the others.

use ductape_core::schema::NativeDefinition;
use ductape_core::{Name, Operation, Resolved};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// The operations of a list by what is asked of them.
pub(super) struct Outlook<'r> {
    operations: &'r [Resolved],
    /// The collections of which a field changes.
    modified: BTreeSet<&'r Name>,
    /// The collections that fall, and the last place where each does.
    falling: BTreeMap<&'r Name, usize>,
    /// The places of definitions that come back.
    restores: Vec<usize>,
    /// The last operation that is about no collection, and may be about any.
    last_about_any: Option<usize>,
    /// The places of the operations about each collection; few lists need them.
    about: OnceCell<BTreeMap<&'r Name, Vec<usize>>>,
}

impl<'r> Outlook<'r> {
    pub fn of(operations: &'r [Resolved]) -> Self {
        let mut outlook = Self {
            operations,
            modified: BTreeSet::new(),
            falling: BTreeMap::new(),
            restores: Vec::new(),
            last_about_any: None,
            about: OnceCell::new(),
        };
        for (at, resolved) in operations.iter().enumerate() {
            match &resolved.operation {
                Operation::ModifyField(modify) => {
                    outlook.modified.insert(&modify.collection);
                }
                Operation::DropCollection(drop) => {
                    outlook.falling.insert(&drop.name, at);
                }
                Operation::Restore(_) => outlook.restores.push(at),
                _ => {}
            }
            if resolved.operation.collection().is_none() {
                outlook.last_about_any = Some(at);
            }
        }
        outlook
    }

    /// Whether a field of the collection changes anywhere in the list.
    pub fn modifies(&self, collection: &Name) -> bool {
        self.modified.contains(collection)
    }

    /// Whether the collection falls at a place or behind it.
    pub fn falls(&self, at: usize, collection: &Name) -> bool {
        self.falling.get(collection).is_some_and(|last| *last >= at)
    }

    /// The collections that fall at a place or behind it.
    pub fn falling(&self, at: usize) -> impl Iterator<Item = &'r Name> {
        let falling = self.falling.iter();
        falling.filter_map(move |(name, last)| (*last >= at).then_some(*name))
    }

    /// The definitions that come back behind a place.
    pub fn restored(&self, at: usize) -> impl Iterator<Item = &'r NativeDefinition> + Clone {
        let next = self.restores.partition_point(|place| *place <= at);
        let places = self.restores.get(next..).unwrap_or(&[]);
        let operations = self.operations;
        places
            .iter()
            .filter_map(move |place| match &operations.get(*place)?.operation {
                Operation::Restore(restore) => Some(restore.definitions.as_slice()),
                _ => None,
            })
            .flatten()
    }

    /// The operations about a collection, each with its place, in order.
    pub fn about(
        &self,
        collection: &Name,
    ) -> impl DoubleEndedIterator<Item = (usize, &'r Operation)> {
        let about = self.about.get_or_init(|| {
            let mut about: BTreeMap<_, Vec<usize>> = BTreeMap::new();
            for (at, resolved) in self.operations.iter().enumerate() {
                if let Some(collection) = resolved.operation.collection() {
                    about.entry(collection).or_default().push(at);
                }
            }
            about
        });
        let places = about.get(collection).map_or(&[] as &[usize], Vec::as_slice);
        let operations = self.operations;
        places
            .iter()
            .filter_map(move |at| Some((*at, &operations.get(*at)?.operation)))
    }

    /// Whether an operation behind a place is about the collection, or may be.
    pub fn comes_again(&self, at: usize, collection: &Name) -> bool {
        self.last_about_any.is_some_and(|last| last > at)
            || self
                .about(collection)
                .next_back()
                .is_some_and(|(last, _)| last > at)
    }
}
