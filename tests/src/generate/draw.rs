//! Drawing from the numbers of a choice.

use super::{Kind, Profile};
use ductape_core::operation::Allow;
use ductape_core::{Collection, Name, Operation, Schema};
use std::sync::Arc;

pub(super) const COLLECTIONS: &[&str] = &[
    "users",
    "orders",
    "select",
    "Order Items",
    "tbl \"quoted\"",
    "größe",
    "🧾 receipts",
    "it's",
    "b]c",
    "UserAccounts",
    "group",
    "x`y",
    "a.b",
    "名前",
    "a_table_whose_name_is_longer_than_what_most_of_the_databases_can_hold_in_a_name",
];

pub(super) const FIELDS: &[&str] = &[
    "id",
    "name",
    "email",
    "order",
    "date",
    "end",
    "null",
    "Amount",
    "first name",
    "the \"price\"",
    "straße",
    "🧾",
    "value",
    "lower",
    "1st",
    "from",
    "it's",
    "`tick`",
    "b]c",
    "a,b",
    "year",
    "is",
    "created_at",
    "x",
    "not",
    "amount_",
    "群",
    "a_field_whose_name_is_longer_than_what_most_of_the_databases_can_hold_in_a_name",
];

pub(super) const OTHERS: &[&str] = &[
    "one",
    "Two",
    "three \"3\"",
    "vier ü",
    "🖇️",
    "unique",
    "it's six",
    "sev`en",
    "ei]ght",
    "a_name_of_an_index_or_a_constraint_that_is_longer_than_most_databases_can_hold",
];

pub(super) const WORDS: &[&str] = &["red", "it's green", "\"blue\"", "", "ÄÖ 🖌", "null", "red "];

pub(super) fn name(text: &str) -> Name {
    Name::made(text, [])
}

/// What a choice is made concrete with.
pub(super) struct Draw<'d> {
    pub(super) profile: &'d Profile,
    pub(super) schema: &'d Schema,
    pub(super) numbers: &'d [u8],
    pub(super) at: usize,
}

impl Draw<'_> {
    pub(super) fn next(&mut self) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        number.into()
    }

    pub(super) fn below(&mut self, count: usize) -> usize {
        match count {
            0 | 1 => 0,
            count => self.next() % count,
        }
    }

    /// True once in so many times; false where the numbers have ended.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.next() % times == times - 1
    }

    pub(super) fn of<T, I>(&mut self, list: I) -> Option<T>
    where
        I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    {
        let mut items = list.into_iter();
        let at = self.below(items.len());
        items.nth(at)
    }

    pub(super) fn maybe<T>(
        &mut self,
        times: usize,
        make: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        if self.once_in(times) {
            make(self)
        } else {
            None
        }
    }

    /// The first free name of a list, from a drawn place on.
    pub(super) fn free(&mut self, list: &[&str], taken: impl Fn(&Name) -> bool) -> Option<Name> {
        let start = self.below(list.len());
        (0..list.len())
            .filter_map(|step| list.get((start + step) % list.len()))
            .map(|text| name(text))
            .find(|name| !taken(name))
    }

    pub(super) fn collection(&mut self) -> Option<Arc<Collection>> {
        let at = self.below(self.schema.len());
        self.schema.collections().nth(at).cloned()
    }

    pub(super) fn comment(&mut self) -> Option<String> {
        self.maybe(6, |draw| draw.of(WORDS).map(|word| (*word).to_owned()))
    }

    pub(super) fn allow(&mut self) -> Vec<Allow> {
        match self.below(12) {
            10 => vec![Allow::RecordOnly],
            11 => vec![Allow::Copy, Allow::RecordOnly],
            _ => Vec::new(),
        }
    }

    pub(super) fn operation(&mut self, kind: Kind) -> Option<Operation> {
        // With nothing there, there is little else to do.
        let kind = match kind {
            Kind::Raw => Kind::Raw,
            _ if self.schema.is_empty() => Kind::CreateCollection,
            Kind::CreateCollection if self.schema.len() > 4 => Kind::AddField,
            kind => kind,
        };
        Some(match kind {
            Kind::CreateCollection => self.create_collection()?.into(),
            Kind::DropCollection => self.drop_collection()?.into(),
            Kind::RenameCollection => self.rename_collection()?.into(),
            Kind::ModifyCollection => self.modify_collection()?.into(),
            Kind::AddField => self.add_field()?.into(),
            Kind::DropField => self.drop_field()?.into(),
            Kind::RenameField => self.rename_field()?.into(),
            Kind::ModifyField => self.modify_field()?.into(),
            Kind::CreateIndex => self.create_index()?.into(),
            Kind::DropIndex => match self.drop_index() {
                Some(drop) => drop.into(),
                None => self.create_index()?.into(),
            },
            Kind::AddConstraint => self.add_constraint()?.into(),
            Kind::DropConstraint => match self.drop_constraint() {
                Some(drop) => drop.into(),
                None => self.add_constraint()?.into(),
            },
            Kind::Update => self.update()?.into(),
            Kind::Raw => self.raw()?.into(),
            Kind::Restore => self.restore()?.into(),
        })
    }

    // ---- collections
}
