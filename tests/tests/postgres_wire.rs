//! Round trips to PostgreSQL, counted at the socket.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use ductape::builder::prelude::*;
use ductape::{Database, Migration, MigrationSet};
use ductape_tests::proxy::Proxy;
use ductape_tests::servers;
use std::net::SocketAddr;
use std::time::Duration;

/// A proxy before the server, and the URL through it of a schema of its own.
fn through(round_trip: Duration, schema: &str) -> (Proxy, String) {
    let server = servers::postgres().unwrap();
    let rest = server.url.split("//").nth(1).unwrap();
    let place = rest.split('/').next().unwrap();
    let place = place.rsplit('@').next().unwrap();
    let address: SocketAddr = place.parse().unwrap();
    let proxy = Proxy::start(address, round_trip).unwrap();
    let url = server.url.replace(place, &proxy.address.to_string());
    let schema = format!("{schema}_{}", std::process::id());
    (proxy, format!("{url}?schema={schema}&sslmode=disable"))
}

/// Small migrations: a table, a field of it, an index made with another table.
fn small(count: usize) -> MigrationSet {
    let migrations = (0..count).map(|number| {
        let name = format!("m{number}");
        let tag = format!(
            "20240101_{:02}{:02}{:02}_{name}",
            number / 3600,
            number / 60 % 60,
            number % 60
        );
        let table = format!("t{number}");
        let migration: Migration = migration(name)
            .create_collection(
                table.clone(),
                [
                    integer("id").primary_key(),
                    string("name").length(50).required(),
                ],
            )
            .create_index(table, index(format!("idx_{number}"), ["name"]))
            .build()
            .unwrap();
        migration.with_tag(tag.parse().unwrap())
    });
    MigrationSet::new(migrations).unwrap()
}

#[tokio::test]
async fn many_small_migrations_share_round_trips_and_nothing_to_do_is_three() {
    let (proxy, url) = through(Duration::ZERO, "wire");
    let set = small(300);
    let engine = Database::connect(&url).await.unwrap().engine();
    assert_eq!(engine.up_all(&set).await.unwrap().applied.len(), 300);
    let applying = proxy.round_trips();
    assert!(
        applying <= 12 + 30,
        "{applying} round trips for 300 migrations"
    );

    let engine = Database::connect(&url).await.unwrap().engine();
    assert!(engine.up_all(&set).await.unwrap().applied.is_empty());
    let nothing = proxy.round_trips() - applying;
    assert!(nothing <= 3, "{nothing} round trips with nothing to do");
    println!("{applying} round trips for 300 migrations, {nothing} with nothing to do");
}
