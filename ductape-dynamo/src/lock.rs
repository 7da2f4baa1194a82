//! The lease in the row `lock` of the state, and writes that only its holder can make.

use crate::driver_error::Failed;
use crate::item::{Item, n, number, s, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, ConditionCheck, KeySchemaElement, KeyType,
    ScalarAttributeType, TableStatus, TransactWriteItem,
};
use ductape_engine::backend::SessionError;
use ductape_engine::lease::{Decision, LeaseRow, LeaseWatch};
use ductape_engine::ledger::LOCK_KEY;
use ductape_engine::{Actor, DbError, Error, Holder, Patience};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

const REFUSED: &str = "ConditionalCheckFailedException";

/// Makes a table of Ductape's own where there is none, and waits until it can be used.
pub(crate) async fn ensure_table(
    client: &Client,
    table: &str,
    key: &str,
    key_type: ScalarAttributeType,
) -> Result<(), DbError> {
    let built = Failed::before_sending;
    for attempt in 0..600 {
        match crate::introspect::describe(client, table).await? {
            Some(shown) if shown.table_status() == Some(&TableStatus::Active) => return Ok(()),
            None if attempt % 20 == 0 => {
                let definition = AttributeDefinition::builder()
                    .attribute_name(key)
                    .attribute_type(key_type.clone())
                    .build()
                    .map_err(built)?;
                let element = KeySchemaElement::builder()
                    .attribute_name(key)
                    .key_type(KeyType::Hash)
                    .build()
                    .map_err(built)?;
                let made = client
                    .create_table()
                    .table_name(table)
                    .attribute_definitions(definition)
                    .key_schema(element)
                    .billing_mode(BillingMode::PayPerRequest)
                    .send()
                    .await;
                if let Err(error) = made {
                    let failed = Failed::from(error);
                    // Another runner makes it at the same time, or it is not known whether we did.
                    if failed.certain && !failed.is("ResourceInUseException") {
                        return Err(failed.error);
                    }
                }
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    Err(DbError::new(format!(
        "the table {table} does not become active"
    )))
}

fn row_of(item: &Item) -> LeaseRow {
    LeaseRow {
        owner: text(item, "owner"),
        host: text(item, "host").unwrap_or_default(),
        since: text(item, "since").unwrap_or_default(),
        nonce: number(item, "nonce").unwrap_or_default(),
        lease_ms: number(item, "leaseMs").unwrap_or_default(),
        fence: number(item, "fence").unwrap_or_default(),
    }
}

fn item_of(row: &LeaseRow) -> Item {
    let mut item = Item::from([
        ("key".to_owned(), s(LOCK_KEY)),
        ("host".to_owned(), s(&row.host)),
        ("since".to_owned(), s(&row.since)),
        ("nonce".to_owned(), n(row.nonce)),
        ("leaseMs".to_owned(), n(row.lease_ms)),
        ("fence".to_owned(), n(row.fence)),
    ]);
    if let Some(owner) = &row.owner {
        item.insert("owner".to_owned(), s(owner));
    }
    item
}

async fn read_row(client: &Client, table: &str) -> Result<Option<LeaseRow>, Failed> {
    let answer = client
        .get_item()
        .table_name(table)
        .key("key", s(LOCK_KEY))
        .consistent_read(true)
        .send()
        .await?;
    Ok(answer.item.as_ref().map(row_of))
}

/// Puts a row in the place of the one that was seen; says whether it was still that one.
async fn compare_and_set(
    client: &Client,
    table: &str,
    seen: Option<&LeaseRow>,
    next: &LeaseRow,
) -> Result<bool, Failed> {
    let request = client
        .put_item()
        .table_name(table)
        .set_item(Some(item_of(next)));
    let request = match seen {
        None => request
            .condition_expression("attribute_not_exists(#k)")
            .expression_attribute_names("#k", "key"),
        Some(seen) => request
            .condition_expression("#n = :seen")
            .expression_attribute_names("#n", "nonce")
            .expression_attribute_values(":seen", n(seen.nonce)),
    };
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) => {
            let failed = Failed::from(error);
            if failed.certain && !failed.is(REFUSED) {
                return Err(failed);
            }
            // It may be our own first attempt that stands in the way.
            Ok(read_row(client, table).await?.as_ref() == Some(next))
        }
    }
}

/// Who holds the lock; nobody where there is no ledger.
pub(crate) async fn holder(client: &Client, table: &str) -> Result<Option<Holder>, DbError> {
    match read_row(client, table).await {
        Ok(row) => Ok(row.and_then(|row| row.holder())),
        Err(failed) if failed.is("ResourceNotFoundException") => Ok(None),
        Err(failed) => Err(failed.error),
    }
}

/// Takes the lock away from whoever holds it, and raises the fence.
pub(crate) async fn force_release(client: &Client, table: &str) -> Result<Option<Holder>, DbError> {
    for _ in 0..10 {
        let row = match read_row(client, table).await {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(None),
            Err(failed) if failed.is("ResourceNotFoundException") => return Ok(None),
            Err(failed) => return Err(failed.error),
        };
        let mut next = row.released();
        next.fence += 1;
        if compare_and_set(client, table, Some(&row), &next).await? {
            return Ok(row.holder());
        }
    }
    Err(DbError::new("the lock changes too fast to be taken away"))
}

#[derive(Debug)]
struct Held {
    until: Instant,
    lost: bool,
}

#[derive(Debug)]
struct Inner {
    client: Client,
    table: String,
    owner: String,
    fence: u64,
    lease: Duration,
    // Whoever has this is alone in touching the lock's row: a heartbeat never meets a write.
    held: Mutex<Held>,
}

impl Inner {
    /// A sign of life; false if the lock is another one's.
    async fn renew(&self, held: &mut Held) -> Result<bool, Failed> {
        if held.lost {
            return Ok(false);
        }
        let sent = Instant::now();
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("key", s(LOCK_KEY))
            .update_expression("SET #n = #n + :one")
            .condition_expression("#o = :owner AND #f = :fence")
            .expression_attribute_names("#n", "nonce")
            .expression_attribute_names("#o", "owner")
            .expression_attribute_names("#f", "fence")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":owner", s(&self.owner))
            .expression_attribute_values(":fence", n(self.fence))
            .send()
            .await;
        match answer {
            Ok(_) => {
                held.until = sent + self.lease;
                Ok(true)
            }
            Err(error) => {
                let failed = Failed::from(error);
                if failed.is(REFUSED) {
                    held.lost = true;
                    return Ok(false);
                }
                Err(failed)
            }
        }
    }

    /// Lets go, if it is still ours.
    async fn let_go(&self) -> Result<(), Failed> {
        let mut held = self.held.lock().await;
        if std::mem::replace(&mut held.lost, true) {
            return Ok(());
        }
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("key", s(LOCK_KEY))
            .update_expression("SET #n = #n + :one REMOVE #o")
            .condition_expression("#o = :owner AND #f = :fence")
            .expression_attribute_names("#n", "nonce")
            .expression_attribute_names("#o", "owner")
            .expression_attribute_names("#f", "fence")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":owner", s(&self.owner))
            .expression_attribute_values(":fence", n(self.fence))
            .send()
            .await;
        match answer.map_err(Failed::from) {
            Err(failed) if !failed.is(REFUSED) => Err(failed),
            _ => Ok(()),
        }
    }
}

