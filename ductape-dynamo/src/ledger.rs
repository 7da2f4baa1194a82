//! The ledger: three tables.

use crate::driver_error::Failed;
use crate::item::{Item, n, number, s, text};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{Delete, Put as PutItem, TransactWriteItem, Update};
use ductape_core::Checksum;
use ductape_engine::ledger::{
    Entry, EntryQuery, EntryStatus, HEAD_KEY, Head, LOCK_KEY, LogLine, Progress, Put,
};
use ductape_engine::{DbError, Error, ErrorKind};

/// The names of the ledger's tables.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    /// One entry a migration; the key is `seq`.
    pub migrations: String,
    /// The log; the key is `id`.
    pub log: String,
    /// Key and value, and the lock; the key is `key`.
    pub state: String,
}

impl Tables {
    /// Those of a prefix.
    pub fn new(prefix: &str) -> Self {
        Self {
            migrations: format!("{prefix}ductape_migrations"),
            log: format!("{prefix}ductape_log"),
            state: format!("{prefix}ductape_state"),
        }
    }
}

/// Every item of a table; none where there is no table.
async fn scan(client: &Client, table: &str) -> Result<Vec<Item>, DbError> {
    let mut pages = client
        .scan()
        .table_name(table)
        .consistent_read(true)
        .into_paginator()
        .send();
    let mut items = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => items.extend(page.items.unwrap_or_default()),
            Err(error) => {
                let failed = Failed::from(error);
                if failed.is("ResourceNotFoundException") {
                    return Ok(Vec::new());
                }
                return Err(failed.error);
            }
        }
    }
    Ok(items)
}

/// One item; none where there is no table.
async fn get(
    client: &Client,
    table: &str,
    key: &str,
    value: aws_sdk_dynamodb::types::AttributeValue,
) -> Result<Option<Item>, DbError> {
    let answer = client
        .get_item()
        .table_name(table)
        .key(key, value)
        .consistent_read(true)
        .send()
        .await;
    match answer.map_err(Failed::from) {
        Ok(answer) => Ok(answer.item),
        Err(failed) if failed.is("ResourceNotFoundException") => Ok(None),
        Err(failed) => Err(failed.error),
    }
}

/// The head.
pub(crate) async fn head(client: &Client, tables: &Tables) -> Result<Option<Head>, Error> {
    let item = get(client, &tables.state, "key", s(HEAD_KEY)).await?;
    let Some(value) = item.and_then(|item| text(&item, "value")) else {
        return Ok(None);
    };
    serde_json::from_str(&value).map(Some).map_err(|error| {
        Error::of(
            ErrorKind::Mismatch,
            format!("the ledger's head cannot be read: {error}"),
        )
        .hint("the row was changed by hand or is damaged; restore it from a backup")
    })
}

fn entry_item(entry: &Entry) -> Item {
    let mut item = Item::from([
        ("seq".to_owned(), n(entry.seq)),
        ("tag".to_owned(), s(entry.tag.as_str())),
        ("name".to_owned(), s(&entry.name)),
        ("checksum".to_owned(), s(entry.checksum.as_str())),
        ("status".to_owned(), s(entry.status.word())),
        ("migration".to_owned(), s(&entry.migration)),
        ("down".to_owned(), s(&entry.down)),
        ("progress".to_owned(), s(progress_text(&entry.progress))),
        ("steps_done".to_owned(), n(entry.steps_done)),
        ("steps_total".to_owned(), n(entry.steps_total)),
        ("applied_at".to_owned(), s(&entry.applied_at)),
        ("duration_ms".to_owned(), n(entry.duration_ms)),
        ("applied_by".to_owned(), s(&entry.applied_by)),
        ("tool_version".to_owned(), s(&entry.tool_version)),
    ]);
    for (name, value) in [("description", &entry.description), ("plan", &entry.plan)] {
        if let Some(value) = value {
            item.insert(name.to_owned(), s(value));
        }
    }
    item
}

fn progress_text(progress: &Progress) -> String {
    serde_json::to_string(progress).unwrap_or_default()
}

