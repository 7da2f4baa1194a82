//! Working under the lock.

use super::super::dialect::sql;
use super::batch::{Batch, Stopped, trace};
use super::break_off::BreakOff;
use super::client::{Broken, Client};
use super::connect::PostgresBackend;
use super::lock::{self, Held, Taken, Told, jittered};
use super::place::Place;
use super::refusal::told;
use async_trait::async_trait;
use ductape_core::Step;
use ductape_core::compiler::{Action, DataJob};
use ductape_engine::backend::{Advance, Outcome, Session, SessionError, Unit, UnitFailure};
use ductape_engine::ledger::Put;
use ductape_engine::{Actor, DbError, Error, Patience};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long a unit that others are in the way of is tried again.
const CONTENTION: Duration = Duration::from_secs(60);

/// How often a connection that was lost is replaced while units are done.
const RECONNECTS: u32 = 3;

/// How long a server that was there a moment ago may take to be there again.
const RESTART: Duration = Duration::from_secs(10);

/// A connection for looking or, with the lock, for working.
pub(super) struct PostgresSession {
    backend: PostgresBackend,
    client: Option<Client>,
    pub(super) place: Place,
    lock: Option<Lock>,
    /// What asks for the statement under way to be broken off.
    flag: Option<Arc<AtomicBool>>,
    /// What was told of the catalog last, and whether a raw unit has moved it since.
    pub(super) told_mark: Option<String>,
    pub(super) moved: Option<bool>,
    /// What was told with the lock, until something is written.
    pub(super) told: Told,
}

/// The lock, and what it takes to get it again after the connection was lost.
struct Lock {
    actor: Actor,
    patience: Patience,
    held: Held,
}

impl PostgresSession {
    pub fn for_reading(backend: PostgresBackend, client: Client, place: Place) -> Self {
        Self {
            backend,
            client: Some(client),
            place,
            lock: None,
            flag: None,
            told_mark: None,
            moved: None,
            told: Told::default(),
        }
    }

    pub async fn locked(
        backend: PostgresBackend,
        actor: Actor,
        patience: Patience,
    ) -> Result<Self, Error> {
        let Taken {
            client,
            place,
            held,
            told,
        } = lock::take(&backend, &actor, &patience).await?;
        let lock = Lock {
            actor,
            patience,
            held,
        };
        Ok(Self {
            lock: Some(lock),
            told,
            ..Self::for_reading(backend, client, place)
        })
    }

    /// The connection; a new one, with the lock, where the old one was lost.
    pub(super) async fn client(&mut self) -> Result<&mut Client, SessionError> {
        if self.client.is_none() {
            self.reconnect().await?;
        }
        self.client
            .as_mut()
            .ok_or_else(|| DbError::connection("the connection was lost").into())
    }

    /// Whether there is a connection that was not lost.
    pub(super) fn is_connected(&self) -> bool {
        self.client.is_some()
    }

    async fn reconnect(&mut self) -> Result<(), SessionError> {
        let mut client = self.connect_again().await?;
        let Some(lock) = &mut self.lock else {
            self.client = Some(client);
            return Ok(());
        };
        // Whoever has the advisory lock now, if it is not the dead connection's server process, has
        // raised the fence. So the row is looked at first, and the lock is taken again only over an
        // unchanged one; what the server still does for the dead connection ends before that.
        if lock::passed_on(&lock.held, &mut client, &self.place).await? {
            return Err(SessionError::LockLost);
        }
        client.close().await;
        let taken = lock::take_over(&self.backend, &lock.actor, &lock.patience, &lock.held).await;
        let taken = match taken {
            Ok(Some(taken)) => taken,
            Ok(None) => return Err(SessionError::LockLost),
            Err(error) => return Err(DbError::connection(error.to_string()).into()),
        };
        lock.held = taken.held;
        self.place = taken.place;
        self.told = Told::default();
        self.client = Some(taken.client);
        self.arm();
        Ok(())
    }

    /// Lets the flag break off what the connection does.
    fn arm(&mut self) {
        if let (Some(client), Some(lock), Some(flag)) = (&mut self.client, &self.lock, &self.flag) {
            client.break_off = lock.held.process().map(|process| BreakOff {
                flag: flag.clone(),
                backend: self.backend.clone(),
                process: process.to_owned(),
            });
        }
    }

    /// A new connection, also from a server that is only just starting again.
    async fn connect_again(&self) -> Result<Client, DbError> {
        let started = Instant::now();
        loop {
            match self.backend.connect().await {
                Err(_) if started.elapsed() < RESTART => {
                    tokio::time::sleep(jittered(Duration::from_millis(200))).await;
                }
                reached => return reached,
            }
        }
    }

