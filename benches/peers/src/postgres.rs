//! On PostgreSQL: the server that `DUCTAPE_BENCH_POSTGRES_URL` names, each run in a database of its own.

use crate::peers::{Diesel, Refinery, SeaOrm, Sqlx};
use crate::proxy::Proxy;
use crate::{Work, timed};
use ductape::{Database, Postgres};
use ductape_benches::compare::{Contender, compare};
use ductape_benches::database::wait;
use ductape_benches::workload;
use postgres::{Client, NoTls};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A library that migrates. Each call connects and closes.
trait Peer {
    fn name(&self) -> &'static str;
    fn up(&self, url: &str);
    fn pending(&self, url: &str) -> usize;
}

fn peers(work: &Work) -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(Sqlx::new(work)),
        Box::new(Refinery::new(work, false)),
        Box::new(Diesel::new(work)),
        Box::new(SeaOrm::new(work)),
    ]
}

impl Peer for Sqlx {
    fn name(&self) -> &'static str {
        "sqlx"
    }

    fn up(&self, url: &str) {
        use sqlx::Connection;
        wait(async {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            self.migrator
                .run_direct(None, &mut connection, false)
                .await
                .unwrap();
            connection.close().await.unwrap();
        });
    }

    fn pending(&self, url: &str) -> usize {
        use sqlx::Connection;
        wait(async {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            let pending = self.info(&mut connection).await;
            connection.close().await.unwrap();
            pending
        })
    }
}

impl Peer for Refinery {
    fn name(&self) -> &'static str {
        "refinery"
    }

    fn up(&self, url: &str) {
        let mut client = Client::connect(url, NoTls).unwrap();
        self.runner.run(&mut client).unwrap();
    }

    fn pending(&self, url: &str) -> usize {
        self.pending_in(&mut Client::connect(url, NoTls).unwrap())
    }
}

impl Peer for Diesel {
    fn name(&self) -> &'static str {
        "diesel_migrations"
    }

    fn up(&self, url: &str) {
        use diesel::Connection;
        use diesel_migrations::MigrationHarness;
        let mut connection = diesel::PgConnection::establish(url).unwrap();
        connection.run_pending_migrations(self.clone()).unwrap();
    }

    fn pending(&self, url: &str) -> usize {
        use diesel::Connection;
        use diesel_migrations::MigrationHarness;
        let mut connection = diesel::PgConnection::establish(url).unwrap();
        connection.pending_migrations(self.clone()).unwrap().len()
    }
}

async fn sea_orm(url: &str) -> sea_orm_migration::sea_orm::DatabaseConnection {
    let mut options = sea_orm_migration::sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm_migration::sea_orm::Database::connect(options)
        .await
        .unwrap()
}

impl Peer for SeaOrm {
    fn name(&self) -> &'static str {
        "sea-orm-migration"
    }

    fn up(&self, url: &str) {
        use sea_orm_migration::MigratorTraitSelf;
        wait(async {
            let database = sea_orm(url).await;
            MigratorTraitSelf::up(self, &database, None).await.unwrap();
            database.close().await.unwrap();
        });
    }

    fn pending(&self, url: &str) -> usize {
        use sea_orm_migration::MigratorTraitSelf;
        wait(async {
            let database = sea_orm(url).await;
            let pending = self.get_pending_migrations(&database).await.unwrap().len();
            database.close().await.unwrap();
            pending
        })
    }
}

/// A server, and databases of it that are made and dropped.
struct Server {
    base: String,
    made: Cell<usize>,
}

impl Server {
    fn new() -> Self {
        let url = std::env::var("DUCTAPE_BENCH_POSTGRES_URL")
            .expect("DUCTAPE_BENCH_POSTGRES_URL names a server: postgres://postgres@127.0.0.1:5432/postgres");
        let (base, _) = url.rsplit_once('/').expect("a URL with a database");
        let server = Self {
            base: base.to_owned(),
            made: Cell::new(0),
        };
        let version: String = server
            .admin()
            .query_one("SHOW server_version", &[])
            .unwrap()
            .get(0);
        let fsync: String = server.admin().query_one("SHOW fsync", &[]).unwrap().get(0);
        println!("PostgreSQL {version}, fsync {fsync}");
        server
    }

    fn admin(&self) -> Client {
        Client::connect(&format!("{}/postgres", self.base), NoTls).unwrap()
    }