fn read_entry(item: &Item) -> Result<Entry, Error> {
    let read = || {
        Some(Entry {
            seq: number(item, "seq")?,
            tag: text(item, "tag")?.parse().ok()?,
            name: text(item, "name")?,
            description: text(item, "description"),
            checksum: Checksum::from_text(text(item, "checksum")?)?,
            status: EntryStatus::from_word(&text(item, "status")?)?,
            migration: text(item, "migration")?,
            down: text(item, "down")?,
            plan: text(item, "plan"),
            progress: serde_json::from_str(&text(item, "progress")?).ok()?,
            steps_done: number(item, "steps_done")?,
            steps_total: number(item, "steps_total")?,
            applied_at: text(item, "applied_at")?,
            duration_ms: number(item, "duration_ms")?,
            applied_by: text(item, "applied_by")?,
            tool_version: text(item, "tool_version")?,
        })
    };
    read().ok_or_else(|| {
        let which = text(item, "tag").unwrap_or_else(|| "a migration".to_owned());
        Error::of(
            ErrorKind::Mismatch,
            format!("the ledger's entry of {which} cannot be read"),
        )
        .hint("the row was changed by hand or is damaged; restore it from a backup, or use `ductape repair`")
    })
}

/// Entries, in the order of application.
pub(crate) async fn entries(
    client: &Client,
    tables: &Tables,
    query: &EntryQuery,
) -> Result<Vec<Entry>, Error> {
    let items = scan(client, &tables.migrations).await?;
    let mut entries = items
        .iter()
        .map(read_entry)
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| entry.seq);
    match query {
        EntryQuery::All => {}
        EntryQuery::Tags(tags) => entries.retain(|entry| tags.contains(&entry.tag)),
        EntryQuery::Last(count) => {
            entries.drain(..entries.len().saturating_sub(*count));
        }
        EntryQuery::Unfinished => entries.retain(|entry| entry.status != EntryStatus::Applied),
        EntryQuery::After(seq) => entries.retain(|entry| entry.seq > *seq),
    }
    Ok(entries)
}

/// How far the run of an entry came.
pub(crate) async fn progress(
    client: &Client,
    tables: &Tables,
    seq: i64,
) -> Result<Progress, DbError> {
    let item = get(client, &tables.migrations, "seq", n(seq)).await?;
    let text = item
        .and_then(|item| text(&item, "progress"))
        .ok_or_else(|| DbError::new(format!("the ledger's entry {seq} is gone")))?;
    serde_json::from_str(&text).map_err(|error| {
        DbError::new(format!(
            "the progress of entry {seq} cannot be read: {error}"
        ))
    })
}

/// Rows of the state for which something holds, sorted by key.
pub(crate) async fn state(
    client: &Client,
    tables: &Tables,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<(String, String)>, DbError> {
    let mut rows: Vec<(String, String)> = scan(client, &tables.state)
        .await?
        .iter()
        .filter_map(|item| Some((text(item, "key")?, text(item, "value")?)))
        .filter(|(key, _)| key != LOCK_KEY && wanted(key))
        .collect();
    rows.sort();
    Ok(rows)
}

/// The rows of the state with these keys.
pub(crate) async fn state_of(
    client: &Client,
    tables: &Tables,
    keys: &[String],
) -> Result<Vec<(String, String)>, DbError> {
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let item = get(client, &tables.state, "key", s(key)).await?;
        rows.extend(
            item.and_then(|item| text(&item, "value"))
                .map(|value| (key.clone(), value)),
        );
    }
    Ok(rows)
}

/// The log, oldest first.
pub(crate) async fn log(client: &Client, tables: &Tables) -> Result<Vec<LogLine>, DbError> {
    let mut items = scan(client, &tables.log).await?;
    items.sort_by_key(|item| (number::<u128>(item, "order"), text(item, "id")));
    Ok(items
        .iter()
        .filter_map(|item| {
            Some(LogLine {
                at: text(item, "at")?,
                action: text(item, "action")?,
                tag: text(item, "tag")?,
                actor: text(item, "actor")?,
                host: text(item, "host")?,
                duration_ms: number(item, "duration_ms")?,
                detail: text(item, "detail"),
            })
        })
        .collect())
}

/// What a write is about: a transaction may write an item once.
#[derive(PartialEq)]
pub(crate) enum Subject {
    Entry(i64),
    State(String),
    Log,
}

