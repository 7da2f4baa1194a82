//! A persistent map that many versions of are kept.

use rpds::RedBlackTreeMapSync;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many entries change before they are put where the others are.
const RECENT: usize = 64;

/// A sorted map whose clones cost nothing. What changed lately is a list, since every change of the map
/// itself copies the way to its place; many at once share most of it.
pub(super) struct Layered<K: Ord, V> {
    settled: Arc<Settled<K, V>>,
    /// What changed since then, the last change first.
    recent: Option<Arc<Change<K, V>>>,
    size: usize,
}

/// What has not changed for a while.
#[derive(Clone)]
struct Settled<K: Ord, V> {
    entries: RedBlackTreeMapSync<K, V>,
    /// What may be among them.
    sieve: Sieve,
}

/// An entry that was put in or, without a value, taken out.
struct Change<K, V> {
    hash: u64,
    key: K,
    value: Option<V>,
    before: Option<Arc<Change<K, V>>>,
    /// How many changes there are with this one, and a bit for the hash of each.
    length: usize,
    bits: Bits,
}

/// A bit for each of some hashes.
#[derive(Clone, Copy, Default)]
struct Bits([u128; 2]);

impl Bits {
    fn with(self, hash: u64) -> Self {
        let bit = 1 << (hash >> 57);
        let [even, odd] = self.0;
        Self(match hash >> 56 & 1 {
            0 => [even | bit, odd],
            _ => [even, odd | bit],
        })
    }

    fn may_have(self, hash: u64) -> bool {
        let [even, odd] = self.0;
        let bits = if hash >> 56 & 1 == 0 { even } else { odd };
        bits >> (hash >> 57) & 1 == 1
    }
}

impl<K: Ord, V> Clone for Layered<K, V> {
    fn clone(&self) -> Self {
        Self {
            settled: self.settled.clone(),
            recent: self.recent.clone(),
            size: self.size,
        }
    }
}

impl<K: Ord, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self {
            settled: Arc::new(Settled {
                entries: RedBlackTreeMapSync::new_sync(),
                sieve: Sieve::default(),
            }),
            recent: None,
            size: 0,
        }
    }
}

impl<K: Ord + Hash + Clone, V: Clone> Layered<K, V> {
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        if self.size == 0 {
            return None;
        }
        self.hashed(hash_of(key), key)
    }

    fn hashed(&self, hash: u64, key: &K) -> Option<&V> {
        let mut next = self.recent.as_deref();
        while let Some(change) = next {
            if !change.bits.may_have(hash) {
                break;
            }
            if change.hash == hash && change.key == *key {
                return change.value.as_ref();
            }
            next = change.before.as_deref();
        }
        match self.settled.sieve.may_have(hash) {
            true => self.settled.entries.get(key),
            false => None,
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.update(key, |_| Some(value));
    }

    /// Puts in what becomes of the entry that is there; it stays as it is for nothing.
    pub(super) fn update(&mut self, key: K, change: impl FnOnce(Option<&V>) -> Option<V>) {
        let hash = hash_of(&key);
        let old = self.hashed(hash, &key);
        let new = old.is_none();
        if let Some(value) = change(old) {
            self.size += usize::from(new);
            self.change(hash, key, Some(value));
        }
    }

    /// Takes an entry out; false if there was none.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        if self.size == 0 {
            return false;
        }
        let hash = hash_of(key);
        let there = self.hashed(hash, key).is_some();
        if there {
            self.size -= 1;
            self.change(hash, key.clone(), None);
        }
        there
    }

    /// The changes that count, sorted by key.
    fn changes(&self) -> BTreeMap<&K, &Change<K, V>> {
        let mut changes = BTreeMap::new();
        let mut next = self.recent.as_deref();
        while let Some(change) = next {
            changes.entry(&change.key).or_insert(change);
            next = change.before.as_deref();
        }
        changes
    }

    /// The entries, sorted by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut settled = self.settled.entries.iter().peekable();
        let mut recent = self.changes().into_values().peekable();
        std::iter::from_fn(move || {
            loop {
                let recent_first = match (settled.peek(), recent.peek()) {
                    (Some((key, _)), Some(change)) => change.key.cmp(key).is_le(),
                    (None, Some(_)) => true,
                    (Some(_), None) => false,
                    (None, None) => return None,
                };
                if !recent_first {
                    return settled.next();
                }
                let change = recent.next()?;
                settled.next_if(|(key, _)| **key == change.key);
                if let Some(value) = &change.value {
                    return Some((&change.key, value));
                }
            }
        })
    }

    /// The values, sorted by key.
    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn change(&mut self, hash: u64, key: K, value: Option<V>) {
        let before = self.recent.take();
        let (length, bits) = match &before {
            Some(change) => (change.length, change.bits),
            None => (0, Bits::default()),
        };
        self.recent = Some(Arc::new(Change {
            hash,
            key,
            value,
            before,
            length: length + 1,
            bits: bits.with(hash),
        }));
        if length >= RECENT {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let mut settled = Settled::clone(&self.settled);
        for (key, change) in self.changes() {
            match &change.value {
                Some(value) => {
                    settled.sieve.add(change.hash);
                    settled.entries.insert_mut(key.clone(), value.clone());
                }
                None => {
                    settled.entries.remove_mut(key);
                }
            }
        }
        let size = settled.entries.size();
        if settled.sieve.is_coarse_for(size) {
            settled.sieve = Sieve::for_many(size);
            let keys = settled.entries.keys();
            keys.for_each(|key| settled.sieve.add(hash_of(key)));
        }
        self.settled = Arc::new(settled);
        self.recent = None;
    }
}

