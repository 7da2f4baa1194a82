//! The connection: the backend, its reader, and its session.

use crate::compiler::DynamoDb;
use crate::driver_error::Failed;
use crate::introspect;
use crate::item::{Item, from_json, key_from_json, key_to_json};
use crate::ledger::{self, Subject, Tables, subject};
use crate::lock::{self, Lease, ensure_table};
use crate::request;
use async_trait::async_trait;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ScalarAttributeType};
use ductape_core::compiler::{Action, DataJob, Guard};
use ductape_core::{Compiler, Schema, Statement, Step};
use ductape_engine::backend::{
    Advance, Backend, GuardAnswer, Outcome, Reader, Scope, Session, SessionError, Standing, Unit,
    UnitFailure,
};
use ductape_engine::ledger::{Entry, EntryQuery, EntrySummary, Head, LogLine, Put};
use ductape_engine::{Actor, DbError, Error, ErrorKind, Holder, Patience};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How many items one batch of data work looks at.
const PAGE: i32 = 100;
/// How many items are written at once.
const AT_ONCE: usize = 16;
/// How many writes a transaction takes beside the check of the lock.
const WRITES: usize = 99;

/// A DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoBackend {
    compiler: DynamoDb,
    client: Client,
    tables: Tables,
}

impl DynamoBackend {
    /// A DynamoDB by its URL: `dynamodb://eu-west-1/prefix_`, or with a port an endpoint:
    /// `dynamodb://localhost:8000/prefix_?region=us-east-1`. Credentials come from where the AWS tools
    /// look for them. Nothing is asked of the database yet.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the URL is none of these.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let address = Address::parse(url)?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(10))
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
        if let Some(region) = address.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(endpoint) = address.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        let config = loader.load().await;
        Ok(Self {
            client: Client::new(&config),
            tables: Tables::new(&address.prefix),
            compiler: DynamoDb::new(address.prefix),
        })
    }

    fn reader(&self) -> DynamoReader {
        DynamoReader {
            compiler: self.compiler.clone(),
            client: self.client.clone(),
            tables: self.tables.clone(),
        }
    }
}

/// What a URL says.
#[derive(Debug, PartialEq)]
struct Address {
    region: Option<String>,
    endpoint: Option<String>,
    prefix: String,
}

impl Address {
    fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::of(ErrorKind::Usage, format!("{url:?} is no address of DynamoDB: {why}")).hint(
                "write dynamodb://eu-west-1/prefix_ or dynamodb://localhost:8000/prefix_?region=us-east-1",
            )
        };
        let rest = url
            .strip_prefix("dynamodb://")
            .ok_or_else(|| wrong("it does not begin with dynamodb://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let mut region = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("region", value)) if !value.is_empty() => region = Some(value.to_owned()),
                _ => return Err(wrong("the only parameter is region")),
            }
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !prefix.bytes().all(fits) {
            return Err(wrong("a prefix is made of a-z, A-Z, 0-9, _, - and ."));
        }
        if host.is_empty() {
            return Err(wrong("a region or an endpoint is missing"));
        }
        let endpoint = match host.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => Some(format!("http://{host}")),
            Some(_) => return Err(wrong("its port is no number")),
            None if region.is_some() => return Err(wrong("it has two regions")),
            None => {
                region = Some(host.to_owned());
                None
            }
        };
        Ok(Self {
            region,
            endpoint,
            prefix: prefix.to_owned(),
        })
    }
}

#[async_trait]
impl Backend for DynamoBackend {
    fn compiler(&self) -> &dyn Compiler {
        &self.compiler
    }

    async fn head(&self) -> Result<Option<Head>, Error> {
        ledger::head(&self.client, &self.tables).await
    }

    async fn read(&self) -> Result<Box<dyn Reader>, Error> {
        Ok(Box::new(self.reader()))
    }

    async fn lock(&self, actor: &Actor, patience: &Patience) -> Result<Box<dyn Session>, Error> {
        let (client, tables) = (&self.client, &self.tables);
        // First the lock and its table, then the ledger.
        ensure_table(client, &tables.state, "key", ScalarAttributeType::S).await?;
        let lease = Lease::acquire(client, &tables.state, actor, patience).await?;
        ensure_table(client, &tables.migrations, "seq", ScalarAttributeType::N).await?;
        ensure_table(client, &tables.log, "id", ScalarAttributeType::S).await?;
        Ok(Box::new(DynamoSession {
            reader: self.reader(),
            lease,
        }))
    }