    /// The URL of a new database.
    fn make(&self) -> String {
        let name = format!(
            "bench_{}_{}",
            std::process::id(),
            self.made.replace(self.made.get() + 1)
        );
        self.admin()
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .unwrap();
        format!("{}/{name}", self.base)
    }

    fn drop(&self, url: &str) {
        let name = url.rsplit('/').next().unwrap();
        self.admin()
            .batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .unwrap();
    }

    fn address(&self) -> SocketAddr {
        self.base
            .rsplit('@')
            .next()
            .unwrap()
            .parse()
            .expect("an address and a port")
    }

    fn through(&self, proxy: &Proxy, url: &str) -> String {
        url.replace(&self.address().to_string(), &proxy.address.to_string())
    }
}

fn up(url: &str, work: &Work) -> usize {
    wait(async {
        let engine = Database::connect(url).await.unwrap().engine();
        engine.up_all(&work.set).await.unwrap().applied.len()
    })
}

/// Tables, fields and indexes that the migrations left behind.
fn left(url: &str) -> String {
    let query = "SELECT md5(string_agg(x, ' ')) FROM (SELECT c.relname || ' ' || coalesce(pg_get_indexdef(c.oid), '') || ' ' || coalesce((SELECT string_agg(attname || format_type(atttypid, atttypmod), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0), '') AS x FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND (relname ~ '^t[0-9]' OR relname ~ '^idx_t[0-9]') AND relkind IN ('r', 'i') ORDER BY 1) AS x";
    let row = Client::connect(url, NoTls)
        .unwrap()
        .query_one(query, &[])
        .unwrap();
    row.get(0)
}

/// The statements alone, one transaction a migration, no ledger, by `psql`.
fn psql(url: &str, text: &str) {
    let mut child = Command::new("psql")
        .args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("psql");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success());
}

pub fn measure(rounds: usize, history: usize) {
    let server = Server::new();
    pending(&server, rounds, 1000);
    over_a_link(&server, rounds.min(5), 1000);
    round_trips(&server);
    introspection(&server);
    long_history(&server, rounds, history);
}

fn pending(server: &Server, rounds: usize, count: usize) {
    let work = Work::new(&Postgres, &workload::mixed_files_in_transactions(count));
    let transactions: String = work
        .sql
        .iter()
        .map(|sql| format!("BEGIN;\n{sql}COMMIT;\n"))
        .collect();
    let expected = {
        let url = server.make();
        psql(&url, &transactions);
        let expected = left(&url);
        server.drop(&url);
        expected
    };
    // What making a database and dropping others leaves to do must not fall to whoever comes next: what is
    // dirty is written first, and files are deleted only at the end, since the file system goes around the
    // places of those that were deleted lately.
    let made = RefCell::new(Vec::new());
    let on_a_new_one = |run: &dyn Fn(&str)| {
        let url = server.make();
        server.admin().batch_execute("CHECKPOINT").unwrap();
        let time = timed(|| run(&url));
        assert_eq!(left(&url), expected);
        made.borrow_mut().push(url);
        time
    };
    let peers = peers(&work);
    let mut contenders = vec![Contender::new("Ductape", || {
        on_a_new_one(&|url| assert_eq!(up(url, &work), count))
    })];
    contenders.push(Contender::new("psql, no ledger", || {
        on_a_new_one(&|url| psql(url, &transactions))
    }));
    for peer in &peers {
        contenders.push(Contender::new(peer.name(), || {
            on_a_new_one(&|url| peer.up(url))
        }));
    }
    compare(&format!("{count} pending migrations"), rounds, contenders);
    for url in made.take() {
        server.drop(&url);
    }
}

fn over_a_link(server: &Server, rounds: usize, count: usize) {
    let work = Work::new(&Postgres, &workload::mixed_files_in_transactions(count));
    let proxy = Proxy::start(server.address(), Duration::from_millis(5)).unwrap();
    let over = |run: &dyn Fn(&str)| {
        let url = server.make();
        let time = timed(|| run(&server.through(&proxy, &url)));
        server.drop(&url);
        time
    };
    let peers = peers(&work);
    let mut contenders = vec![Contender::new("Ductape", || {
        over(&|url| assert_eq!(up(url, &work), count))
    })];
    for peer in &peers {
        contenders.push(Contender::new(peer.name(), || over(&|url| peer.up(url))));
    }
    compare(
        &format!("{count} pending migrations, 5 ms of round trip"),
        rounds,
        contenders,
    );
}

