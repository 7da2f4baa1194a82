//! Lists whose clones share what is in them.

use crate::json::{Node, Read, Reader};
use std::fmt;
use std::sync::Arc;

/// A list of the parts of a collection. A clone shares them, and copies one only when it changes, so that
/// every operation of a long run can keep the collection as it was.
///
/// ```
/// use ductape_core::schema::List;
/// let before = List::from(vec![1, 2]);
/// let mut after = before.clone();
/// after.push(3);
/// after.change(|number| *number == 1, |number| *number = 0);
/// assert_eq!(before, List::from(vec![1, 2]));
/// assert_eq!(after, List::from(vec![0, 2, 3]));
/// ```
pub struct List<T>(Option<Arc<[Arc<T>]>>);

impl<T> List<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self(None)
    }

    fn of(items: impl Into<Arc<[Arc<T>]>>) -> Self {
        let items = items.into();
        Self((!items.is_empty()).then_some(items))
    }

    fn items(&self) -> &[Arc<T>] {
        self.0.as_deref().unwrap_or_default()
    }

    fn items_mut(&mut self) -> &mut [Arc<T>] {
        self.0.as_mut().map_or(&mut [], Arc::make_mut)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items().is_empty()
    }

    /// The first one.
    pub fn first(&self) -> Option<&T> {
        self.get(0)
    }

    /// The last one.
    pub fn last(&self) -> Option<&T> {
        self.items().last().map(Arc::as_ref)
    }

    /// The one at a place.
    pub fn get(&self, place: usize) -> Option<&T> {
        self.items().get(place).map(Arc::as_ref)
    }

    /// All of them, in order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self.items().iter())
    }

    /// All of them, in order, to be shared.
    pub fn shared(&self) -> impl Iterator<Item = &Arc<T>> {
        self.items().iter()
    }

    /// How many there are before the first that is not meant, in a list where those that are come first.
    pub fn partition_point(&self, is_meant: impl Fn(&T) -> bool) -> usize {
        self.items().partition_point(|item| is_meant(item))
    }

    /// Puts one at the end.
    pub fn push(&mut self, item: impl Into<Arc<T>>) {
        self.insert(self.len(), item);
    }

    /// Puts one at a place; at the end if there is no such place.
    pub fn insert(&mut self, place: usize, item: impl Into<Arc<T>>) {
        let (before, after) = self.items().split_at(place.min(self.len()));
        let item = item.into();
        let with = before.iter().chain(std::iter::once(&item)).chain(after);
        // The iterator knows its length, so that this is one allocation.
        self.0 = Some(with.cloned().collect());
    }

    /// Keeps those that are meant.
    pub fn retain(&mut self, is_meant: impl Fn(&T) -> bool) {
        if !self.iter().all(&is_meant) {
            let kept = self.shared().filter(|item| is_meant(item));
            *self = Self::of(kept.cloned().collect::<Vec<_>>());
        }
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0 = None;
    }
}

impl<T: Clone> List<T> {
    /// All of them, to be changed. Each is copied if it is shared; see [`List::change`].
    pub fn iter_mut(&mut self) -> IterMut<'_, T> {
        IterMut(self.items_mut().iter_mut())
    }

    /// Changes those that are meant, and copies no other.
    pub fn change(&mut self, is_meant: impl Fn(&T) -> bool, mut change: impl FnMut(&mut T)) {
        if !self.iter().any(&is_meant) {
            return;
        }
        for item in self.items_mut() {
            if is_meant(item) {
                change(Arc::make_mut(item));
            }
        }
    }

    /// The first that is meant, to be changed.
    pub fn find_mut(&mut self, is_meant: impl Fn(&T) -> bool) -> Option<&mut T> {
        let place = self.iter().position(is_meant)?;
        self.items_mut().get_mut(place).map(Arc::make_mut)
    }
}

/// The items of a [`List`].
pub struct Iter<'l, T>(std::slice::Iter<'l, Arc<T>>);

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'l, T> Iterator for Iter<'l, T> {
    type Item = &'l T;
    fn next(&mut self) -> Option<&'l T> {
        self.0.next().map(Arc::as_ref)
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> DoubleEndedIterator for Iter<'_, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(Arc::as_ref)
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

/// The items of a [`List`], to be changed.
pub struct IterMut<'l, T>(std::slice::IterMut<'l, Arc<T>>);

impl<'l, T: Clone> Iterator for IterMut<'l, T> {
    type Item = &'l mut T;
    fn next(&mut self) -> Option<&'l mut T> {
        self.0.next().map(Arc::make_mut)
    }
}

impl<'l, T> IntoIterator for &'l List<T> {
    type Item = &'l T;
    type IntoIter = Iter<'l, T>;
    fn into_iter(self) -> Iter<'l, T> {
        self.iter()
    }
}

impl<'l, T: Clone> IntoIterator for &'l mut List<T> {
    type Item = &'l mut T;
    type IntoIter = IterMut<'l, T>;
    fn into_iter(self) -> IterMut<'l, T> {
        self.iter_mut()
    }
}

impl<T: Clone> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = std::iter::Map<std::vec::IntoIter<Arc<T>>, fn(Arc<T>) -> T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items().to_vec().into_iter().map(Arc::unwrap_or_clone)
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::of(items.into_iter().map(Arc::new).collect::<Vec<_>>())
    }
}

impl<T> Extend<T> for List<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        let mut all = self.items().to_vec();
        all.extend(items.into_iter().map(Arc::new));
        *self = Self::of(all);
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items().fmt(f)
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<T>, &Arc<T>)| Arc::ptr_eq(a, b) || a == b;
        let (mine, theirs) = (self.items(), other.items());
        std::ptr::eq(mine, theirs)
            || mine.len() == theirs.len() && mine.iter().zip(theirs).all(same)
    }
}

impl<T: serde::Serialize> serde::Serialize for List<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<T: Read> Read for List<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        Vec::<Arc<T>>::read(node, reader).map(Self::of)
    }
}
