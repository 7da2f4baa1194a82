//! What stands alone, and what is broken off on the server.

use super::*;

/// A collection with rows, and an index on it in a migration of its own, which is built concurrently.
fn indexed() -> (Migration, Migration) {
    let index = tagged(
        1,
        migration("index_a")
            .create_index("a", index("idx_a_note", ["note"]))
            .build(),
    );
    (table(0, "a"), index)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_concurrently_while_fifteen_wait_for_the_lock() {
    let mut scene = Scene::new().await;
    let (made, index) = indexed();
    let engine = scene.database().await.engine();
    engine.up_all(&set([made.clone()])).await.unwrap();
    let all = set([made, index]);
    // The build waits for this one's snapshot, so that all others are there before it goes on.
    scene
        .run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM a")
        .await;
    let mut runners = Vec::new();
    for _ in 0..16 {
        let engine = scene
            .database()
            .await
            .engine_with(patience(Duration::from_secs(60)));
        let all = all.clone();
        runners.push(tokio::spawn(async move { engine.up_all(&all).await }));
    }
    let waiting = "SELECT count(*) >= 16 FROM pg_stat_activity WHERE application_name = 'ductape' AND datname = current_database()";
    // A transaction sees the activity of its beginning, so another one looks.
    let mut third = PgConnection::connect(&scene.url).await.unwrap();
    let began = Instant::now();
    while !sqlx::query(waiting)
        .fetch_one(&mut third)
        .await
        .unwrap()
        .get::<bool, _>(0)
    {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    scene.run("COMMIT").await;
    let started = Instant::now();
    let mut applied = 0;
    for runner in runners {
        applied += runner.await.unwrap().unwrap().applied.len();
    }
    assert_eq!(applied, 1);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(engine.verify().await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_build_lost_its_connection_is_cleaned_up_and_built_again() {
    let mut scene = Scene::new().await;
    let (made, index) = indexed();
    let engine = scene.database().await.engine();
    engine.up_all(&set([made.clone()])).await.unwrap();
    scene.run("BEGIN; INSERT INTO a VALUES (1, 'x')").await;
    let all = set([made, index]);
    let building = {
        let (engine, all) = (engine.clone(), all.clone());
        tokio::spawn(async move { engine.up_all(&all).await })
    };
    let mut third = PgConnection::connect(&scene.url).await.unwrap();
    let find = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock' AND datname = current_database()";
    let pid: i32 = loop {
        match sqlx::query(find).fetch_optional(&mut third).await.unwrap() {
            Some(row) => break row.get(0),
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    run(&mut third, &format!("SELECT pg_terminate_backend({pid})")).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let invalid = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = 'idx_a_note'::regclass";
    let shown: bool = sqlx::query(invalid)
        .fetch_one(&mut third)
        .await
        .unwrap()
        .get(0);
    assert!(shown, "it was cut off");
    scene.run("COMMIT").await;
    assert_eq!(building.await.unwrap().unwrap().applied.len(), 1);
    assert_eq!(
        scene
            .ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_a_note'::regclass")
            .await,
        "true"
    );
    assert!(engine.verify().await.unwrap().ok);
}

/// Applies a migration, has its statement, which has this text, broken off, and gives how that ended.
async fn broken_off(scene: &mut Scene, migration: &Migration, text: &str) -> ductape::Error {
    let flag = Arc::new(AtomicBool::new(false));
    let mut options = EngineOptions::default();
    options.break_off = Some(flag.clone());
    let engine = scene.database().await.engine_with(options);
    let since = Instant::now();
    let later = async {
        scene.until(&format!("({}) > 0", running(text))).await;
        flag.store(true, Ordering::Relaxed);
    };
    let (outcome, ()) = tokio::join!(engine.up(migration), later);
    assert!(since.elapsed() < Duration::from_secs(30), "{outcome:?}");
    assert_eq!(scene.ask(&running(text)).await, "0");
    outcome.unwrap_err()
}

/// The query of how many sessions do something that has this text.
fn running(text: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%{text}%'"
    )
}

#[tokio::test]
async fn a_statement_is_broken_off_on_the_server() {
    for transactional in [true, false] {
        let mut scene = Scene::new().await;
        let sleep = |seconds: u32| {
            let text = format!(
                r#"{{"format": 1, "tag": "20240101_000000_sleep", "up": [{{"type": "raw",
                "backend": "postgresql", "statement": "SELECT pg_sleep({seconds})",
                "transactional": {transactional}}}]}}"#
            );
            Migration::parse(&text).unwrap()
        };
        let error = broken_off(&mut scene, &sleep(60), "pg_sleep").await;
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error:?}");
        // The lock is free and nothing is in doubt.
        let engine = scene.database().await.engine();
        engine.up(&sleep(0)).await.unwrap();
    }
}

#[tokio::test]
async fn an_index_whose_building_is_broken_off_is_built_by_the_next_up() {
    let mut scene = Scene::new().await;
    let table = Migration::parse(
        r#"{"format": 1, "tag": "20240101_000000_t", "up": [{"type": "createCollection",
        "name": "t", "fields": [{"name": "a", "type": "integer"}]}]}"#,
    );
    let index = Migration::parse(
        r#"{"format": 1, "tag": "20240102_000000_i", "up": [{"type": "createIndex",
        "collection": "t", "index": {"name": "i", "fields": [{"name": "a"}]}}]}"#,
    );
    let index = index.unwrap();
    let engine = scene.database().await.engine();
    engine.up(&table.unwrap()).await.unwrap();
    let mut third = PgConnection::connect(&scene.url).await.unwrap();
    run(&mut third, "BEGIN; INSERT INTO t VALUES (1)").await;
    let error = broken_off(&mut scene, &index, "CREATE INDEX").await;
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error:?}");
    run(&mut third, "COMMIT").await;
    engine.up(&index).await.unwrap();
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass";
    assert_eq!(scene.ask(valid).await, "true");
}
