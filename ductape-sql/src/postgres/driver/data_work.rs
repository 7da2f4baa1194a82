//! Data work: batches along a key, each in one transaction with its cursor.

use super::super::dialect::sql;
use super::session::PostgresSession;
use ductape_core::compiler::DataJob;
use ductape_engine::backend::{Advance, SessionError};

/// How many rows one batch changes.
const BATCH: u32 = 5000;

/// The cursor of data work without a key, once all of it is done.
const ALL_DONE: &str = "done";

impl PostgresSession {
    /// One batch of an update, along the key, with its cursor in the entry. The last batch writes its
    /// cursor, too: what is done once is not done again by a run that was killed before it could say so.
    pub(super) async fn batch(
        &mut self,
        seq: i64,
        job: &DataJob,
        cursor: Option<&str>,
    ) -> Result<Advance, SessionError> {
        let part = |key: &str| {
            job.work
                .get(key)
                .and_then(|value| value.as_str())
                .unwrap_or_default()
        };
        let (table, set, filter) = (part("table"), part("set"), part("filter"));
        let key: Vec<&str> = job
            .work
            .get("key")
            .and_then(|key| key.as_array())
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str())
            .collect();
        let keys = key.join(", ");
        let mut conditions = vec![format!("({filter})")];
        match cursor {
            Some(ALL_DONE) if key.is_empty() => return Ok(Advance::Done { rows: 0 }),
            Some(cursor) => conditions.push(format!("({keys}) > ({cursor})")),
            None => {}
        }
        self.open(format!("BEGIN;\n{}", self.place.settings()))
            .await?;
        let mut last = Some(ALL_DONE.to_owned());
        let mut full = false;
        if !key.is_empty() {
            let shown: Vec<String> = key
                .iter()
                .map(|name| format!("quote_literal({name}::text)"))
                .collect();
            let query = format!(
                "SELECT count(*) OVER (), {} FROM (SELECT {keys} FROM {table} WHERE {} ORDER BY {keys} LIMIT {BATCH}) AS batch ORDER BY {} LIMIT 1",
                shown.join(" || ', ' || "),
                conditions.join(" AND "),
                key.iter()
                    .map(|name| format!("{name} DESC"))
                    .collect::<Vec<_>>()
                    .join(", "),
            );
            let answers = self.ask(query).await?;
            let answer = answers.last();
            full = answer.and_then(|a| a.first(0)) == Some(BATCH.to_string().as_str());
            last = answer.and_then(|a| a.first(1)).map(str::to_owned);
        }
        let Some(last) = last else {
            self.ask("COMMIT".to_owned()).await?;
            return Ok(Advance::Done { rows: 0 });
        };
        if !key.is_empty() {
            conditions.push(format!("({keys}) <= ({last})"));
        }
        let names = &self.place.names;
        let text = sql()
            .words("UPDATE ")
            .sql(table)
            .words(" SET ")
            .sql(set)
            .words(" WHERE ")
            .sql(&conditions.join(" AND "))
            .words(";\nUPDATE ");
        let text = names
            .table(text, &names.migrations)
            .words(" SET progress = (progress::jsonb || jsonb_build_object('cursor', ")
            .text(&last)
            .words("::text))::text WHERE seq = ")
            .number(seq)
            .words(";\nCOMMIT")
            .finish();
        let answers = match self.ask(text).await {
            Ok(answers) => answers,
            Err(SessionError::Database(error)) => {
                let shown = job.statement.to_string();
                return Err(error.statement(shown).into());
            }
            Err(error) => return Err(error),
        };
        let rows = answers.first().map_or(0, |answer| answer.affected);
        Ok(match full {
            true => Advance::More { cursor: last, rows },
            false => Advance::Done { rows },
        })
    }
}
