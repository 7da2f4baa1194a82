//! New tags, by the clock.

use ductape_core::Tag;
use std::sync::{Mutex, PoisonError};

/// Tags by the clock. Core has none, so this stands here.
pub trait GenerateTag: Sized {
    /// A tag of this moment: `20240115_143052_create_users`.
    ///
    /// In one program no two are the same and each is later than the one before, also within one
    /// second. Characters that a tag cannot hold become `_`.
    ///
    /// ```
    /// use ductape::prelude::*;
    ///
    /// let first = Tag::generate("create_users");
    /// let second = Tag::generate("create_users");
    /// assert_eq!(first.name(), "create_users");
    /// assert!(first < second);
    /// ```
    #[must_use]
    fn generate(name: &str) -> Self;
}

impl GenerateTag for Tag {
    fn generate(name: &str) -> Self {
        static LAST: Mutex<Option<Tag>> = Mutex::new(None);
        let now = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now());
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = Tag::after(last.as_ref(), now, name);
        *last = Some(tag.clone());
        tag
    }
}
