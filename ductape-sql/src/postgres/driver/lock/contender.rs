//! Taking the lock.

use super::super::super::dialect::sql;
use super::super::client::{Answer, Client};
use super::super::connect::{OWN_SESSION, PostgresBackend};
use super::super::ledger_tables;
use super::super::place::Place;
use super::heartbeat::Heartbeat;
use super::held::{Held, Kept};
use super::row::{Over, Seen, raise_sql};
use super::{KEY, holder, is_kept, jittered, processes};
use crate::ledger::{StateRows, put_sql, read_head, state_sql, summaries_sql};
use crate::postgres::Postgres;
use ductape_engine::lease::{Decision, LeaseWatch};
use ductape_engine::ledger::{HEAD_KEY, Head, LEDGER_FORMAT, Put, TODO_PREFIX};
use ductape_engine::{Actor, DbError, Error, ErrorKind, Patience};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long at least a lock of one's own is asked for again: what the server still does for the lost
/// connection ends before that.
const RETAKE: Duration = Duration::from_secs(60);

/// A connection with the lock.
pub(in super::super) struct Taken {
    pub client: Client,
    pub place: Place,
    pub held: Held,
    pub told: Told,
}

/// Takes the lock, waiting for it as long as patience lasts, and makes the ledger where there is none.
pub(in super::super) async fn take(
    backend: &PostgresBackend,
    actor: &Actor,
    patience: &Patience,
) -> Result<Taken, Error> {
    wait(backend, actor, patience, None)
        .await?
        .ok_or_else(|| Error::internal("the lock was expected of nobody, and not found so"))
}

/// Takes the lock again after its connection was lost; nothing if somebody else had it meanwhile.
pub(in super::super) async fn take_over(
    backend: &PostgresBackend,
    actor: &Actor,
    patience: &Patience,
    held: &Held,
) -> Result<Option<Taken>, Error> {
    let patience = Patience {
        wait: patience.wait.max(RETAKE),
        ..*patience
    };
    wait(backend, actor, &patience, Some(&held.row)).await
}

async fn wait(
    backend: &PostgresBackend,
    actor: &Actor,
    patience: &Patience,
    expected: Option<&str>,
) -> Result<Option<Taken>, Error> {
    let started = Instant::now();
    let (mut client, word) = backend.connect_for_lock().await?;
    let mut contender = Contender {
        backend,
        actor,
        patience,
        expected,
        word,
        advisory: None,
        place: None,
        watch: LeaseWatch::new(),
        silent: None,
    };
    let mut pause = Duration::from_millis(10);
    loop {
        match contender.attempt(&mut client).await? {
            Attempt::Taken(taken) => {
                let (place, held, told) = *taken;
                return Ok(Some(Taken {
                    client,
                    place,
                    held,
                    told,
                }));
            }
            Attempt::PassedOn => return Ok(None),
            Attempt::Busy(None) => {
                tokio::time::sleep(jittered(pause).min(left(started, patience))).await;
                pause = (pause * 2).min(Duration::from_millis(250));
            }
            Attempt::Busy(Some(pause)) => {
                tokio::time::sleep(pause.min(left(started, patience))).await;
            }
        }
        if started.elapsed() >= patience.wait {
            let place = Place::find(&mut client, backend.schema()).await?;
            let holder = holder(&mut client, &place).await?;
            client.close().await;
            return Err(Error::locked(holder.as_ref(), patience.wait));
        }
    }
}

fn left(started: Instant, patience: &Patience) -> Duration {
    patience.wait.saturating_sub(started.elapsed())
}

/// What an attempt at the lock came to.
enum Attempt {
    Taken(Box<(Place, Held, Told)>),
    /// Its row is not the one that was expected.
    PassedOn,
    /// Somebody has it; what is left of the lease, if it is one, before looking again.
    Busy(Option<Duration>),
}

/// Who wants the lock, and what it has seen of it.
struct Contender<'c> {
    backend: &'c PostgresBackend,
    actor: &'c Actor,
    patience: &'c Patience,
    /// The row that must still be there.
    expected: Option<&'c str>,
    /// The word by which the server's session is known as this connection's own; nothing if it is not.
    word: Option<String>,
    /// The server's process that has the advisory lock for us, and its number.
    advisory: Option<(String, String)>,
    place: Option<Place>,
    watch: LeaseWatch,
    /// The row of a holder that was silent for a whole lease.
    silent: Option<String>,
}

