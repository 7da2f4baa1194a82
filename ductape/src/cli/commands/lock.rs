//! `lock`: who holds it, and taking it away.

use crate::args::{Lock, LockAction};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Answer, printable};
use ductape::engine::Holder;
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    held: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<bool>,
    owner: Option<String>,
    host: Option<String>,
    since: Option<String>,
    lease_ms: Option<u64>,
}

impl Held {
    fn of(holder: Option<Holder>, released: Option<bool>) -> Self {
        let held = holder.is_some() && released.is_none();
        let (owner, host, since, lease_ms) = match holder {
            Some(holder) => (
                Some(holder.owner),
                Some(holder.host),
                Some(holder.since),
                holder.lease_ms,
            ),
            None => (None, None, None, None),
        };
        Self {
            held,
            released,
            owner,
            host,
            since,
            lease_ms,
        }
    }

    fn who(&self) -> String {
        printable(&format!(
            "{} on {} since {}",
            self.owner.as_deref().unwrap_or("somebody"),
            self.host.as_deref().unwrap_or("some machine"),
            self.since.as_deref().unwrap_or("some time"),
        ))
    }
}

pub async fn run(context: &Context, lock: &Lock) -> Result<Answer, Failure> {
    let connected = context.connect().await?;
    let holder = connected.engine.lock_holder().await?;
    match lock.action {
        LockAction::Status => {
            let held = Held::of(holder, None);
            context.answer(&held, |_| match (held.held, held.lease_ms) {
                (false, _) => "nobody holds the lock\n".to_owned(),
                (true, None) => format!("held by {}\n", held.who()),
                (true, Some(lease)) => format!("held by {}, lease {lease} ms\n", held.who()),
            })
        }
        LockAction::Release { .. } => {
            let held = match holder {
                Some(_) => {
                    let taken_from = connected.backend.force_release().await?;
                    let released = taken_from.is_some();
                    Held::of(taken_from, Some(released))
                }
                None => Held::of(None, Some(false)),
            };
            context.answer(&held, |_| match held.released {
                Some(true) => format!("taken from {}\n", held.who()),
                _ => "nobody held the lock\n".to_owned(),
            })
        }
    }
}