fn round_trips(server: &Server) {
    println!("\nround trips, counted at the socket");
    for count in [1, 10, 100, 1000] {
        let work = Work::new(&Postgres, &workload::mixed_files_in_transactions(count));
        let proxy = Proxy::start(server.address(), Duration::ZERO).unwrap();
        let url = server.make();
        let there = server.through(&proxy, &url);
        up(&there, &work);
        let applying = proxy.round_trips();
        up(&there, &work);
        println!(
            "{count} migrations: {applying}, and {} with nothing to do",
            proxy.round_trips() - applying
        );
        server.drop(&url);
    }
}

fn introspection(server: &Server) {
    let url = server.make();
    let tables: Vec<String> = (0..1000)
        .map(|place| workload::table(&format!("t{place}")))
        .collect();
    let work = Work::new(&Postgres, &[workload::file(0, &tables)]);
    psql(&url, &work.sql.concat());
    let mut times: Vec<Duration> = (0..7)
        .map(|_| {
            timed(|| {
                wait(async {
                    let engine = Database::connect(&url).await.unwrap().engine();
                    assert_eq!(engine.live_schema().await.unwrap().len(), 1000);
                });
            })
        })
        .collect();
    times.sort();
    println!("\n1,000 tables are read in {:.1?} (median of 7)", times[3]);
    server.drop(&url);
}

fn long_history(server: &Server, rounds: usize, count: usize) {
    let mut files = workload::long_renaming_files(count + 1);
    let with_one_more = Work::new(&Postgres, &files);
    files.pop();
    let work = Work::new(&Postgres, &files);
    let (peers, peers_with_one_more) = (peers(&work), peers(&with_one_more));
    let ready = |name: &str, run: &dyn Fn(&str)| {
        let url = server.make();
        let database = url.rsplit('/').next().unwrap().to_owned();
        let lazily = |setting: &str| {
            let text = format!("ALTER DATABASE {database} {setting}");
            server.admin().batch_execute(&text).unwrap();
        };
        lazily("SET synchronous_commit = off");
        let time = timed(|| run(&url));
        println!("{name}: a history of {count} made in {time:.1?}");
        lazily("RESET synchronous_commit");
        Client::connect(&url, NoTls)
            .unwrap()
            .batch_execute("VACUUM ANALYZE")
            .unwrap();
        url
    };
    println!();
    let own = ready("Ductape", &|url| assert_eq!(up(url, &work), count));
    let urls: Vec<String> = peers
        .iter()
        .map(|peer| ready(peer.name(), &|url| peer.up(url)))
        .collect();

    let mut contenders = vec![
        Contender::new("Ductape", || timed(|| assert_eq!(up(&own, &work), 0))),
        Contender::new("its query alone", || timed(|| query_alone(&own))),
    ];
    for (peer, url) in peers.iter().zip(&urls) {
        contenders.push(Contender::new(peer.name(), || timed(|| peer.up(url))));
    }
    compare(
        &format!("a start with nothing to do, {count} applied"),
        rounds * 3,
        contenders,
    );
    for (title, work, peers, pending) in [
        ("nothing pending", &work, &peers, 0),
        ("one pending", &with_one_more, &peers_with_one_more, 1),
    ] {
        let mut contenders = vec![Contender::new("Ductape", || {
            timed(|| {
                let status = wait(async {
                    let engine = Database::connect(&own).await.unwrap().engine();
                    engine.status(&work.set).await.unwrap()
                });
                assert_eq!(status.pending, pending);
            })
        })];
        for (peer, url) in peers.iter().zip(&urls) {
            contenders.push(Contender::new(peer.name(), || {
                timed(|| assert_eq!(peer.pending(url), pending))
            }));
        }
        compare(
            &format!("status, {count} applied, {title}"),
            rounds * 3,
            contenders,
        );
    }
    for url in urls.iter().chain([&own]) {
        server.drop(url);
    }
}

/// The query of one row that a start with nothing to do is, by the same driver, with connecting and closing.
fn query_alone(url: &str) {
    use sqlx::{ConnectOptions, Connection};
    use std::str::FromStr;
    wait(async {
        let options = sqlx::postgres::PgConnectOptions::from_str(url).unwrap();
        let mut connection = options.connect().await.unwrap();
        let query = "SELECT value FROM ductape_state WHERE key = 'head'";
        let rows = sqlx::raw_sql(query)
            .fetch_all(&mut connection)
            .await
            .unwrap();
        assert_eq!(rows.len(), 1);
        connection.close().await.unwrap();
    });
}