    async fn force_release(&self) -> Result<Option<Holder>, Error> {
        Ok(lock::force_release(&self.client, &self.tables.state).await?)
    }
}

struct DynamoReader {
    compiler: DynamoDb,
    client: Client,
    tables: Tables,
}

#[async_trait]
impl Reader for DynamoReader {
    async fn introspect(&mut self, scope: &Scope) -> Result<Schema, DbError> {
        introspect::introspect(&self.client, &self.compiler, scope).await
    }

    async fn catalog_mark(&mut self) -> Result<Option<String>, DbError> {
        Ok(None)
    }

    async fn entries(&mut self, query: &EntryQuery) -> Result<Vec<Entry>, Error> {
        ledger::entries(&self.client, &self.tables, query).await
    }

    async fn summaries(&mut self) -> Result<Vec<EntrySummary>, Error> {
        let entries = self.entries(&EntryQuery::All).await?;
        Ok(entries.iter().map(Entry::summary).collect())
    }

    async fn state(&mut self, prefix: &str) -> Result<Vec<(String, String)>, DbError> {
        ledger::state(&self.client, &self.tables, |key| key.starts_with(prefix)).await
    }

    async fn state_of(&mut self, keys: &[String]) -> Result<Vec<(String, String)>, DbError> {
        ledger::state_of(&self.client, &self.tables, keys).await
    }

    async fn log(&mut self) -> Result<Vec<LogLine>, DbError> {
        ledger::log(&self.client, &self.tables).await
    }

    async fn holder(&mut self) -> Result<Option<Holder>, DbError> {
        lock::holder(&self.client, &self.tables.state).await
    }

    async fn standing(&mut self, step: &Step) -> Result<Standing, DbError> {
        introspect::standing(&self.client, &self.compiler, step).await
    }

    async fn check(&mut self, guard: &Guard) -> Result<GuardAnswer, DbError> {
        // The compiler makes none.
        Err(DbError::new(format!(
            "this backend counts no rows of {}",
            guard.collection
        )))
    }
}

struct DynamoSession {
    reader: DynamoReader,
    lease: Lease,
}

#[async_trait]
impl Reader for DynamoSession {
    async fn introspect(&mut self, scope: &Scope) -> Result<Schema, DbError> {
        self.reader.introspect(scope).await
    }

    async fn catalog_mark(&mut self) -> Result<Option<String>, DbError> {
        self.reader.catalog_mark().await
    }

    async fn entries(&mut self, query: &EntryQuery) -> Result<Vec<Entry>, Error> {
        self.reader.entries(query).await
    }

    async fn summaries(&mut self) -> Result<Vec<EntrySummary>, Error> {
        self.reader.summaries().await
    }

    async fn state(&mut self, prefix: &str) -> Result<Vec<(String, String)>, DbError> {
        self.reader.state(prefix).await
    }

    async fn state_of(&mut self, keys: &[String]) -> Result<Vec<(String, String)>, DbError> {
        self.reader.state_of(keys).await
    }

    async fn log(&mut self) -> Result<Vec<LogLine>, DbError> {
        self.reader.log().await
    }

    async fn holder(&mut self) -> Result<Option<Holder>, DbError> {
        self.reader.holder().await
    }

    async fn standing(&mut self, step: &Step) -> Result<Standing, DbError> {
        self.reader.standing(step).await
    }

    async fn check(&mut self, guard: &Guard) -> Result<GuardAnswer, DbError> {
        self.reader.check(guard).await
    }
}

impl DynamoSession {
    /// Makes a request while the lock is surely ours.
    async fn send(&self, action: &str, input: &Value) -> Outcome {
        let left = match self.lease.renew().await {
            Ok(left) => left,
            Err(SessionError::LockLost) => return Outcome::LockLost,
            Err(SessionError::Database(error)) => return Outcome::NotApplied(error),
        };
        let send = request::send(&self.reader.client, action, input);
        match tokio::time::timeout(left, send).await {
            Ok(Ok(())) => Outcome::Applied,
            Ok(Err(failed)) if failed.certain => Outcome::NotApplied(failed.error),
            Ok(Err(failed)) => Outcome::Unknown(failed.error),
            Err(_) => Outcome::Unknown(DbError::connection("no answer in time")),
        }
    }
}

