//! The schema model: what a database looks like, as data.

mod changes;
mod collection;
mod constraint;
mod default_value;
pub(crate) mod field;
pub(crate) mod field_type;
pub(crate) mod index;
mod layered;
mod list;
mod native;
pub(crate) mod options;

pub use changes::{Change, FieldChanges};
pub use collection::Collection;
pub(crate) use constraint::rename_in;
pub use constraint::{Constraint, ConstraintType, Deferrable, References, ReferentialAction, Rule};
pub use default_value::DefaultValue;
pub use field::{Field, Generated};
pub use field_type::{FieldType, TypeAttributes, TypeName};
pub use index::{
    DynamoIndexOptions, Index, IndexKey, IndexTarget, Method, MongoIndexOptions, Nulls, Order,
    Projection,
};
pub use list::List;
pub use native::{
    FIELD_SETTINGS, INDEX_SETTINGS, INHERITANCE, NativeDefinition, PARTITION, PARTITIONING,
    SETTINGS,
};
pub use options::{
    CassandraOptions, ClusteringDirection, ClusteringOrder, DynamoOptions, KeyAttribute, KeyType,
    MongoOptions, Options, SecondaryIndex, SqlOptions,
};

use crate::backend_name::BackendName;
use crate::name::Name;
use layered::Layered;
use std::sync::Arc;

/// Kind, name and the collection that it stands on.
type NativeKey = (String, Name, Option<Name>);

/// The model of a database: its collections by name, and the native definitions that belong to none.
///
/// It is persistent: a clone costs nothing and keeps what it shows while the original goes on, so that
/// every operation of a long run has its own `before`.
#[derive(Clone, Default)]
pub struct Schema {
    contents: Arc<Contents>,
    backend: Option<BackendName>,
    way_back: bool,
}

/// What is in a schema. It is copied by the first change after a clone, and shared until then.
#[derive(Clone, Default)]
struct Contents {
    collections: Layered<Name, Arc<Collection>>,
    /// For each name of an index or a key, in lower case, the collections that have one so called.
    relations: Noted,
    seldom: Arc<Seldom>,
}

/// What few operations change: a change of the rest copies nothing of it.
#[derive(Clone, Default)]
struct Seldom {
    /// For each collection that is pointed at, the others that do so.
    referencing: Noted,
    /// The collections whose names have capital letters, by the name in lower case.
    alike: Noted,
    /// What the model cannot say. A trigger's name may be taken once on each collection.
    natives: Layered<NativeKey, Arc<NativeDefinition>>,
}

impl Schema {
    /// A schema without collections.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same schema, known to be of this database: its native definitions are in that language.
    #[must_use]
    pub fn of(mut self, backend: BackendName) -> Self {
        self.backend = Some(backend);
        self
    }

    /// The database that the schema is of, if it is of one.
    pub fn backend(&self) -> Option<BackendName> {
        self.backend
    }

    /// Says whether the operations that come are a way back. What a database had comes back then, also
    /// where the model would refuse to make it: a foreign key to fields that are no key.
    pub fn set_way_back(&mut self, way_back: bool) {
        self.way_back = way_back;
    }

    /// Whether the operations that come are a way back.
    pub(crate) fn is_way_back(&self) -> bool {
        self.way_back
    }

    /// What the model cannot say, sorted by kind and name.
    pub fn natives(&self) -> impl Iterator<Item = &Arc<NativeDefinition>> {
        self.contents.seldom.natives.values()
    }

    /// The native definition of the same kind and name on the same collection.
    pub fn native(&self, like: &NativeDefinition) -> Option<&Arc<NativeDefinition>> {
        self.contents.seldom.natives.get(&like.key())
    }

    /// The native definition of a kind and a name that stands on no collection: a view, a function.
    pub fn native_by_itself(&self, kind: &str, name: &Name) -> Option<&Arc<NativeDefinition>> {
        let natives = &self.contents.seldom.natives;
        match natives.size() {
            0 => None,
            _ => natives.get(&(kind.to_owned(), name.clone(), None)),
        }
    }