    /// Runs a text and gives its answers. A connection that breaks is not used again.
    pub(super) async fn ask(
        &mut self,
        text: String,
    ) -> Result<Vec<super::client::Answer>, SessionError> {
        match self.client().await?.ask(text).await {
            Ok(answers) => Ok(answers),
            Err(broken) => {
                self.broke(&broken);
                Err(broken.error.into())
            }
        }
    }

    /// What was told with the lock holds no more.
    pub(super) fn about_to_write(&mut self) {
        self.told = Told::default();
    }

    fn broke(&mut self, broken: &Broken) {
        if broken.lost() {
            self.client = None;
        }
    }

    pub(super) fn held(&self) -> Result<&Held, SessionError> {
        match &self.lock {
            Some(lock) => Ok(&lock.held),
            None => Err(DbError::new("a reader was asked to write").into()),
        }
    }

    /// Does units once, up to the first that is not done.
    async fn once(&mut self, units: &[Unit]) -> (usize, Result<(), Stopped>) {
        self.about_to_write();
        if let Err(error) = self.client().await {
            return (0, Err(Stopped::Failed(unit_failure(error))));
        }
        let (Some(client), Some(lock)) = (&mut self.client, &self.lock) else {
            let error = DbError::new("a reader was asked to write");
            let failure = UnitFailure::Database { step: None, error };
            return (0, Err(Stopped::Failed(failure)));
        };
        let mut batch = Batch::new(client, &self.place, &lock.held);
        let stopped = batch.run(units).await;
        let (done, moved) = (batch.done, batch.moved);
        if moved.is_some() {
            self.moved = moved;
        }
        (done, stopped)
    }

    /// After a lost connection: how many of the units the ledger knows as done.
    async fn settle(&mut self, units: &[Unit], error: DbError) -> Result<usize, UnitFailure> {
        self.client = None;
        let traces: Option<Vec<String>> = units
            .iter()
            .map(|unit| trace(&self.place.names, unit))
            .collect();
        let Some(traces) = traces else {
            return Err(match self.client().await {
                Err(SessionError::LockLost) => UnitFailure::LockLost,
                _ => UnitFailure::Unknown(error),
            });
        };
        let query = sql()
            .words("SELECT ")
            .each(", ", traces, |text, trace| text.sql(&trace))
            .finish();
        match self.ask(query).await {
            Ok(answers) => {
                let row = answers.last().and_then(|answer| answer.rows.first());
                Ok(row
                    .into_iter()
                    .flatten()
                    .take_while(|done| done.as_deref() == Some("t"))
                    .count())
            }
            Err(SessionError::LockLost) => Err(UnitFailure::LockLost),
            Err(SessionError::Database(_)) => Err(UnitFailure::Unknown(error)),
        }
    }

    /// Runs an opening and shows behind it that the lock is held.
    pub(super) async fn open(&mut self, opening: String) -> Result<(), SessionError> {
        self.client().await?;
        self.about_to_write();
        let fence = self.held()?.fence(&self.place);
        match self.ask(format!("{opening};\n{fence}")).await {
            Err(SessionError::Database(error))
                if error.code.as_deref() == Some(lock::FENCE_DOWN) =>
            {
                Err(SessionError::LockLost)
            }
            other => other.map(|_| ()),
        }
    }

    /// A unit of ledger writes alone.
    async fn write(&mut self, puts: &[Put]) -> Result<(), SessionError> {
        let unit = Unit {
            steps: Vec::new(),
            puts: puts.to_vec(),
        };
        match self.transact(std::slice::from_ref(&unit)).await.1 {
            None => Ok(()),
            Some(UnitFailure::LockLost) => Err(SessionError::LockLost),
            Some(UnitFailure::Unknown(error) | UnitFailure::Database { error, .. }) => {
                Err(error.into())
            }
            Some(UnitFailure::Guarded { .. }) => {
                Err(DbError::new("a guard failed that was not given").into())
            }
        }
    }
}

/// The failure of a unit, with what its step was.
fn judged(failure: UnitFailure, unit: Option<&Unit>) -> UnitFailure {
    let UnitFailure::Database {
        step: Some(at),
        error,
    } = failure
    else {
        return failure;
    };
    let error = match unit.and_then(|unit| unit.steps.get(at)) {
        Some(step) => told(step, error),
        None => error,
    };
    UnitFailure::Database {
        step: Some(at),
        error,
    }
}

