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
pub struct List<T>(Vec<Arc<T>>);

impl<T> List<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first one.
    pub fn first(&self) -> Option<&T> {
        self.get(0)
    }

    /// The last one.
    pub fn last(&self) -> Option<&T> {
        self.0.last().map(Arc::as_ref)
    }

    /// The one at a place.
    pub fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place).map(Arc::as_ref)
    }

    /// All of them, in order.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self.0.iter())
    }

    /// All of them, in order, to be shared.
    pub fn shared(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.iter()
    }

    /// How many there are before the first that is not meant, in a list where those that are come first.
    pub fn partition_point(&self, is_meant: impl Fn(&T) -> bool) -> usize {
        self.0.partition_point(|item| is_meant(item))
    }

    /// Puts one at the end.
    pub fn push(&mut self, item: impl Into<Arc<T>>) {
        self.0.push(item.into());
    }

    /// Puts one at a place; at the end if there is no such place.
    pub fn insert(&mut self, place: usize, item: impl Into<Arc<T>>) {
        self.0.insert(place.min(self.0.len()), item.into());
    }

    /// Keeps those that are meant.
    pub fn retain(&mut self, is_meant: impl Fn(&T) -> bool) {
        self.0.retain(|item| is_meant(item));
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<T: Clone> List<T> {
    /// All of them, to be changed. Each is copied if it is shared; see [`List::change`].
    pub fn iter_mut(&mut self) -> IterMut<'_, T> {
        IterMut(self.0.iter_mut())
    }

    /// Changes those that are meant, and copies no other.
    pub fn change(&mut self, is_meant: impl Fn(&T) -> bool, mut change: impl FnMut(&mut T)) {
        for item in &mut self.0 {
            if is_meant(item) {
                change(Arc::make_mut(item));
            }
        }
    }

    /// The first that is meant, to be changed.
    pub fn find_mut(&mut self, is_meant: impl Fn(&T) -> bool) -> Option<&mut T> {
        let found = self.0.iter_mut().find(|item| is_meant(item));
        found.map(Arc::make_mut)
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
        self.0.into_iter().map(Arc::unwrap_or_clone)
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().map(Arc::new).collect())
    }
}

impl<T> Extend<T> for List<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        self.0.extend(items.into_iter().map(Arc::new));
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
        self.0.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Arc<T>, &Arc<T>)| Arc::ptr_eq(a, b) || a == b;
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl<T: serde::Serialize> serde::Serialize for List<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

impl<T: Read> Read for List<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        Vec::<Arc<T>>::read(node, reader).map(Self)
    }
}