    /// Puts a native definition in, in place of one of the same kind and name on the same collection.
    pub fn put_native(&mut self, native: impl Into<Arc<NativeDefinition>>) {
        let native = native.into();
        let natives = &mut Arc::make_mut(&mut self.contents).seldom_mut().natives;
        natives.insert(native.key(), native);
    }

    /// Takes a native definition out: the one of the same kind and name on the same collection.
    pub fn remove_native(&mut self, like: &NativeDefinition) -> bool {
        let key = like.key();
        self.contents.seldom.natives.get(&key).is_some()
            && Arc::make_mut(&mut self.contents)
                .seldom_mut()
                .natives
                .remove(&key)
    }

    /// The native definitions that stand on a collection, name it, or come after one that does.
    pub fn natives_about(&self, collection: &Name) -> impl Iterator<Item = &Arc<NativeDefinition>> {
        let about = |native: &NativeDefinition| {
            native.on.as_ref() == Some(collection)
                || native.after.contains(collection)
                // The words of a virtual table are its columns; what it stands on is said.
                || native.kind != "virtual table"
                    && crate::expression::mentions(&native.definition, collection)
        };
        self.natives_with_dependants(about).into_iter()
    }

    /// Whether other collections have their fields from this one, and follow its changes.
    pub fn has_heirs(&self, collection: &Name) -> bool {
        self.natives()
            .any(|native| native.kind == INHERITANCE && native.name == *collection)
    }

    /// The native definitions that are meant, and those that come after them.
    pub(crate) fn natives_with_dependants(
        &self,
        meant: impl Fn(&NativeDefinition) -> bool,
    ) -> Vec<&Arc<NativeDefinition>> {
        let (mut found, mut others): (Vec<_>, Vec<_>) =
            self.natives().partition(|native| meant(native));
        let mut at = 0;
        while let Some(native) = found.get(at) {
            if native.is_settings() {
                at += 1;
                continue;
            }
            let name = native.name.clone();
            let (after, rest): (Vec<_>, Vec<_>) = others
                .into_iter()
                .partition(|other: &&Arc<NativeDefinition>| other.after.contains(&name));
            found.extend(after);
            others = rest;
            at += 1;
        }
        found
    }

    /// Follows the new name of a collection in the native definitions that name it, where its words can
    /// be told from others. The rest keep their text: the database alone knows what becomes of them.
    pub(crate) fn rename_in_natives(&mut self, from: &Name, to: &Name) {
        let is_field = self
            .collections()
            .any(|c| c.field(from).is_some() || c.field(to).is_some());
        let about: Vec<_> = self.natives_about(from).cloned().collect();
        for native in about {
            self.remove_native(&native);
            let mut native = native.as_ref().clone();
            if native.on.as_ref() == Some(from) {
                native.on = Some(to.clone());
            }
            rename_in(&mut native.after, from, to);
            if !is_field
                && let Some(text) =
                    crate::expression::rename_collection(&native.definition, from, to)
            {
                native.definition = text;
            }
            self.put_native(native);
        }
    }

    /// The same for a field of a collection.
    pub(crate) fn rename_field_in_natives(&mut self, collection: &Name, from: &Name, to: &Name) {
        let about: Vec<_> = self.natives_about(collection).cloned().collect();
        for native in about {
            let named = |name: &Name| crate::expression::mentions(&native.definition, name);
            let either = |name: &Name| name == from || name == to;
            let shared = self.natives().any(|other| {
                !other.is_settings() && (either(&other.name) || native.after.contains(&other.name))
            }) || self.collections().any(|other| {
                let has = other.field(from).is_some() || other.field(to).is_some();
                let about = || native.after.contains(&other.name) || named(&other.name);
                either(&other.name) || other.name != *collection && has && about()
            });
            if !shared
                && let Some(text) = crate::expression::rename_field(&native.definition, from, to)
                && text != native.definition
            {
                let mut native = native.as_ref().clone();
                native.definition = text;
                self.put_native(native);
            }
        }
        let of_field = |native: &&Arc<NativeDefinition>| native.is_settings_of(collection, from);
        let settings = self.natives().find(of_field).cloned();
        if let Some(settings) = settings {
            self.remove_native(&settings);
            let mut settings = settings.as_ref().clone();
            settings.name = to.clone();
            self.put_native(settings);
        }
    }

