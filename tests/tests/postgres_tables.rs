//! How long it takes to read a large schema of PostgreSQL; by itself, so that no other test is in its way.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use ductape_core::{Name, Schema};
use ductape_tests::scene::Scene;
use std::time::{Duration, Instant};

/// A key, a default, a number, a moment, a foreign key to the table before, a check and an index.
const TABLES: &str = "DO $$ BEGIN FOR i IN 1..1000 LOOP \
    EXECUTE format('CREATE TABLE t%s (id integer PRIMARY KEY, a text NOT NULL DEFAULT ''x'', b numeric(10,2), \
        c timestamptz DEFAULT now(), d integer REFERENCES t%s (id) CHECK (d > 0))', i, greatest(i - 1, 1)); \
    EXECUTE format('CREATE INDEX ON t%s (a, b)', i); \
    END LOOP; END $$";

#[tokio::test]
async fn a_thousand_tables_are_read_within_a_second() {
    let mut scene = Scene::new().await;
    scene.run(TABLES).await;
    let engine = scene.database().await.engine();
    // The best of a few: what else the machine does is not what is measured.
    let mut took = Duration::MAX;
    let mut schema = Schema::new();
    for _ in 0..6 {
        let started = Instant::now();
        schema = engine.live_schema().await.unwrap();
        took = took.min(started.elapsed());
    }
    println!("1,000 tables: {took:?}");
    assert_eq!(schema.len(), 1000);
    let one = schema.collection(&Name::new("t500").unwrap()).unwrap();
    assert_eq!((one.fields.len(), one.indexes.len()), (5, 1));
    assert_eq!(one.constraints.len(), 3);
    assert!(took < Duration::from_secs(1), "{took:?}");
}