/// Whether a request was refused only because the table is at something else.
fn is_busy(error: &DbError) -> bool {
    matches!(
        error.code.as_deref(),
        Some("ResourceInUseException" | "LimitExceededException" | "ThrottlingException")
    )
}

#[async_trait]
impl Session for DynamoSession {
    async fn transact(&mut self, units: &[Unit]) -> (usize, Option<UnitFailure>) {
        for (done, unit) in units.iter().enumerate() {
            if !unit.steps.is_empty() {
                let error =
                    DbError::new("no step shares a transaction with the ledger on DynamoDB");
                return (
                    done,
                    Some(UnitFailure::Database {
                        step: Some(0),
                        error,
                    }),
                );
            }
            match self.record(&unit.puts).await {
                Ok(()) => {}
                Err(SessionError::LockLost) => return (done, Some(UnitFailure::LockLost)),
                Err(SessionError::Database(error)) => {
                    let failure = match error.connection {
                        true => UnitFailure::Unknown(error),
                        false => UnitFailure::Database { step: None, error },
                    };
                    return (done, Some(failure));
                }
            }
        }
        (units.len(), None)
    }

    async fn flush(&mut self) -> Result<(), SessionError> {
        Ok(())
    }

    async fn run(&mut self, step: &Step) -> Outcome {
        let Action::Statement(Statement::Call { action, input }) = &step.action else {
            return Outcome::NotApplied(DbError::new("this is no request of DynamoDB"));
        };
        let busy_until = Instant::now() + Duration::from_secs(60);
        loop {
            let outcome = self.send(action, input).await;
            match outcome {
                Outcome::Applied => break,
                Outcome::NotApplied(error) if is_busy(&error) => {
                    match self.standing(step).await {
                        // An attempt of ours got through before, and its answer was lost.
                        Ok(Standing::After) => return Outcome::Applied,
                        Ok(Standing::Before | Standing::InProgress)
                            if Instant::now() < busy_until => {}
                        Ok(_) => return Outcome::NotApplied(error),
                        Err(unseen) => return Outcome::Unknown(unseen),
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                other => return other,
            }
        }
        // What was just done may not be shown at once.
        for _ in 0..20 {
            match self.standing(step).await {
                Ok(Standing::Before) => tokio::time::sleep(Duration::from_millis(100)).await,
                _ => break,
            }
        }
        Outcome::Applied
    }

    /// In one transaction, unless there are too many writes, or two are about one thing: then what
    /// tells that a migration is done goes last.
    async fn record(&mut self, puts: &[Put]) -> Result<(), SessionError> {
        let order = jiff::Timestamp::now().as_nanosecond().unsigned_abs();
        let mut puts: Vec<&Put> = puts.iter().collect();
        if puts.len() > WRITES {
            puts.sort_by_key(|put| !matches!(put, Put::State { .. }));
        }
        let mut subjects: Vec<Subject> = Vec::new();
        let mut items = Vec::new();
        for (at, put) in puts.into_iter().enumerate() {
            let about = subject(put);
            if items.len() == WRITES || (about != Subject::Log && subjects.contains(&about)) {
                self.lease.write(std::mem::take(&mut items)).await?;
                subjects.clear();
            }
            let item = ledger::write(&self.reader.tables, put, order + at as u128)
                .map_err(|error| DbError::new(error.to_string()))?;
            items.push(item);
            subjects.push(about);
        }
        if items.is_empty() {
            return Ok(());
        }
        self.lease.write(items).await
    }

    async fn advance(
        &mut self,
        seq: i64,
        job: &DataJob,
        cursor: Option<&str>,
    ) -> Result<Advance, SessionError> {
        let work = Work::read(job)?;
        let start = match cursor {
            Some(cursor) => Some(
                key_from_json(cursor).ok_or_else(|| DbError::new("the cursor cannot be read"))?,
            ),
            None => None,
        };
        self.lease.renew().await?;
        let page = work.page(&self.reader.client, start).await?;
        let mut rows = 0;
        let mut waiting: JoinSet<Result<bool, Failed>> = JoinSet::new();
        for key in page.0 {
            if waiting.len() >= AT_ONCE {
                rows += joined(&mut waiting).await?;
            }
            let (work, client) = (work.clone(), self.reader.client.clone());
            waiting.spawn(async move { work.item(&client, key).await });
        }
        while !waiting.is_empty() {
            rows += joined(&mut waiting).await?;
        }
        let Some(next) = page.1 else {
            return Ok(Advance::Done { rows });
        };
        let cursor = key_to_json(&next).to_string();
        let mut progress = ledger::progress(&self.reader.client, &self.reader.tables, seq).await?;
        progress.cursor = Some(cursor.clone());
        let write = ledger::progress_write(&self.reader.tables, seq, &progress)
            .map_err(|error| DbError::new(error.to_string()))?;
        self.lease.write(vec![write]).await?;
        Ok(Advance::More { cursor, rows })
    }

    async fn sleep(&mut self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    async fn release(self: Box<Self>) -> Result<(), SessionError> {
        self.lease.release().await
    }
}

/// Waits for one of the items that are being written.
async fn joined(waiting: &mut JoinSet<Result<bool, Failed>>) -> Result<u64, DbError> {
    match waiting.join_next().await {
        Some(Ok(changed)) => Ok(u64::from(changed?)),
        Some(Err(error)) => Err(DbError::new(error.to_string())),
        None => Ok(0),
    }
}

/// Data work: a field that all items get, or lose.
#[derive(Debug, Clone)]
struct Work {
    table: String,
    key: Vec<String>,
    field: String,
    value: Option<AttributeValue>,
}

impl Work {
    fn read(job: &DataJob) -> Result<Self, DbError> {
        let text = |name: &str| job.work.get(name)?.as_str().map(str::to_owned);
        let read = || {
            Some(Self {
                table: text("table")?,
                key: job
                    .work
                    .get("key")?
                    .as_array()?
                    .iter()
                    .map(|name| name.as_str().map(str::to_owned))
                    .collect::<Option<_>>()?,
                field: text("field")?,
                value: match job.work.get("value") {
                    Some(value) => Some(from_json(value)?),
                    None => None,
                },
            })
        };
        read().ok_or_else(|| DbError::new("this is no data work of DynamoDB"))
    }

    /// The keys of the next items that are left to do, and where to go on.
    async fn page(
        &self,
        client: &Client,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), DbError> {
        let filter = match self.value {
            Some(_) => "attribute_not_exists(#f)",
            None => "attribute_exists(#f)",
        };
        let mut request = client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .limit(PAGE)
            .set_exclusive_start_key(start)
            .filter_expression(filter)
            .expression_attribute_names("#f", &self.field);
        let mut projected = Vec::new();
        for (at, name) in self.key.iter().enumerate() {
            request = request.expression_attribute_names(format!("#k{at}"), name);
            projected.push(format!("#k{at}"));
        }
        let answer = request
            .projection_expression(projected.join(", "))
            .send()
            .await
            .map_err(Failed::from)?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }

    /// Does one item, unless it is gone or done; says whether it was changed.
    async fn item(&self, client: &Client, key: Item) -> Result<bool, Failed> {
        let partition = self.key.first().map_or("", String::as_str);
        let request = client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .expression_attribute_names("#pk", partition)
            .expression_attribute_names("#f", &self.field);
        let request = match &self.value {
            Some(value) => request
                .update_expression("SET #f = :value")
                .condition_expression("attribute_exists(#pk) AND attribute_not_exists(#f)")
                .expression_attribute_values(":value", value.clone()),
            None => request
                .update_expression("REMOVE #f")
                .condition_expression("attribute_exists(#pk) AND attribute_exists(#f)"),
        };
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let failed = Failed::from(error);
                if failed.is("ConditionalCheckFailedException") {
                    return Ok(false);
                }
                Err(failed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_address_is_a_region_or_an_endpoint() {
        let address = Address::parse("dynamodb://eu-west-1/prod_").unwrap();
        assert_eq!(address.region.as_deref(), Some("eu-west-1"));
        assert_eq!((address.endpoint, address.prefix.as_str()), (None, "prod_"));
        let address = Address::parse("dynamodb://127.0.0.1:8000/?region=us-east-1").unwrap();
        assert_eq!(address.endpoint.as_deref(), Some("http://127.0.0.1:8000"));
        assert_eq!(address.region.as_deref(), Some("us-east-1"));
        assert!(Address::parse("dynamodb:///x").is_err());
        assert!(Address::parse("dynamodb://h:x/").is_err());
        assert!(Address::parse("dynamodb://h:1/a b").is_err());
    }
}
