//! Backends with faults: one that kills its own process at the nth call, as `kill -9` would, and one
//! whose statements end without an answer.

use async_trait::async_trait;
use ductape_core::compiler::{Atomicity, DataJob, Guard};
use ductape_core::{Compiler, Schema, Step};
use ductape_engine::backend::{
    Advance, Backend, GuardAnswer, Outcome, Reader, Scope, Session, SessionError, Standing, Unit,
    UnitFailure,
};
use ductape_engine::ledger::{Entry, EntryQuery, EntrySummary, Head, LogLine, Put};
use ductape_engine::{Actor, DbError, Error, Holder, Patience};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Counts down, and kills the process when nothing is left.
#[derive(Debug, Clone)]
pub struct Fuse(Arc<AtomicUsize>);

impl Fuse {
    /// A fuse that burns for so many moments; never if `usize::MAX`.
    pub fn new(moments: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(moments)))
    }

    /// How many moments are left.
    pub fn left(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn burn(&self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            let me = rustix::process::getpid();
            let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
            // The signal is on its way; nothing more may happen until it arrives.
            loop {
                std::thread::park();
            }
        }
    }
}

/// A backend with a fuse that burns before and after everything that a session does.
pub struct Killing {
    /// The backend itself.
    pub backend: Arc<dyn Backend>,
    /// Its fuse.
    pub fuse: Fuse,
    /// Whether it burns between the statements of a unit, too. Only for a database whose session keeps
    /// one transaction open from unit to unit: there, units of one statement each are the same to the
    /// file as the unit itself.
    pub split: bool,
}

struct KillingSession {
    session: Box<dyn Session>,
    fuse: Fuse,
    split: bool,
}

/// A unit as units of one statement or one ledger write each, all of them in the setting of the first,
/// so that they stay in one transaction.
fn pieces(unit: &Unit) -> Vec<Unit> {
    let setting = unit.setting().cloned();
    let steps = unit.steps.iter().map(|step| {
        let mut step = step.clone();
        step.atomicity = Atomicity::Joins {
            setting: setting.clone(),
        };
        Unit {
            steps: vec![step],
            puts: Vec::new(),
        }
    });
    let puts = unit.puts.iter().map(|put| Unit {
        steps: Vec::new(),
        puts: vec![put.clone()],
    });
    steps.chain(puts).collect()
}

#[async_trait]
impl Backend for Killing {
    fn compiler(&self) -> &dyn Compiler {
        self.backend.compiler()
    }

    async fn head(&self) -> Result<Option<Head>, Error> {
        self.backend.head().await
    }

    async fn read(&self) -> Result<Box<dyn Reader>, Error> {
        self.backend.read().await
    }

    async fn lock(&self, actor: &Actor, patience: &Patience) -> Result<Box<dyn Session>, Error> {
        self.fuse.burn();
        let session = self.backend.lock(actor, patience).await?;
        self.fuse.burn();
        Ok(Box::new(KillingSession {
            session,
            fuse: self.fuse.clone(),
            split: self.split,
        }))
    }

    async fn force_release(&self) -> Result<Option<Holder>, Error> {
        self.backend.force_release().await
    }
}

/// Looking goes through to the session inside.
macro_rules! looks_through {
    ($session:ty) => {
        #[async_trait]
        impl Reader for $session {
            async fn introspect(&mut self, scope: &Scope) -> Result<Schema, DbError> {
                self.session.introspect(scope).await
            }

            async fn catalog_mark(&mut self) -> Result<Option<String>, DbError> {
                self.session.catalog_mark().await
            }

            async fn entries(&mut self, query: &EntryQuery) -> Result<Vec<Entry>, Error> {
                self.session.entries(query).await
            }

            async fn summaries(&mut self) -> Result<Vec<EntrySummary>, Error> {
                self.session.summaries().await
            }

            async fn state(&mut self, prefix: &str) -> Result<Vec<(String, String)>, DbError> {
                self.session.state(prefix).await
            }

            async fn state_of(
                &mut self,
                keys: &[String],
            ) -> Result<Vec<(String, String)>, DbError> {
                self.session.state_of(keys).await
            }

            async fn log(&mut self) -> Result<Vec<LogLine>, DbError> {
                self.session.log().await
            }

            async fn holder(&mut self) -> Result<Option<Holder>, DbError> {
                self.session.holder().await
            }

            async fn standing(&mut self, step: &Step) -> Result<Standing, DbError> {
                self.session.standing(step).await
            }

            async fn check(&mut self, guard: &Guard) -> Result<GuardAnswer, DbError> {
                self.session.check(guard).await
            }
        }
    };
}

