//! Who holds the lock, and how long one waits for it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Who runs: told in the ledger, in the log, and to those who wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user, as the system knows them.
    pub user: String,
    /// The machine.
    pub host: String,
    /// A name that no other runner has, also not another one in this process.
    pub owner: String,
}

impl Actor {
    /// Whoever runs this process, with an owner's name of their own.
    pub fn current() -> Self {
        let user = ["USER", "LOGNAME", "USERNAME"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
            .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        Self {
            owner: format!("{host}:{}:{}", std::process::id(), uuid::Uuid::new_v4()),
            user,
            host,
        }
    }

    /// `user@host`, as the ledger has it.
    pub fn describe(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }
}

/// How long one waits for the lock, and for how long a lease is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The longest wait.
    pub wait: Duration,
    /// After this long without a sign of life, a lease can be taken over.
    pub lease: Duration,
}

impl Default for Patience {
    /// A minute, and fifteen seconds.
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(60),
            lease: Duration::from_secs(15),
        }
    }
}

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The runner.
    pub owner: String,
    /// Its machine.
    pub host: String,
    /// Since when, in RFC 3339.
    pub since: String,
    /// The lease in milliseconds; nothing where the lock ends with a connection.
    pub lease_ms: Option<u64>,
}

impl Holder {
    /// For people.
    pub fn describe(&self) -> String {
        format!("{} on {} since {}", self.owner, self.host, self.since)
    }
}
