//! A persistent map that many versions of are kept.

use rpds::RedBlackTreeMapSync;
use std::cmp::Ordering;

/// How many entries change before they are put where the others are: a change copies the way to its place
/// in the small map, and many at once share most of the way in the large one.
const RECENT: usize = 48;

/// A sorted map whose clones cost nothing, with what changed lately in a map of its own.
#[derive(Clone)]
pub(super) struct Layered<K: Ord, V> {
    settled: RedBlackTreeMapSync<K, V>,
    /// What changed since then; nothing where an entry was taken out.
    recent: RedBlackTreeMapSync<K, Option<V>>,
    size: usize,
}

impl<K: Ord, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self {
            settled: RedBlackTreeMapSync::new_sync(),
            recent: RedBlackTreeMapSync::new_sync(),
            size: 0,
        }
    }
}

impl<K: Ord + Clone, V: Clone> Layered<K, V> {
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        match self.recent.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.settled.get(key),
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.get(&key).is_none() {
            self.size += 1;
        }
        self.recent.insert_mut(key, Some(value));
        self.settle();
    }

    /// Takes an entry out; false if there was none.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        let there = self.get(key).is_some();
        if there {
            self.size -= 1;
            self.recent.insert_mut(key.clone(), None);
            self.settle();
        }
        there
    }

    /// The entries, sorted by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut settled = self.settled.iter().peekable();
        let mut recent = self.recent.iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let order = match (settled.peek(), recent.peek()) {
                    (Some((a, _)), Some((b, _))) => a.cmp(b),
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (None, None) => return None,
                };
                if order == Ordering::Less {
                    return settled.next();
                }
                if order == Ordering::Equal {
                    settled.next();
                }
                if let Some((key, Some(value))) = recent.next() {
                    return Some((key, value));
                }
            }
        })
    }

    /// The values, sorted by key.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn settle(&mut self) {
        if self.recent.size() <= RECENT {
            return;
        }
        for (key, changed) in self.recent.iter() {
            match changed {
                Some(value) => self.settled.insert_mut(key.clone(), value.clone()),
                None => {
                    self.settled.remove_mut(key);
                }
            }
        }
        self.recent = RedBlackTreeMapSync::new_sync();
    }
}

#[cfg(test)]
mod tests {
    use super::{Layered, RECENT};
    use std::collections::BTreeMap;

    #[test]
    fn every_version_holds_what_a_plain_map_holds() {
        let mut plain = BTreeMap::new();
        let mut layered = Layered::default();
        let mut versions = Vec::new();
        let mut random: u32 = 1;
        for value in 0..RECENT * 12 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = (random >> 16) % 150;
            if random >> 30 == 0 {
                assert_eq!(layered.remove(&key), plain.remove(&key).is_some());
            } else {
                plain.insert(key, value);
                layered.insert(key, value);
            }
            versions.push((plain.clone(), layered.clone()));
        }
        for (plain, layered) in versions {
            assert_eq!(layered.size(), plain.len());
            assert!(layered.iter().eq(plain.iter()));
            assert!((0..150).all(|key| layered.get(&key) == plain.get(&key)));
        }
    }
}