looks_through!(KillingSession);
looks_through!(DoubtfulSession);

#[async_trait]
impl Session for KillingSession {
    async fn transact(&mut self, units: &[Unit]) -> (usize, Option<UnitFailure>) {
        for (done, unit) in units.iter().enumerate() {
            self.fuse.burn();
            if self.split {
                for piece in pieces(unit) {
                    let (_, failure) = self.session.transact(&[piece]).await;
                    assert!(failure.is_none(), "the cases do not fail: {failure:?}");
                    self.fuse.burn();
                }
                continue;
            }
            if let (_, Some(failure)) = self.session.transact(std::slice::from_ref(unit)).await {
                return (done, Some(failure));
            }
            self.fuse.burn();
        }
        (units.len(), None)
    }

    async fn flush(&mut self) -> Result<(), SessionError> {
        self.fuse.burn();
        let result = self.session.flush().await;
        self.fuse.burn();
        result
    }

    fn is_waiting(&self) -> bool {
        self.session.is_waiting()
    }

    async fn run(&mut self, step: &Step) -> Outcome {
        self.fuse.burn();
        let result = self.session.run(step).await;
        self.fuse.burn();
        result
    }

    async fn record(&mut self, puts: &[Put]) -> Result<(), SessionError> {
        self.fuse.burn();
        let result = self.session.record(puts).await;
        self.fuse.burn();
        result
    }

    async fn advance(
        &mut self,
        seq: i64,
        job: &DataJob,
        cursor: Option<&str>,
    ) -> Result<Advance, SessionError> {
        self.fuse.burn();
        let result = self.session.advance(seq, job, cursor).await;
        self.fuse.burn();
        result
    }

    fn poll_interval(&self) -> Duration {
        self.session.poll_interval()
    }

    async fn sleep(&mut self, duration: Duration) {
        self.session.sleep(duration).await;
    }

    async fn release(self: Box<Self>) -> Result<(), SessionError> {
        self.fuse.burn();
        let result = self.session.release().await;
        self.fuse.burn();
        result
    }
}

/// A backend that gives no answer to statements that stand alone, as if the connection were lost: they
/// ran, or they did not.
pub struct Doubtful {
    /// The backend itself.
    pub backend: Arc<dyn Backend>,
    /// Whether the statements run all the same.
    pub ran: bool,
}

struct DoubtfulSession {
    session: Box<dyn Session>,
    ran: bool,
}

#[async_trait]
impl Backend for Doubtful {
    fn compiler(&self) -> &dyn Compiler {
        self.backend.compiler()
    }

    async fn head(&self) -> Result<Option<Head>, Error> {
        self.backend.head().await
    }

    async fn read(&self) -> Result<Box<dyn Reader>, Error> {
        self.backend.read().await
    }

    async fn lock(&self, actor: &Actor, patience: &Patience) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(DoubtfulSession {
            session: self.backend.lock(actor, patience).await?,
            ran: self.ran,
        }))
    }

    async fn force_release(&self) -> Result<Option<Holder>, Error> {
        self.backend.force_release().await
    }
}

#[async_trait]
impl Session for DoubtfulSession {
    async fn transact(&mut self, units: &[Unit]) -> (usize, Option<UnitFailure>) {
        self.session.transact(units).await
    }

    async fn flush(&mut self) -> Result<(), SessionError> {
        self.session.flush().await
    }

    fn is_waiting(&self) -> bool {
        self.session.is_waiting()
    }

    async fn run(&mut self, step: &Step) -> Outcome {
        if self.ran
            && let outcome @ (Outcome::NotApplied(_) | Outcome::LockLost) =
                self.session.run(step).await
        {
            return outcome;
        }
        Outcome::Unknown(DbError::connection("the connection was lost"))
    }

    async fn record(&mut self, puts: &[Put]) -> Result<(), SessionError> {
        self.session.record(puts).await
    }

    async fn advance(
        &mut self,
        seq: i64,
        job: &DataJob,
        cursor: Option<&str>,
    ) -> Result<Advance, SessionError> {
        self.session.advance(seq, job, cursor).await
    }

    async fn sleep(&mut self, duration: Duration) {
        self.session.sleep(duration).await;
    }

    async fn release(self: Box<Self>) -> Result<(), SessionError> {
        self.session.release().await
    }
}