/// A lock that is held. Its heart beats in a task of its own, which lets go when this is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    inner: Arc<Inner>,
    stop: Option<oneshot::Sender<()>>,
    heart: Option<JoinHandle<Result<(), DbError>>>,
}

impl Lease {
    /// Waits for the lock and takes it.
    pub async fn acquire(
        client: &Client,
        table: &str,
        actor: &Actor,
        patience: &Patience,
    ) -> Result<Self, Error> {
        let began = Instant::now();
        let mut watch = LeaseWatch::new();
        loop {
            let seen = read_row(client, table).await.map_err(DbError::from)?;
            // After it was read.
            let now = Instant::now();
            let row = seen.clone().unwrap_or_default();
            match watch.decide(&row, now) {
                Decision::Take => {
                    let next = row.taken_by(actor, patience.lease, jiff::Timestamp::now());
                    let sent = Instant::now();
                    if compare_and_set(client, table, seen.as_ref(), &next)
                        .await
                        .map_err(DbError::from)?
                    {
                        return Ok(Self::held(client, table, &next, sent, patience.lease));
                    }
                }
                Decision::Wait(pause) => {
                    if began.elapsed() >= patience.wait {
                        return Err(Error::locked(row.holder().as_ref(), began.elapsed()));
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn held(client: &Client, table: &str, row: &LeaseRow, sent: Instant, lease: Duration) -> Self {
        let inner = Arc::new(Inner {
            client: client.clone(),
            table: table.to_owned(),
            owner: row.owner.clone().unwrap_or_default(),
            fence: row.fence,
            lease,
            held: Mutex::new(Held {
                until: sent + lease,
                lost: false,
            }),
        });
        let (stop, mut stopped) = oneshot::channel::<()>();
        let beating = inner.clone();
        let heart = tokio::spawn(async move {
            let beat = (beating.lease / 3).max(Duration::from_millis(1));
            // The end of this loop is a word from the session, or that it was dropped.
            while tokio::time::timeout(beat, &mut stopped).await.is_err() {
                let mut held = beating.held.lock().await;
                match tokio::time::timeout(beating.lease / 3, beating.renew(&mut held)).await {
                    Ok(Ok(true)) => {}
                    Ok(Ok(false)) => {
                        tracing::warn!("the lock was lost to another runner");
                        return Ok(());
                    }
                    Ok(Err(failed)) => tracing::warn!(error = %failed.error, "no sign of life"),
                    Err(_) => tracing::warn!("no sign of life in time"),
                }
            }
            beating.let_go().await.map_err(DbError::from)
        });
        Self {
            inner,
            stop: Some(stop),
            heart: Some(heart),
        }
    }

    /// Makes sure that the lock is still ours, and says for how long.
    pub async fn renew(&self) -> Result<Duration, SessionError> {
        let mut held = self.inner.held.lock().await;
        match self.inner.renew(&mut held).await {
            Ok(true) => Ok(held.until.saturating_duration_since(Instant::now())),
            Ok(false) => Err(SessionError::LockLost),
            Err(failed) => Err(SessionError::Database(failed.error)),
        }
    }

    /// Writes items, all or none, if the lock is still ours.
    pub async fn write(&self, items: Vec<TransactWriteItem>) -> Result<(), SessionError> {
        let built = |error: aws_sdk_dynamodb::error::BuildError| DbError::new(error.to_string());
        let check = ConditionCheck::builder()
            .table_name(&self.inner.table)
            .key("key", s(LOCK_KEY))
            .condition_expression("#o = :owner AND #f = :fence")
            .expression_attribute_names("#o", "owner")
            .expression_attribute_names("#f", "fence")
            .expression_attribute_values(":owner", s(&self.inner.owner))
            .expression_attribute_values(":fence", n(self.inner.fence))
            .build()
            .map_err(built)?;
        let mut all = vec![TransactWriteItem::builder().condition_check(check).build()];
        all.extend(items);
        // The same token each time: what was done already is not done again.
        let token = uuid::Uuid::new_v4().to_string();
        let mut held = self.inner.held.lock().await;
        let mut last = DbError::new("the ledger was not written");
        for attempt in 0..10_u32 {
            let answer = self
                .inner
                .client
                .transact_write_items()
                .set_transact_items(Some(all.clone()))
                .client_request_token(&token)
                .send()
                .await;
            let Err(error) = answer else {
                return Ok(());
            };
            let again = match cancellation(&error) {
                Some(codes) => {
                    if codes.first().map(String::as_str) == Some("ConditionalCheckFailed") {
                        held.lost = true;
                        return Err(SessionError::LockLost);
                    }
                    codes.iter().any(|code| {
                        matches!(
                            code.as_str(),
                            "TransactionConflict"
                                | "ThrottlingError"
                                | "ProvisionedThroughputExceeded"
                        )
                    })
                }
                None => false,
            };
            let failed = Failed::from(error);
            let again = again || !failed.certain || failed.is("TransactionInProgressException");
            last = failed.error;
            if !again {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20 << attempt.min(5))).await;
        }
        Err(SessionError::Database(last))
    }

    /// Lets go, and waits for it.
    pub async fn release(mut self) -> Result<(), SessionError> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        match self.heart.take() {
            Some(heart) => match heart.await {
                Ok(done) => Ok(done?),
                Err(error) => Err(DbError::new(error.to_string()).into()),
            },
            None => Ok(()),
        }
    }
}

/// Why a transaction was not done: a code for each of its items.
fn cancellation<R>(error: &SdkError<TransactWriteItemsError, R>) -> Option<Vec<String>> {
    match error.as_service_error()? {
        TransactWriteItemsError::TransactionCanceledException(canceled) => Some(
            canceled
                .cancellation_reasons()
                .iter()
                .map(|reason| reason.code().unwrap_or_default().to_owned())
                .collect(),
        ),
        _ => None,
    }
}
