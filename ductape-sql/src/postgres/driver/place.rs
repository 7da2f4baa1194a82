//! Where in the database the work is done: the schema, and the settings that a unit runs under.

use super::super::dialect::sql;
use super::client::{Answer, Client};
use crate::ledger::LedgerNames;
use ductape_core::Name;
use ductape_engine::DbError;
use std::time::Duration;

/// How long a unit waits for somebody else's lock before it lets go of its own and tries again: whoever
/// queues behind it waits no longer than that.
const LOCK_TIMEOUT: &str = "2s";

/// Where the work is done.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The schema of the tables and the ledger; nothing if the session has none.
    pub schema: Option<Name>,
    /// What stands in `search_path` while a unit runs.
    search_path: String,
    /// The ledger's tables.
    pub names: LedgerNames,
    /// Whether the ledger is there.
    pub has_ledger: bool,
    /// Whether the schema is there.
    pub has_schema: bool,
    /// How long the server waits for the next statement of a transaction before it ends it: for as long as
    /// a lease, since its holder may be frozen, and a successor waits for the transaction.
    pub idle_limit: Option<Duration>,
}

impl Place {
    /// The query that finds the place, with more columns behind its own [`Place::COLUMNS`]; they may
    /// speak of `place.schema`.
    pub fn query(schema: Option<&Name>, more: &str) -> String {
        let text = sql()
            .words("SELECT place.schema, current_setting('search_path'), to_regclass(format('%I.%I', place.schema, ")
            .text(LedgerNames::default().state.as_str())
            .words(")) IS NOT NULL, to_regnamespace(quote_ident(place.schema)) IS NOT NULL")
            .sql(more)
            .words(" FROM (SELECT ");
        match schema {
            Some(schema) => text.text(schema.as_str()).words("::text"),
            None => text.words("current_schema()::text"),
        }
        .words(" AS schema) AS place")
        .finish()
    }

    /// How many columns the query has without more.
    pub const COLUMNS: usize = 4;

    /// The place that the query's answer tells.
    pub fn of(answer: &Answer, given: Option<&Name>) -> Self {
        let schema = answer.first(0).and_then(|name| Name::new(name).ok());
        let search_path = match given {
            // Nothing of another schema is touched by mistake, so nothing else stands in the path.
            Some(given) => sql().name(given).finish(),
            None => answer.first(1).unwrap_or_default().to_owned(),
        };
        Self {
            names: LedgerNames::in_schema(schema.clone()),
            schema,
            search_path,
            has_ledger: answer.first(2) == Some("t"),
            has_schema: answer.first(3) == Some("t"),
            idle_limit: None,
        }
    }

    /// Finds the place. Changes nothing.
    pub async fn find(client: &mut Client, schema: Option<&Name>) -> Result<Self, DbError> {
        let answer = client.answer(Self::query(schema, "")).await?;
        Ok(Self::of(&answer, schema))
    }

    /// The schema's name as a text, for the catalog's queries.
    pub fn schema_name(&self) -> &str {
        self.schema.as_ref().map_or("", Name::as_str)
    }

    /// The settings of a transaction, whatever an earlier statement left behind in the session.
    pub fn settings(&self) -> String {
        self.set(LOCK_TIMEOUT, ", true)")
    }

    /// The same for all transactions to come of this session.
    pub fn lasting_settings(&self) -> String {
        self.set(LOCK_TIMEOUT, ", false)")
    }

    /// The settings of the session, for a statement that cannot stand in a transaction. Building an index
    /// concurrently waits for others without keeping anybody waiting, so it may take its time.
    pub fn session_settings(&self) -> String {
        self.set("0", ", false)")
    }

    fn set(&self, lock_timeout: &str, end: &'static str) -> String {
        sql()
            .words("SELECT set_config('search_path', ")
            .text(&self.search_path)
            .words(end)
            .words(", set_config('standard_conforming_strings', 'on'")
            .words(end)
            .words(", set_config('lock_timeout', ")
            .text(lock_timeout)
            .words(end)
            .maybe(self.idle_limit, |text, limit| {
                text.words(", set_config('idle_in_transaction_session_timeout', ")
                    .text(&limit.as_millis().max(1).to_string())
                    .words(end)
            })
            .finish()
    }
}