    /// A collection by its name.
    pub fn collection(&self, name: &Name) -> Option<&Arc<Collection>> {
        self.contents.collections.get(name)
    }

    /// The collections, sorted by name.
    pub fn collections(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.contents.collections.values()
    }

    /// How many collections there are.
    pub fn len(&self) -> usize {
        self.contents.collections.size()
    }

    /// Whether there is no collection.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a collection in, in place of one of the same name.
    pub fn put(&mut self, collection: impl Into<Arc<Collection>>) {
        Arc::make_mut(&mut self.contents).put(collection.into());
    }

    /// Takes a collection out.
    pub fn remove(&mut self, name: &Name) -> Option<Arc<Collection>> {
        self.collection(name)?;
        Arc::make_mut(&mut self.contents).remove(name)
    }

    /// The collections whose names are this one but for the case of ASCII letters.
    pub fn collections_alike(&self, name: &Name) -> impl Iterator<Item = &Arc<Collection>> {
        let lower = lowered(name);
        let lower = lower.as_ref().unwrap_or(name);
        let with_capitals = noted(&self.contents.seldom.alike, lower);
        with_capitals
            .filter_map(|name| self.collection(name))
            .chain(self.collection(lower))
    }

    /// The collections that have an index so called, but for the case of ASCII letters.
    pub fn index_owners(&self, index: &Name) -> impl Iterator<Item = &Arc<Collection>> {
        let alike = |name: &Name| name.as_str().eq_ignore_ascii_case(index.as_str());
        self.relation_owners(index)
            .filter(move |owner| index_names(owner).any(alike))
    }

    /// The collections that have an index, a primary key or a unique constraint so called, but for the case
    /// of ASCII letters.
    pub fn relation_owners(&self, name: &Name) -> impl Iterator<Item = &Arc<Collection>> {
        let lower = lowered(name);
        noted(&self.contents.relations, lower.as_ref().unwrap_or(name))
            .filter_map(|owner| self.collection(owner))
    }

    /// The other collections whose foreign keys point at this one, sorted by name.
    pub fn referencing(&self, name: &Name) -> impl Iterator<Item = &Arc<Collection>> {
        noted(&self.contents.seldom.referencing, name).filter_map(|name| self.collection(name))
    }

    /// The foreign keys of other collections that point at this one.
    pub fn foreign_keys_to<'s>(
        &'s self,
        name: &'s Name,
    ) -> impl Iterator<Item = (&'s Name, &'s Constraint)> {
        self.referencing(name).flat_map(move |collection| {
            collection
                .constraints
                .iter()
                .filter(move |c| c.references().is_some_and(|r| r.table == *name))
                .map(move |constraint| (&collection.name, constraint))
        })
    }
}

impl Contents {
    fn seldom_mut(&mut self) -> &mut Seldom {
        Arc::make_mut(&mut self.seldom)
    }

    fn put(&mut self, collection: Arc<Collection>) {
        let name = collection.name.clone();
        let old = self.collections.get(&name).cloned();
        if let Some(old) = &old {
            if old.constraints != collection.constraints {
                self.unlink(old, Some(&collection));
                self.link(&collection);
            }
            if !relation_names(old).eq(relation_names(&collection)) {
                self.forget_relations(old, Some(&collection));
                self.note_relations(&collection, Some(old));
            }
        } else {
            self.link(&collection);
            self.note_relations(&collection, None);
            if let Some(lower) = lowered(&name) {
                note(&mut self.seldom_mut().alike, lower, &name);
            }
        }
        self.collections.insert(name, collection);
    }

