//! Sets of migrations, in order.

use crate::error::{Error, ErrorKind, Result};
use ductape_core::migration::Sketch;
use ductape_core::{Migration, Problem, Problems, Tag};
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// The migrations that a program or a folder has, in the order in which they are applied.
#[derive(Clone)]
pub struct MigrationSet {
    migrations: Vec<Migration>,
    digest: String,
    /// The digest so far, after each so many migrations.
    digests: Vec<Sha256>,
}

/// After how many migrations the digest so far is kept: where the first ones of a long set are the ones
/// that a database has, they are not hashed again.
const KEPT_EVERY: usize = 1000;

impl std::fmt::Debug for MigrationSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MigrationSet")
            .field("migrations", &self.migrations)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl MigrationSet {
    /// Migrations in the given order; those with tags must be in the order of their tags, and no tag
    /// may stand twice.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with everything that is wrong.
    pub fn new(migrations: impl IntoIterator<Item = Migration>) -> Result<Self> {
        let migrations: Vec<Migration> = migrations.into_iter().collect();
        let mut problems = Vec::new();
        let mut tags = HashSet::with_capacity(migrations.len());
        let mut last = None;
        for migration in &migrations {
            let Some(tag) = migration.tag() else { continue };
            if !tags.insert(tag) {
                problems.push(
                    Problem::new(tag.as_str(), "two migrations have this tag")
                        .hint("give one of them another time"),
                );
            } else if last.is_some_and(|last| last > tag) {
                problems.push(Problem::new(
                    tag.as_str(),
                    "it stands after a migration with a later tag",
                ));
            }
            last = Some(tag);
        }
        if !problems.is_empty() {
            return Err(Problems(problems).into());
        }
        let mut hash = Sha256::new();
        let mut digests = Vec::with_capacity(migrations.len() / KEPT_EVERY);
        for some in migrations.chunks(KEPT_EVERY) {
            digests.push(hash.clone());
            hash_of(some, &mut hash);
        }
        Ok(Self {
            migrations,
            digest: digest_of(hash),
            digests,
        })
    }

    /// What contradicts itself over the whole set, without a database.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the first contradiction.
    pub fn validate(&self) -> Result<()> {
        let mut sketch = Sketch::default();
        for migration in &self.migrations {
            for (index, operation) in migration.up().iter().enumerate() {
                sketch.apply(operation).map_err(|problem| {
                    let path = match migration.tag() {
                        Some(tag) => format!("{tag}: up[{index}]"),
                        None => format!("{}: up[{index}]", migration.name()),
                    };
                    let error =
                        Error::of(ErrorKind::Invalid, format!("{path}: {}", problem.message))
                            .tag(migration.tag());
                    match problem.hint {
                        Some(hint) => error.hint(hint),
                        None => error,
                    }
                })?;
            }
        }
        Ok(())
    }

    /// The migrations.
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// The migration that a tag means: the one that has it, or, of those that get theirs when they are
    /// applied, the one of its name.
    pub fn of_tag(&self, tag: &Tag) -> Option<&Migration> {
        self.migrations
            .iter()
            .find(|migration| match migration.tag() {
                Some(own) => own == tag,
                None => migration.name() == tag.name(),
            })
    }

    /// What tells this set from every other one: tags and checksums, in order.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The digest of a set of only the first ones, so many.
    pub(crate) fn digest_of_first(&self, count: usize) -> Option<String> {
        let first = self.migrations.get(..count)?;
        let kept = count / KEPT_EVERY;
        let (mut hash, from) = match self.digests.get(kept) {
            Some(hash) => (hash.clone(), kept * KEPT_EVERY),
            None => (Sha256::new(), 0),
        };
        hash_of(first.get(from..)?, &mut hash);
        Some(digest_of(hash))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.migrations.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }
}

fn hash_of(migrations: &[Migration], hash: &mut Sha256) {
    for migration in migrations {
        hash.update(migration.tag().map_or(migration.name(), |tag| tag.as_str()));
        hash.update([0]);
        hash.update(migration.checksum().as_str());
        hash.update([0]);
    }
}

fn digest_of(hash: Sha256) -> String {
    let digest = hash.finalize();
    let digits = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    digits.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_digest_of_the_first_ones_is_that_of_a_set_of_them() {
        let set = |count: usize| {
            let migrations = (0..count).map(|place| {
                let text = format!(
                    r#"{{"format": 1, "tag": "20240101_00{:02}{:02}_m", "up": [{{"type": "dropCollection", "name": "t"}}]}}"#,
                    place / 60,
                    place % 60
                );
                Migration::parse(&text).unwrap()
            });
            MigrationSet::new(migrations).unwrap()
        };
        let whole = set(2100);
        for count in [0, 1, 999, 1000, 1001, 2000, 2099, 2100] {
            assert_eq!(whole.digest_of_first(count).unwrap(), set(count).digest());
        }
        assert_eq!(whole.digest_of_first(2101), None);
    }
}