impl Contender<'_> {
    async fn attempt(&mut self, client: &mut Client) -> Result<Attempt, Error> {
        let mut place = match self.place.take().filter(|place| place.has_ledger) {
            Some(place) => place,
            None => match self.look(client).await? {
                Some(place) => place,
                None => return Ok(Attempt::Busy(None)),
            },
        };
        if place.schema.is_none() {
            return Err(Error::of(
                ErrorKind::Usage,
                "there is no schema to work in: none of those in search_path exists",
            )
            .hint("name one in the URL: ?schema=public"));
        }
        let over = match (self.expected, self.silent.take(), &self.advisory) {
            (Some(expected), _, _) => Over::Seen(Some(expected.to_owned())),
            (None, Some(silent), _) => Over::Seen(Some(silent)),
            (None, None, Some(_)) => Over::NoLease,
            (None, None, None) => match self.judge(client, &place).await? {
                Ok(over) => over,
                Err(busy) => {
                    self.place = Some(place);
                    return Ok(busy);
                }
            },
        };
        let Some(raised) = self.raise(client, &place, &over).await? else {
            return Ok(Attempt::Busy(None));
        };
        match (raised.row, self.expected) {
            (Some(row), _) => {
                let held = self.held(&mut place, row, &raised.process, raised.is_kept)?;
                let told = raised.told;
                return Ok(match held {
                    Some(held) => Attempt::Taken(Box::new((place, held, told))),
                    None => Attempt::Busy(Some(Duration::ZERO)),
                });
            }
            (None, Some(_)) => return Ok(Attempt::PassedOn),
            (None, None) => {}
        }
        let busy = match self.judge(client, &place).await? {
            Err(busy) => busy,
            Ok(Over::Seen(Some(silent))) => {
                self.silent = Some(silent);
                // At once: it was waited for already.
                Attempt::Busy(Some(Duration::ZERO))
            }
            Ok(_) => Attempt::Busy(None),
        };
        self.place = Some(place);
        Ok(busy)
    }

    /// Finds the place and asks for the advisory lock, where the session is one to keep it; nothing if
    /// somebody else has it.
    async fn look(&mut self, client: &mut Client) -> Result<Option<Place>, Error> {
        let schema = self.backend.schema();
        let (Some(word), None) = (&self.word, &self.advisory) else {
            return Ok(Some(Place::find(client, schema).await?));
        };
        let more = sql()
            .words(", CASE WHEN current_setting('")
            .words(OWN_SESSION)
            .words("', true) = ")
            .text(word)
            .words(" THEN pg_try_advisory_lock(")
            .words(KEY)
            .words(") END, pg_backend_pid(), ")
            .words(KEY)
            .finish();
        let answer = match client.answer(Place::query(schema, &more)).await {
            Ok(answer) => answer,
            Err(error) if has_no_advisory_locks(&error) => {
                self.word = None;
                return Ok(Some(Place::find(client, schema).await?));
            }
            Err(error) => return Err(error.into()),
        };
        let place = Place::of(&answer, schema);
        let more = |column: usize| answer.first(Place::COLUMNS + column);
        match more(0) {
            Some("t") => {
                let value = |column| more(column).unwrap_or_default().to_owned();
                self.advisory = Some((value(1), value(2)));
            }
            Some(_) => return Ok(None),
            None => self.word = None,
        }
        Ok(Some(place))
    }

    /// Whether the row that is there may be replaced, or how long it is to be left alone.
    async fn judge(
        &mut self,
        client: &mut Client,
        place: &Place,
    ) -> Result<Result<Over, Attempt>, DbError> {
        let Some(seen) = Seen::read(client, place).await? else {
            return Ok(Ok(Over::Seen(None)));
        };
        if seen.row.owner.is_some() {
            if !seen.is_of_a_session() {
                if let Decision::Wait(left) = self.watch.decide(&seen.row, Instant::now()) {
                    return Ok(Err(Attempt::Busy(Some(left))));
                }
            } else if self.advisory.is_none() && is_kept(client, place).await? {
                return Ok(Err(Attempt::Busy(None)));
            }
        }
        Ok(Ok(Over::Seen(Some(seen.text))))
    }

    /// Makes the ledger where there is none, and raises the fence; nothing if others are at it. A
    /// successor waits here for the last unit of a predecessor that does not know of its end.
    async fn raise(
        &self,
        client: &mut Client,
        place: &Place,
        over: &Over,
    ) -> Result<Option<Raised>, Error> {
        let mut statements = vec!["BEGIN".to_owned(), place.settings()];
        if !place.has_ledger {
            statements.extend(ledger_tables::make(place));
            let head = Head {
                format: LEDGER_FORMAT,
                ..Head::default()
            };
            statements.push(put_sql::<Postgres>(
                &place.names,
                &Put::State {
                    key: HEAD_KEY.to_owned(),
                    value: serde_json::to_string(&head).ok(),
                },
            ));
        }
        let lease = self.advisory.is_none().then_some(self.patience.lease);
        statements.push(raise_sql(place, self.actor, lease, over));
        let read = sql().words("SELECT value, pg_backend_pid(), ");
        let read = match lease {
            None => read
                .words("EXISTS (")
                .sql(&processes(place, "pid"))
                .words(" AND pid = pg_backend_pid())"),
            Some(_) => read.words("FALSE"),
        };
        let read = place.names.table(read.words(" FROM "), &place.names.state);
        statements.push(read.words(" WHERE key = ").text(HEAD_KEY).finish());
        statements.push(summaries_sql::<Postgres>(&place.names));
        let left_to_do = StateRows::Beginning(TODO_PREFIX);
        statements.push(state_sql::<Postgres>(&place.names, &left_to_do));
        statements.push("COMMIT".to_owned());
        let mut answers = match client.ask(statements.join(";\n")).await {
            Ok(answers) => answers,
            Err(broken) => {
                let made_by_others = !place.has_ledger && is_there_already(&broken.error);
                if broken.lost() || !(broken.contended() || made_by_others) {
                    return Err(broken.error.into());
                }
                client
                    .ask("ROLLBACK".to_owned())
                    .await
                    .map_err(DbError::from)?;
                return Ok(None);
            }
        };
        answers.pop();
        let left_to_do = answers.pop().unwrap_or_default();
        let summaries = answers.pop().unwrap_or_default();
        let head = answers.pop().unwrap_or_default();
        let row = answers.pop().unwrap_or_default();
        if let Some(value) = head.first(0) {
            read_head(value)?;
        }
        Ok(Some(Raised {
            row: row.first(0).map(str::to_owned),
            process: head.first(1).unwrap_or_default().to_owned(),
            is_kept: head.first(2) == Some("t"),
            told: Told {
                summaries: Some(summaries),
                left_to_do: Some(left_to_do),
                records: BTreeMap::new(),
            },
        }))
    }

    /// What keeps the lock now that the row is ours; nothing if it turned out that no session does.
    fn held(
        &mut self,
        place: &mut Place,
        row: String,
        process: &str,
        is_kept: bool,
    ) -> Result<Option<Held>, Error> {
        place.has_ledger = true;
        place.has_schema = true;
        let Some((kept_by, key)) = self.advisory.take() else {
            let lease = self.patience.lease.max(Duration::from_millis(1));
            place.idle_limit = Some(lease);
            tracing::info!(
                ?lease,
                "the server keeps no session for this connection: the lock is a lease"
            );
            let backend = self.backend.clone();
            let heartbeat = Heartbeat::start(backend, place.clone(), row.clone(), lease);
            let kept = Kept::Lease { lease, heartbeat };
            return Ok(Some(Held { row, kept }));
        };
        if kept_by != process {
            return Err(Error::of(
                ErrorKind::Connection,
                "two transactions of one connection were in two sessions of the server: a pooler stands between that does not show itself",
            )
            .hint("give a URL that reaches the server itself"));
        }
        if !is_kept {
            // An engine that says yes to whatever lock it is asked for. The row is that of nobody's session.
            self.word = None;
            return Ok(None);
        }
        let kept = Kept::Session {
            process: kept_by,
            key,
        };
        Ok(Some(Held { row, kept }))
    }
}

struct Raised {
    /// The new row; nothing if the old one may not be replaced.
    row: Option<String>,
    process: String,
    /// Whether this process has the advisory lock.
    is_kept: bool,
    told: Told,
}

/// What every run asks next, answered together with what was asked before it: as long as it writes nothing,
/// nobody does.
#[derive(Debug, Default)]
pub(in super::super) struct Told {
    pub summaries: Option<Answer>,
    pub left_to_do: Option<Answer>,
    /// For each key of the record that was asked for, the row's value if there is one.
    pub records: BTreeMap<String, Option<String>>,
}

/// Whether there are no advisory locks: no such function, not supported, not permitted.
fn has_no_advisory_locks(error: &DbError) -> bool {
    matches!(error.code.as_deref(), Some("42883" | "0A000" | "42501"))
}

/// Whether somebody made a schema or a table at the same time.
fn is_there_already(error: &DbError) -> bool {
    matches!(
        error.code.as_deref(),
        Some("23505" | "42P07" | "42P06" | "42710")
    )
}
