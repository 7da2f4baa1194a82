//! Statements that cannot stand in a transaction, and what is done before and after them.
//!
//! On a connection that keeps its session, they run under settings of that session. Where the lock is a
//! lease there is no such thing: what is set would stay behind in a session that somebody else gets next.
//! There they run with the settings that every session begins with, and only if those name the right
//! schema; and since nothing can fence them, the lease is renewed just before.

use super::super::dialect::sql;
use super::lock;
use super::session::PostgresSession;
use ductape_core::Step;
use ductape_core::compiler::{Effect, Target};
use ductape_engine::DbError;
use ductape_engine::backend::{Outcome, Reader, SessionError, Standing};
use std::time::{Duration, Instant};

/// How often the lease is renewed before it is too slow a link for a statement without a fence.
const RENEWALS: u32 = 10;

impl PostgresSession {
    /// Makes ready for a statement outside a transaction, and shows that the lock is held.
    pub(super) async fn open_alone(&mut self) -> Result<(), SessionError> {
        self.client().await?;
        match self.held()?.lease() {
            None => self.open(self.place.session_settings()).await,
            Some(lease) => self.renew(lease).await,
        }
    }

    async fn renew(&mut self, lease: Duration) -> Result<(), SessionError> {
        self.about_to_write();
        for _ in 0..RENEWALS {
            let sent = Instant::now();
            let held = self.held()?;
            let text = sql()
                .sql(&held.sign_of_life(&self.place))
                .words(";\n")
                .sql(&held.fence(&self.place))
                .words(";\nSELECT current_schema() = ")
                .text(self.place.schema_name())
                .finish();
            let answers = match self.ask(text).await {
                Ok(answers) => answers,
                Err(SessionError::Database(error))
                    if error.code.as_deref() == Some(lock::FENCE_DOWN) =>
                {
                    return Err(SessionError::LockLost);
                }
                Err(error) => return Err(error),
            };
            if answers.last().and_then(|answer| answer.first(0)) != Some("t") {
                return Err(DbError::new(format!(
                    "behind a transaction pooler, a statement outside a transaction runs under the search_path that every session begins with, and there the schema {0:?} does not come first: give a URL that reaches the server itself, or set it with ALTER ROLE … SET search_path",
                    self.place.schema_name()
                ))
                .into());
            }
            // A successor has to see nothing for a whole lease after it was sent.
            if sent.elapsed() < lease / 2 {
                return Ok(());
            }
        }
        Err(DbError::new(format!(
            "a statement outside a transaction was not begun: a lease of {lease:?} is too short for this link; give a longer one with --lease"
        ))
        .into())
    }

    /// Behind a pooler, a session may have been left with another `search_path` by somebody else: then the
    /// statement did what it did elsewhere.
    pub(super) async fn seen_in_place(&mut self, step: &Step, text: &str) -> Outcome {
        let is_lease = self.held().is_ok_and(|held| held.lease().is_some());
        let shows = |effect: &Effect| matches!(effect.target, Target::Index { .. });
        if !is_lease || !step.effects.first().is_some_and(shows) {
            return Outcome::Applied;
        }
        match self.standing(step).await {
            Ok(Standing::Before | Standing::Foreign { .. }) => Outcome::NotApplied(
                DbError::new(format!(
                    "the statement was done, and not in the schema {:?}: the pooler's session had another search_path",
                    self.place.schema_name()
                ))
                .statement(text.to_owned()),
            ),
            _ => Outcome::Applied,
        }
    }
}