fn unit_failure(error: SessionError) -> UnitFailure {
    match error {
        SessionError::LockLost => UnitFailure::LockLost,
        SessionError::Database(error) => UnitFailure::Database { step: None, error },
    }
}

#[async_trait]
impl Session for PostgresSession {
    async fn transact(&mut self, units: &[Unit]) -> (usize, Option<UnitFailure>) {
        let mut done = 0;
        let mut contended: Option<Instant> = None;
        let mut reconnects = 0;
        loop {
            let left = units.get(done..).unwrap_or(&[]);
            let (more, stopped) = self.once(left).await;
            if more > 0 {
                contended = None;
            }
            done += more;
            match stopped {
                Ok(()) => return (done, None),
                Err(Stopped::Failed(failure)) => {
                    return (done, Some(judged(failure, units.get(done))));
                }
                Err(Stopped::Contended(step, mut error)) => {
                    let since = *contended.get_or_insert_with(Instant::now);
                    if since.elapsed() >= CONTENTION {
                        error.message = format!(
                            "others were in the way for {} s: {}",
                            since.elapsed().as_secs(),
                            error.message
                        );
                        return (done, Some(UnitFailure::Database { step, error }));
                    }
                    tokio::time::sleep(jittered(Duration::from_millis(300))).await;
                }
                Err(Stopped::Lost(error)) => {
                    let left = units.get(done..).unwrap_or(&[]);
                    reconnects += 1;
                    if reconnects > RECONNECTS {
                        self.client = None;
                        return (done, Some(UnitFailure::Unknown(error)));
                    }
                    match self.settle(left, error).await {
                        Ok(more) => done += more,
                        Err(failure) => return (done, Some(failure)),
                    }
                }
            }
        }
    }

    async fn flush(&mut self) -> Result<(), SessionError> {
        Ok(())
    }

    async fn run(&mut self, step: &Step) -> Outcome {
        let text = match &step.action {
            Action::Statement(statement) => statement.to_string(),
            Action::Data(_) => {
                return Outcome::NotApplied(DbError::new("data work is no statement"));
            }
        };
        // The statement goes by itself, since several in one message are one transaction.
        if let Err(error) = self.open_alone().await {
            return outcome(error);
        }
        match self.ask(text.clone()).await {
            Ok(_) => self.seen_in_place(step, &text).await,
            Err(SessionError::LockLost) => Outcome::LockLost,
            Err(SessionError::Database(error)) if error.connection => {
                Outcome::Unknown(error.statement(text))
            }
            Err(SessionError::Database(error)) => {
                Outcome::NotApplied(told(step, error.statement(text)))
            }
        }
    }

    async fn record(&mut self, puts: &[Put]) -> Result<(), SessionError> {
        self.write(puts).await
    }

    async fn advance(
        &mut self,
        seq: i64,
        job: &DataJob,
        cursor: Option<&str>,
    ) -> Result<Advance, SessionError> {
        let since = Instant::now();
        loop {
            let error = match self.batch(seq, job, cursor).await {
                Ok(advance) => return Ok(advance),
                Err(SessionError::LockLost) => return Err(SessionError::LockLost),
                Err(SessionError::Database(error)) => error,
            };
            if !error.connection {
                self.ask("ROLLBACK".to_owned()).await?;
            }
            let contended = matches!(error.code.as_deref(), Some("55P03" | "40P01" | "40001"));
            if !contended || since.elapsed() >= CONTENTION {
                return Err(error.into());
            }
            tokio::time::sleep(jittered(Duration::from_millis(300))).await;
        }
    }

    async fn heed(&mut self, break_off: Arc<AtomicBool>) {
        self.flag = Some(break_off);
        self.arm();
    }

    async fn sleep(&mut self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    async fn release(mut self: Box<Self>) -> Result<(), SessionError> {
        let (Some(mut client), Some(lock)) = (self.client.take(), self.lock.take()) else {
            // The lock ended with its connection.
            return Ok(());
        };
        let released = lock.held.release(&mut client, &self.place).await;
        client.close().await;
        match released {
            Ok(true) => Ok(()),
            Ok(false) => Err(SessionError::LockLost),
            Err(broken) => Err(broken.error.into()),
        }
    }
}

fn outcome(error: SessionError) -> Outcome {
    match error {
        SessionError::LockLost => Outcome::LockLost,
        SessionError::Database(error) => Outcome::NotApplied(error),
    }
}