/// Tells of most keys that they are not in a map. Its clones share it, so that it also lets through what
/// other versions of the map have; what is in the map it always lets through.
#[derive(Clone, Default)]
struct Sieve(Arc<[AtomicU64]>);

/// How many bits there are for a key, at least and when the sieve is made.
const FEWEST_BITS: usize = 8;
const MANY_BITS: usize = 64;

impl Sieve {
    fn for_many(keys: usize) -> Self {
        let words = (keys * MANY_BITS / 64).next_power_of_two();
        Self((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    fn is_coarse_for(&self, keys: usize) -> bool {
        keys * FEWEST_BITS > self.0.len() * 64
    }

    fn place(&self, hash: u64) -> Option<(&AtomicU64, u64)> {
        let mask = self.0.len().checked_sub(1)?;
        // The number of words is a power of two, so that low bits choose one of them.
        let word = self.0.get(hash as usize & mask)?;
        Some((word, 1 << (hash >> 58)))
    }

    /// Whoever has a version of the map got it after these bits were set, by whatever way a value goes
    /// from one thread to another.
    fn add(&self, hash: u64) {
        if let Some((word, bit)) = self.place(hash) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    fn may_have(&self, hash: u64) -> bool {
        self.place(hash)
            .is_some_and(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }
}

fn hash_of<K: Hash>(key: &K) -> u64 {
    let mut hasher = Folding::default();
    key.hash(&mut hasher);
    hasher.finish()
}

/// A hash of short texts that takes no time. Whoever finds texts of one hash makes a search slower, and
/// nothing else.
#[derive(Default)]
struct Folding(u64);

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(piece) {
                *to = *from;
            }
            let word = u64::from_le_bytes(word);
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^ (mixed >> 32)
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
        for value in 0..RECENT * 20 {
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

    #[test]
    fn what_is_in_a_large_one_is_found_and_nothing_else() {
        let mut layered = Layered::default();
        let mut old = Layered::default();
        for number in 0..5000 {
            layered.insert(format!("t{number}"), number);
            if number == 2500 {
                old = layered.clone();
            }
        }
        for number in 0..5000 {
            let there = (number <= 2500).then_some(&number);
            assert_eq!(old.get(&format!("t{number}")), there, "in an old version");
        }
        for number in 0..5000 {
            assert_eq!(layered.get(&format!("t{number}")), Some(&number));
            assert_eq!(layered.get(&format!("u{number}")), None);
        }
        assert_eq!(layered.size(), 5000);
        assert!(layered.iter().map(|(key, _)| key).is_sorted());
    }
}
