//! The second way: a container. This is the place for it; the tests are not yet built with it.
//!
//! To wire it in, off by default: a feature `docker` of this crate that brings `testcontainers` 0.28 with
//! its feature `blocking`; and behind it, in [`start`], a `GenericImage` chosen by the kind's script
//! (`amazon/dynamodb-local`, which listens on 8000; `postgres`, on 5432, with
//! `POSTGRES_HOST_AUTH_METHOD=trust`), started by `SyncRunner`, which becomes a [`Server::kept`] with the
//! port of the host in its URL. A daemon that does not answer is a reason like any other: the script is
//! tried next.
//!
//! One thing wants care: `testcontainers` removes a container when its handle is dropped, or at a signal
//! with the feature `watchdog`. The server that a process shares is in a `static`, which is never dropped.
//! Something has to end that container with its process, as the pipe does for the script.

use super::{Kind, Server};

/// The server in a container, or why there is none.
pub(super) fn start(_kind: &Kind) -> Result<Server, String> {
    Err("these tests are built without it".to_owned())
}
