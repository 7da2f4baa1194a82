//! Progress, for whoever watches.

use ductape_core::{Direction, Tag};

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The run has the lock: from here on it may change something.
    Locked,
    /// A migration begins.
    Started {
        /// Which one.
        tag: Tag,
        /// Which way.
        direction: Direction,
        /// Whether an earlier run's work is taken up again.
        resumed: bool,
    },
    /// A step of a journaled migration is done.
    Step {
        /// The migration.
        tag: Tag,
        /// The steps that are done.
        done: usize,
        /// The steps in all.
        total: usize,
    },
    /// A batch of data work is done.
    Batch {
        /// The migration.
        tag: Tag,
        /// The rows that this batch changed.
        rows: u64,
    },
    /// A migration is done.
    Finished {
        /// Which one.
        tag: Tag,
        /// Which way.
        direction: Direction,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
}

/// Watches runs.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}
