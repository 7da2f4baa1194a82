//! A table there and back again on DynamoDB Local. The credentials are those of the environment:
//! `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; DynamoDB Local takes any.
#![cfg(feature = "driver")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use ductape_core::Migration;
use ductape_dynamo::DynamoBackend;
use ductape_engine::backend::{SessionError, Unit};
use ductape_engine::ledger::{EntryQuery, Put};
use ductape_engine::{
    Actor, Backend, ErrorKind, MigrationEngine, MigrationSet, Patience, Rollback,
};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// A server, which ends with this.
struct Server {
    url: String,
    child: Option<Child>,
}

impl Server {
    fn start() -> Self {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            assert!(
                std::env::var(name).is_ok(),
                "set {name}; for DynamoDB Local any value will do"
            );
        }
        if let Ok(url) = std::env::var("DUCTAPE_TEST_DYNAMODB_URL") {
            return Self { url, child: None };
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/servers/dynamodb");
        let mut child = Command::new(script)
            .args(["run", "--temporary", "--while", "stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/servers/dynamodb starts; or set DUCTAPE_TEST_DYNAMODB_URL");
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        assert!(
            url.starts_with("dynamodb://"),
            "tests/servers/dynamodb gave no address; run `tests/servers/dynamodb install`, or set DUCTAPE_TEST_DYNAMODB_URL"
        );
        Self {
            url: url.trim().to_owned(),
            child: Some(child),
        }
    }

    /// The address with a prefix of this test's own.
    fn with_prefix(&self, prefix: &str) -> String {
        self.url.replacen("/?", &format!("/{prefix}?"), 1)
    }

    fn endpoint(&self) -> String {
        let host = self.url.strip_prefix("dynamodb://").unwrap();
        format!("http://{}", host.split('/').next().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

fn migration(tag: &str, up: &str) -> Migration {
    Migration::parse(&format!(r#"{{"format": 1, "tag": "{tag}", "up": {up}}}"#)).unwrap()
}

async fn client(server: &Server) -> Client {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(server.endpoint())
        .load()
        .await;
    Client::new(&config)
}

#[tokio::test]
async fn a_table_goes_there_and_back() {
    let server = Server::start();
    let prefix = format!("thin{}_", std::process::id());
    let table = format!("{prefix}users");
    let backend = Arc::new(
        DynamoBackend::connect(&server.with_prefix(&prefix))
            .await
            .unwrap(),
    );
    let client = client(&server).await;
    let engine = MigrationEngine::new(backend.clone());

    // Reading needs no tables, and makes none.
    assert_eq!(backend.head().await.unwrap(), None);
    let mut reader = backend.read().await.unwrap();
    assert!(reader.entries(&EntryQuery::All).await.unwrap().is_empty());
    assert!(reader.holder().await.unwrap().is_none());

    let create = migration(
        "20260101_000000_create_users",
        r#"[{"type": "createCollection", "name": "users", "fields": [
            {"name": "id", "type": "string", "primaryKey": true},
            {"name": "email", "type": "string", "required": true}]}]"#,
    );
    let rest = [
        migration(
            "20260101_000001_add_level",
            r#"[{"type": "addField", "collection": "users", "field":
                {"name": "level", "type": "integer", "default": 7}}]"#,
        ),
        migration(
            "20260101_000002_index_email",
            r#"[{"type": "createIndex", "collection": "users", "index":
                {"name": "by_email", "fields": ["email", "level"]}}]"#,
        ),
    ];
    engine.up(&create).await.unwrap();
    for (id, level) in [("a", None), ("b", None), ("c", Some("1"))] {
        let mut put = client
            .put_item()
            .table_name(&table)
            .item("id", AttributeValue::S(id.into()))
            .item("email", AttributeValue::S(format!("{id}@example.org")));
        if let Some(level) = level {
            put = put.item("level", AttributeValue::N(level.into()));
        }
        put.send().await.unwrap();
    }
    let set = MigrationSet::new([create.clone()].into_iter().chain(rest)).unwrap();
    engine.up_all(&set).await.unwrap();

    let levels = levels(&client, &table).await;
    assert_eq!(
        levels,
        [Some(7), Some(7), Some(1)],
        "a value that is there stays"
    );
    let found = client
        .query()
        .table_name(&table)
        .index_name("by_email")
        .key_condition_expression("email = :email")
        .expression_attribute_values(":email", AttributeValue::S("b@example.org".into()))
        .send()
        .await
        .unwrap();
    assert_eq!(found.count, 1);
    let verification = engine.verify().await.unwrap();
    assert!(verification.ok, "{:?}", verification.differences);
    assert!(verification.untracked.is_empty());
    assert_eq!(backend.head().await.unwrap().unwrap().entries, 3);

    // What cannot be done is all told at once, and nothing is touched.
    let refused = migration(
        "20260101_000003_refused",
        r#"[{"type": "renameField", "collection": "users", "from": "email", "to": "mail"},
            {"type": "renameCollection", "from": "users", "to": "people"}]"#,
    );
    let error = engine.up(&refused).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let message = error.to_string();
    assert!(
        message.contains("rename attributes") && message.contains("rename a table"),
        "{message}"
    );

    // Two down: the field goes out of the items.
    engine.roll_back(&Rollback::Last(2)).await.unwrap();
    assert_eq!(self::levels(&client, &table).await, [None, None, None]);
    engine.roll_back(&Rollback::Last(1)).await.unwrap();
    assert!(
        client
            .describe_table()
            .table_name(&table)
            .send()
            .await
            .is_err()
    );
    let mut reader = backend.read().await.unwrap();
    assert!(reader.entries(&EntryQuery::All).await.unwrap().is_empty());
    assert!(reader.state("schema:").await.unwrap().is_empty());
    assert_eq!(reader.log().await.unwrap().len(), 6);
    assert!(reader.holder().await.unwrap().is_none());
}

