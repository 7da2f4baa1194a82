//! The lease: a lock for databases whose locks do not end with a connection.
//!
//! A row that is never deleted holds the owner, a nonce that changes with every sign of life, and the
//! fence. A contender that has seen the same nonce for a whole lease on its own monotonic clock takes
//! the lock over by compare-and-set, and raises the fence. No wall clock is compared.

use crate::lock::{Actor, Holder};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// The lock's row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseRow {
    /// Who holds it; nobody if absent.
    pub owner: Option<String>,
    /// The holder's machine.
    pub host: String,
    /// Since when, in RFC 3339; told to people, compared by nobody.
    pub since: String,
    /// Changes with every acquisition and every sign of life.
    pub nonce: u64,
    /// The lease in milliseconds.
    pub lease_ms: u64,
    /// Raised by every acquisition; without it nothing is written.
    pub fence: u64,
}

impl LeaseRow {
    /// The row after this one when an actor takes the lock.
    #[must_use]
    pub fn taken_by(&self, actor: &Actor, lease: Duration, now: jiff::Timestamp) -> Self {
        Self {
            owner: Some(actor.owner.clone()),
            host: actor.host.clone(),
            since: now.to_string(),
            nonce: self.nonce + 1,
            lease_ms: lease.as_millis().try_into().unwrap_or(u64::MAX),
            fence: self.fence + 1,
        }
    }

    /// The row after a sign of life.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Self {
            nonce: self.nonce + 1,
            ..self.clone()
        }
    }

    /// The row after its holder let go. The fence stays.
    #[must_use]
    pub fn released(&self) -> Self {
        Self {
            owner: None,
            nonce: self.nonce + 1,
            ..self.clone()
        }
    }

    /// Who holds it, if anybody does.
    pub fn holder(&self) -> Option<Holder> {
        Some(Holder {
            owner: self.owner.clone()?,
            host: self.host.clone(),
            since: self.since.clone(),
            lease_ms: Some(self.lease_ms),
        })
    }
}

/// What a contender does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Take the lock by compare-and-set on the row that was seen.
    Take,
    /// Look again after this long.
    Wait(Duration),
}

/// A contender's memory of what it saw of the lock.
#[derive(Debug, Default)]
pub struct LeaseWatch {
    seen: Option<(u64, Instant)>,
}

impl LeaseWatch {
    /// A contender that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decides by the row as it was read; `now` was taken *after* it was read.
    pub fn decide(&mut self, row: &LeaseRow, now: Instant) -> Decision {
        if row.owner.is_none() {
            return Decision::Take;
        }
        let since = match self.seen {
            Some((nonce, since)) if nonce == row.nonce => since,
            _ => {
                self.seen = Some((row.nonce, now));
                now
            }
        };
        let lease = Duration::from_millis(row.lease_ms);
        match lease.checked_sub(now.duration_since(since)) {
            None => Decision::Take,
            Some(left) if left.is_zero() => Decision::Take,
            Some(left) => Decision::Wait(left.min(Duration::from_millis(100))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(nonce: u64) -> LeaseRow {
        LeaseRow {
            owner: Some("them".into()),
            nonce,
            lease_ms: 1000,
            fence: 3,
            ..LeaseRow::default()
        }
    }

    #[test]
    fn a_lease_is_taken_over_only_after_a_whole_lease_without_a_sign_of_life() {
        let mut watch = LeaseWatch::new();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert!(matches!(watch.decide(&held(1), at(0)), Decision::Wait(_)));
        assert!(matches!(watch.decide(&held(1), at(999)), Decision::Wait(_)));
        assert!(
            matches!(watch.decide(&held(2), at(1000)), Decision::Wait(_)),
            "it lives"
        );
        assert!(matches!(
            watch.decide(&held(2), at(1999)),
            Decision::Wait(_)
        ));
        assert_eq!(watch.decide(&held(2), at(2000)), Decision::Take);
    }

    #[test]
    fn every_acquisition_raises_the_fence_and_release_keeps_it() {
        let actor = Actor {
            user: "u".into(),
            host: "h".into(),
            owner: "o".into(),
        };
        let row = held(7);
        let mine = row.taken_by(&actor, Duration::from_secs(1), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!((mine.fence, mine.nonce), (4, 8));
        assert_eq!(mine.released().fence, 4);
        assert_eq!(mine.released().holder(), None);
        assert_ne!(mine.renewed().nonce, mine.nonce);
    }
}