/// What a write is about.
pub(crate) fn subject(put: &Put) -> Subject {
    match put {
        Put::Insert(entry) | Put::Update(entry) => Subject::Entry(entry.seq),
        Put::Progress { seq, .. } | Put::Delete { seq } => Subject::Entry(*seq),
        Put::Log(_) => Subject::Log,
        Put::State { key, .. } => Subject::State(key.clone()),
    }
}

fn put_item(item: PutItem) -> TransactWriteItem {
    TransactWriteItem::builder().put(item).build()
}

fn remove(delete: Delete) -> TransactWriteItem {
    TransactWriteItem::builder().delete(delete).build()
}

/// A write that records a progress, and nothing else.
pub(crate) fn progress_write(
    tables: &Tables,
    seq: i64,
    progress: &Progress,
) -> Result<TransactWriteItem, BuildError> {
    Ok(TransactWriteItem::builder()
        .update(
            Update::builder()
                .table_name(&tables.migrations)
                .key("seq", n(seq))
                .update_expression("SET #p = :p")
                .condition_expression("attribute_exists(#k)")
                .expression_attribute_names("#k", "seq")
                .expression_attribute_names("#p", "progress")
                .expression_attribute_values(":p", s(progress_text(progress)))
                .build()?,
        )
        .build())
}

/// A write to the ledger, for a transaction. `order` puts the lines of the log in their order.
pub(crate) fn write(
    tables: &Tables,
    put: &Put,
    order: u128,
) -> Result<TransactWriteItem, BuildError> {
    Ok(match put {
        Put::Insert(entry) => put_item(
            PutItem::builder()
                .table_name(&tables.migrations)
                .set_item(Some(entry_item(entry)))
                .condition_expression("attribute_not_exists(#k)")
                .expression_attribute_names("#k", "seq")
                .build()?,
        ),
        Put::Update(entry) => put_item(
            PutItem::builder()
                .table_name(&tables.migrations)
                .set_item(Some(entry_item(entry)))
                .build()?,
        ),
        Put::Progress {
            seq,
            status,
            steps_done,
            progress,
        } => TransactWriteItem::builder()
            .update(
                Update::builder()
                    .table_name(&tables.migrations)
                    .key("seq", n(seq))
                    .update_expression("SET #s = :s, #d = :d, #p = :p")
                    .condition_expression("attribute_exists(#k)")
                    .expression_attribute_names("#k", "seq")
                    .expression_attribute_names("#s", "status")
                    .expression_attribute_names("#d", "steps_done")
                    .expression_attribute_names("#p", "progress")
                    .expression_attribute_values(":s", s(status.word()))
                    .expression_attribute_values(":d", n(steps_done))
                    .expression_attribute_values(":p", s(progress_text(progress)))
                    .build()?,
            )
            .build(),
        Put::Delete { seq } => remove(
            Delete::builder()
                .table_name(&tables.migrations)
                .key("seq", n(seq))
                .build()?,
        ),
        Put::Log(line) => {
            let mut item = Item::from([
                ("id".to_owned(), s(uuid::Uuid::new_v4().to_string())),
                ("order".to_owned(), n(order)),
                ("at".to_owned(), s(&line.at)),
                ("action".to_owned(), s(&line.action)),
                ("tag".to_owned(), s(&line.tag)),
                ("actor".to_owned(), s(&line.actor)),
                ("host".to_owned(), s(&line.host)),
                ("duration_ms".to_owned(), n(line.duration_ms)),
            ]);
            if let Some(detail) = &line.detail {
                item.insert("detail".to_owned(), s(detail));
            }
            put_item(
                PutItem::builder()
                    .table_name(&tables.log)
                    .set_item(Some(item))
                    .build()?,
            )
        }
        Put::State {
            key,
            value: Some(value),
        } => put_item(
            PutItem::builder()
                .table_name(&tables.state)
                .item("key", s(key))
                .item("value", s(value))
                .build()?,
        ),
        Put::State { key, value: None } => remove(
            Delete::builder()
                .table_name(&tables.state)
                .key("key", s(key))
                .build()?,
        ),
    })
}