async fn levels(client: &Client, table: &str) -> Vec<Option<i64>> {
    let mut items = client
        .scan()
        .table_name(table)
        .consistent_read(true)
        .send()
        .await
        .unwrap()
        .items
        .unwrap();
    items.sort_by_key(|item| item.get("id").unwrap().as_s().unwrap().clone());
    items
        .iter()
        .map(|item| Some(item.get("level")?.as_n().unwrap().parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn who_lost_the_lock_writes_nothing_more() {
    let server = Server::start();
    let prefix = format!("lock{}_", std::process::id());
    let backend = DynamoBackend::connect(&server.with_prefix(&prefix))
        .await
        .unwrap();
    let patience = Patience {
        wait: Duration::from_millis(300),
        lease: Duration::from_secs(2),
    };
    let (first, second) = (Actor::current(), Actor::current());
    let mut lost = backend.lock(&first, &patience).await.unwrap();
    let error = backend.lock(&second, &patience).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Locked);

    // It lives by its heartbeat, longer than a lease.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(backend.lock(&second, &patience).await.is_err());

    let put = Put::State {
        key: "schema:t".to_owned(),
        value: Some("1".to_owned()),
    };
    lost.record(std::slice::from_ref(&put)).await.unwrap();
    assert_eq!(
        backend.force_release().await.unwrap().unwrap().owner,
        first.owner
    );
    let mut session = backend.lock(&second, &patience).await.unwrap();
    assert!(matches!(
        lost.record(std::slice::from_ref(&put)).await,
        Err(SessionError::LockLost)
    ));
    // Letting go of what is lost takes nothing from the one who has it.
    lost.release().await.unwrap();
    assert_eq!(session.holder().await.unwrap().unwrap().owner, second.owner);
    let unit = Unit {
        steps: Vec::new(),
        puts: vec![Put::State {
            key: "schema:t".to_owned(),
            value: None,
        }],
    };
    let (done, failure) = session.transact(&[unit]).await;
    assert!(done == 1 && failure.is_none(), "{failure:?}");
    assert!(session.state("schema:").await.unwrap().is_empty());
    session.release().await.unwrap();
    backend
        .lock(&first, &patience)
        .await
        .unwrap()
        .release()
        .await
        .unwrap();
}