    fn remove(&mut self, name: &Name) -> Option<Arc<Collection>> {
        let old = self.collections.get(name).cloned()?;
        self.unlink(&old, None);
        self.forget_relations(&old, None);
        if let Some(lower) = lowered(name) {
            forget(&mut self.seldom_mut().alike, &lower, name);
        }
        self.collections.remove(name);
        Some(old)
    }

    fn link(&mut self, collection: &Collection) {
        for target in targets(collection) {
            let referencing = &mut self.seldom_mut().referencing;
            note(referencing, target.clone(), &collection.name);
        }
    }

    /// Forgets where a collection points, but for where the one in its place does, too.
    fn unlink(&mut self, collection: &Collection, next: Option<&Collection>) {
        for target in targets(collection) {
            let kept = next.is_some_and(|next| targets(next).any(|kept| kept == target));
            if !kept {
                let referencing = &mut self.seldom_mut().referencing;
                forget(referencing, target, &collection.name);
            }
        }
    }

    /// Notes the indexes and keys of a collection that the one before it did not have.
    fn note_relations(&mut self, collection: &Collection, old: Option<&Collection>) {
        for name in relation_names(collection) {
            if !old.is_some_and(|old| has_relation(old, name)) {
                let lower = lowered(name).unwrap_or_else(|| name.clone());
                note(&mut self.relations, lower, &collection.name);
            }
        }
    }

    /// Forgets the indexes and keys of a collection, but for those that the one in its place has, too.
    fn forget_relations(&mut self, collection: &Collection, next: Option<&Collection>) {
        for name in relation_names(collection) {
            let alike = |other: &Name| other.as_str().eq_ignore_ascii_case(name.as_str());
            let stays = |next| has_relation(next, name) || relation_names(next).any(alike);
            if !next.is_some_and(stays) {
                let lower = lowered(name);
                let lower = lower.as_ref().unwrap_or(name);
                forget(&mut self.relations, lower, &collection.name);
            }
        }
    }
}

/// Names under a key.
type Noted = Layered<Name, Names>;

/// Names, sorted and shared; nearly always there is one.
#[derive(Clone)]
enum Names {
    One(Name),
    Many(Arc<[Name]>),
}

impl Names {
    fn all(&self) -> &[Name] {
        match self {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        }
    }
}

fn note(map: &mut Noted, key: Name, name: &Name) {
    map.update(key, |names| {
        let names = names.map_or(&[] as &[Name], Names::all);
        let place = names.binary_search(name).err()?;
        Some(match names.split_at(place) {
            ([], []) => Names::One(name.clone()),
            (before, after) => {
                let with = before.iter().chain(std::iter::once(name)).chain(after);
                Names::Many(with.cloned().collect())
            }
        })
    });
}

fn forget(map: &mut Noted, key: &Name, name: &Name) {
    let Some(names) = map.get(key) else {
        return;
    };
    let mut left: Vec<Name> = names.all().iter().filter(|n| *n != name).cloned().collect();
    match (left.pop(), left.is_empty()) {
        (None, _) => {
            map.remove(key);
        }
        (Some(one), true) => map.insert(key.clone(), Names::One(one)),
        (Some(last), false) => {
            left.push(last);
            map.insert(key.clone(), Names::Many(left.into()));
        }
    }
}

fn noted<'m>(map: &'m Noted, key: &Name) -> std::slice::Iter<'m, Name> {
    map.get(key).map_or(&[] as &[Name], Names::all).iter()
}

/// The name in lower case, if it is another one.
fn lowered(name: &Name) -> Option<Name> {
    let text = name.as_str();
    let capital = text.bytes().any(|byte| byte.is_ascii_uppercase());
    capital.then(|| Name::made(&text.to_ascii_lowercase(), []))
}

/// Whether a collection has an index or a key so called; the indexes are sorted by name.
fn has_relation(collection: &Collection, name: &Name) -> bool {
    let indexes = &collection.indexes;
    let place = indexes.partition_point(|other| other.name.as_ref() < Some(name));
    let there = indexes.get(place);
    there.is_some_and(|there| there.name.as_ref() == Some(name))
        || key_names(collection).any(|key| key == name)
}

fn index_names(collection: &Collection) -> impl Iterator<Item = &Name> {
    collection
        .indexes
        .iter()
        .filter_map(|index| index.name.as_ref())
}

fn key_names(collection: &Collection) -> impl Iterator<Item = &Name> {
    collection
        .constraints
        .iter()
        .filter(|constraint| constraint.is_key())
        .filter_map(|key| key.name.as_ref())
}

fn relation_names(collection: &Collection) -> impl Iterator<Item = &Name> {
    index_names(collection).chain(key_names(collection))
}

/// The other collections that a collection points at.
fn targets(collection: &Collection) -> impl Iterator<Item = &Name> {
    collection
        .constraints
        .iter()
        .filter_map(|constraint| constraint.references())
        .map(|references| &references.table)
        .filter(|table| **table != collection.name)
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        let (mine, other) = (&*self.contents, &*other.contents);
        if std::ptr::eq(mine, other) {
            return true;
        }
        mine.collections.size() == other.collections.size()
            && mine
                .collections
                .iter()
                .zip(other.collections.iter())
                .all(|((a, x), (b, y))| a == b && (Arc::ptr_eq(x, y) || x == y))
            && mine.seldom.natives.size() == other.seldom.natives.size()
            && mine
                .seldom
                .natives
                .iter()
                .zip(other.seldom.natives.iter())
                .all(|((a, x), (b, y))| a == b && x == y)
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.collections())
            .entries(self.natives())
            .finish()
    }
}

impl FromIterator<Collection> for Schema {
    fn from_iter<I: IntoIterator<Item = Collection>>(collections: I) -> Self {
        let mut schema = Self::new();
        for collection in collections {
            schema.put(collection);
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_are_found_whatever_their_case_and_forgotten_when_they_go() {
        let name = |text: &str| Name::new(text).unwrap();
        let mut schema = Schema::new();
        let mut users = Collection::new(name("Users"));
        users.insert_index(Index::settled(
            &Arc::new(Index::new(Vec::new())),
            &name("By_Email"),
        ));
        schema.put(users.clone());
        let alike = |schema: &Schema| schema.collections_alike(&name("USERS")).count();
        let owners = |schema: &Schema| schema.index_owners(&name("by_email")).count();
        assert_eq!((alike(&schema), owners(&schema)), (1, 1));
        let one = users.clone();
        users.insert_index(Index::settled(
            &Arc::new(Index::new(Vec::new())),
            &name("by_email"),
        ));
        schema.put(users.clone());
        schema.put(one);
        assert_eq!(owners(&schema), 1, "one of two alike is left");
        users.indexes.clear();
        schema.put(users);
        assert_eq!((alike(&schema), owners(&schema)), (1, 0));
        schema.remove(&name("Users"));
        assert_eq!((alike(&schema), owners(&schema)), (0, 0));
    }

    #[test]
    fn a_key_and_an_index_of_one_name_are_told_apart() {
        let name = |text: &str| Name::new(text).unwrap();
        let mut schema = Schema::new();
        let mut users = Collection::new(name("users"));
        let key = Rule::Unique(vec![name("email")]);
        users.insert_constraint(Constraint::named(name("by_email"), key));
        schema.put(users.clone());
        let called = |schema: &Schema| {
            let name = name("By_Email");
            (
                schema.index_owners(&name).count(),
                schema.relation_owners(&name).count(),
            )
        };
        assert_eq!(called(&schema), (0, 1));
        users.insert_index(Index::settled(
            &Arc::new(Index::new(Vec::new())),
            &name("by_email"),
        ));
        schema.put(users.clone());
        assert_eq!(called(&schema), (1, 1));
        users.constraints.clear();
        schema.put(users.clone());
        assert_eq!(called(&schema), (1, 1));
        users.indexes.clear();
        schema.put(users);
        assert_eq!(called(&schema), (0, 0));
    }
}
