//! A PostgreSQL database that others have lived in: every change that it has room for, up and down.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod reading;

use ductape::engine::Plan;
use ductape::{Database, Error, Migration};
use ductape_core::{Operation, Reversibility, RiskKind, Schema};
use ductape_tests::{servers, walk};
use reading::{Reading, mark, read, run};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;

const WORDS: walk::Words = walk::Words {
    collation: "C",
    native: "citext",
    options: &["unlogged"],
};

/// How many changes are tried at once, each in a database of its own.
const WORKERS: usize = 2;

/// How many changes of a database are tried, evenly spread, unless `DUCTAPE_CASES` says.
const CHANGES: usize = 450;

/// How many changes that should leave everything as it was are tried before somebody looks. If it is not
/// so, each of them is tried again by itself.
const AT_ONCE: usize = 30;

/// A copy of the template.
struct Copy {
    name: String,
    template: String,
    admin: PgConnection,
    url: String,
    other: PgConnection,
    database: Database,
}

fn url_of(name: &str) -> String {
    let server = servers::postgres().unwrap();
    let (base, _) = server.url.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

async fn template(name: &str, script: &str) -> String {
    let name = format!("{name}_{}", std::process::id());
    let mut admin = PgConnection::connect(&servers::postgres().unwrap().url)
        .await
        .unwrap();
    run(&mut admin, &format!("CREATE DATABASE {name}")).await;
    let mut connection = PgConnection::connect(&url_of(&name)).await.unwrap();
    run(&mut connection, script).await;
    connection.close().await.unwrap();
    name
}

impl Copy {
    async fn new(template: &str, number: usize) -> Self {
        let name = format!("{template}_{number}");
        let mut admin = PgConnection::connect(&servers::postgres().unwrap().url)
            .await
            .unwrap();
        make(&mut admin, &name, template).await;
        let url = url_of(&name);
        let other = PgConnection::connect(&url).await.unwrap();
        let database = Database::connect(&url).await.unwrap();
        Self {
            name,
            template: template.to_owned(),
            admin,
            url,
            other,
            database,
        }
    }

    /// Begins anew.
    async fn renew(&mut self) {
        make(&mut self.admin, &self.name, &self.template).await;
        self.other = PgConnection::connect(&self.url).await.unwrap();
        self.database = Database::connect(&self.url).await.unwrap();
    }

    async fn read(&mut self) -> Reading {
        read(&mut self.other, &self.url).await
    }
}

async fn make(admin: &mut PgConnection, name: &str, template: &str) {
    run(
        admin,
        &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .await;
    run(
        admin,
        &format!("CREATE DATABASE {name} TEMPLATE {template}"),
    )
    .await;
}

/// What became of a change.
enum Outcome {
    There,
    ThereAndBack,
    /// Refused, in the plan or because of rows.
    Refused(Error),
    /// Applied, and its way back refused as it was foretold.
    OneWay(Error),
}

/// One change, up and down. Where everything should be back, it is looked at only if asked for.
async fn try_out(
    before: &Reading,
    copy: &mut Copy,
    change: &Change,
    look: bool,
) -> Result<Outcome, String> {
    let engine = copy.database.engine();
    let Change {
        operation,
        migration,
        plan,
    } = change;
    let untouched = mark(&mut copy.other).await;
    let done = match engine.apply_new(migration).await {
        Ok(done) => done,
        Err(error) => {
            if let Err(planned) = plan
                && planned.kind() != error.kind()
            {
                return Err(format!("planned: {planned}\nthen: {error}"));
            }
            if !walk::is_refusal(&error) {
                let plan = plan.as_ref().map(|plan| plan.migrations[0].up.clone());
                return Err(format!("up {:?}: {error}\n{plan:#?}", error.kind()));
            }
            if mark(&mut copy.other).await != untouched {
                same(before, &copy.read().await, &Kept::Everything).map_err(|difference| {
                    format!("refused ({error}), and touched: {difference}")
                })?;
                return Err(format!("refused ({error}) after it was touched"));
            }
            // What does not share a transaction with its record leaves an entry that did not get far.
            for entry in engine.history().await.unwrap() {
                engine
                    .down(&entry.migration)
                    .await
                    .map_err(|left| format!("refused ({error}), and cannot be undone: {left}"))?;
            }
            return Ok(Outcome::Refused(error));
        }
    };
    let plan = plan
        .as_ref()
        .map_err(|error| format!("done, and the plan was refused: {error}"))?;
    let planned = &plan.migrations[0];
    let verification = engine.verify().await.unwrap();
    if !verification.ok {
        return Err(format!("after up: {:#?}", verification.differences));
    }
    if let Err(error) = engine.down(&done.migration).await {
        let foretold = planned.reversible != Reversibility::Lossless && walk::is_refusal(&error);
        return match foretold {
            true => Ok(Outcome::OneWay(error)),
            false => Err(format!(
                "down {:?} after {:?}: {error}\nup {:#?}\ndown {:#?}",
                error.kind(),
                planned.reversible,
                planned.up,
                planned.down
            )),
        };
    }
    let verification = engine.verify().await.unwrap();
    if !verification.ok {
        return Err(format!("after down: {:#?}", verification.differences));
    }
    let kept = match (operation, planned.reversible) {
        (_, Reversibility::Lossless) => Kept::Everything,
        (Operation::DropCollection(drop), _) => Kept::AllBut(drop.name.to_string(), None),
        (Operation::DropField(drop), _) => {
            Kept::AllBut(drop.collection.to_string(), Some(drop.field.to_string()))
        }
        (Operation::ModifyField(modify), _) => Kept::AllBut(
            modify.collection.to_string(),
            Some(modify.field.to_string()),
        ),
        _ => return Err(format!("nothing should be lost: {:?}", planned.lost)),
    };
    if !look && matches!(kept, Kept::Everything) {
        return Ok(Outcome::ThereAndBack);
    }
    let mut after = copy.read().await;
    if planned
        .risks
        .iter()
        .any(|risk| risk.risk.kind == RiskKind::NotRestored)
    {
        after.take_as_valid(before);
    }
    same(before, &after, &kept).map_err(|difference| {
        format!(
            "{difference}\n{:?} lost {:?} risks {:?}\nup {:#?}\ndown {:#?}",
            planned.reversible, planned.lost, planned.risks, planned.up, planned.down
        )
    })?;
    Ok(match planned.reversible {
        Reversibility::Lossless => Outcome::ThereAndBack,
        _ => Outcome::There,
    })
}

/// What has to be as it was.
enum Kept {
    Everything,
    /// All but a table's rows, or one column of them.
    AllBut(String, Option<String>),
}

fn same(before: &Reading, after: &Reading, kept: &Kept) -> Result<(), String> {
    let gone: Vec<_> = before.shape.difference(&after.shape).collect();
    let new: Vec<_> = after.shape.difference(&before.shape).collect();
    if !gone.is_empty() || !new.is_empty() {
        return Err(format!("- {gone:#?}\n+ {new:#?}"));
    }
    for (name, rows) in &before.rows {
        let (mut was, mut is) = (rows.clone(), after.rows[name].clone());
        match kept {
            Kept::Everything => {}
            Kept::AllBut(_, _) if before.views.contains(name) => continue,
            Kept::AllBut(other, None) if *other == name.replace('"', "") => continue,
            Kept::AllBut(other, None) if before.parts.contains(&(name.clone(), other.clone())) => {
                continue;
            }
            Kept::AllBut(_, None) => {}
            // Who inherits the column loses it too, and so does what is made of it.
            Kept::AllBut(_, Some(column)) => {
                for row in was.iter_mut().chain(&mut is) {
                    row.retain(|key, _| key != column && !before.generated.contains(key));
                }
                was.sort_by_key(|row| format!("{row:?}"));
                is.sort_by_key(|row| format!("{row:?}"));
            }
        }
        if was != is {
            return Err(format!("the rows of {name}\n- {was:?}\n+ {is:?}"));
        }
    }
    Ok(())
}

/// What became of all changes that a worker tried.
#[derive(Default)]
struct Tally {
    back: usize,
    there: usize,
    refused: usize,
    one_way: usize,
    reasons: BTreeMap<String, (usize, String)>,
    failures: Vec<String>,
}

impl Tally {
    fn note(&mut self, operation: &Operation, outcome: Result<Outcome, String>, schema: &Schema) {
        let describe = operation.describe();
        match outcome {
            Ok(Outcome::ThereAndBack) => self.back += 1,
            Ok(Outcome::There) => self.there += 1,
            Ok(Outcome::Refused(error)) => {
                self.refused += 1;
                self.refuse(format!("up: {}", walk::reason(&error, schema)), &describe);
            }
            Ok(Outcome::OneWay(error)) => {
                self.one_way += 1;
                self.refuse(format!("down: {}", walk::reason(&error, schema)), &describe);
            }
            Err(failure) => self.failures.push(format!("== {describe}\n{failure}")),
        }
    }

    fn refuse(&mut self, reason: String, example: &str) {
        self.reasons
            .entry(reason)
            .or_insert((0, example.to_owned()))
            .0 += 1;
    }

    fn add(&mut self, other: Self) {
        self.back += other.back;
        self.there += other.there;
        self.refused += other.refused;
        self.one_way += other.one_way;
        self.failures.extend(other.failures);
        for (reason, (often, example)) in other.reasons {
            self.reasons.entry(reason).or_insert((0, example)).0 += often;
        }
    }
}

/// A change and its plan.
struct Change {
    operation: Operation,
    migration: Migration,
    plan: Result<Plan, Error>,
}

impl Change {
    fn keeps_everything(&self) -> bool {
        match &self.plan {
            Ok(plan) => plan.migrations[0].reversible == Reversibility::Lossless,
            Err(_) => true,
        }
    }
}

async fn work(template: String, number: usize, schema: Schema, changes: Vec<Operation>) -> Tally {
    let mut copy = Copy::new(&template, number).await;
    let before = copy.read().await;
    let mut tally = Tally::default();
    let untouched = mark(&mut copy.other).await;
    let mut planned = Vec::new();
    for operation in changes {
        match Migration::new("change", None, vec![operation.clone()], None) {
            Ok(migration) => planned.push(Change {
                plan: copy.database.engine().plan(&migration).await,
                operation,
                migration,
            }),
            Err(problems) => {
                let error = Error::from(problems).hint("it is told at once");
                tally.note(&operation, Ok(Outcome::Refused(error)), &schema);
            }
        }
    }
    if mark(&mut copy.other).await != untouched {
        tally.failures.push("a plan touched the catalog".to_owned());
    }
    let (keeping, mut alone): (Vec<Change>, Vec<Change>) =
        planned.into_iter().partition(Change::keeps_everything);
    let mut keeping = keeping.into_iter().peekable();
    let mut tried: Vec<Change> = Vec::new();
    while let Some(change) = keeping.next() {
        let outcome = try_out(&before, &mut copy, &change, false).await;
        let mut spoilt = false;
        match outcome {
            Ok(Outcome::ThereAndBack) => tried.push(change),
            outcome => {
                spoilt = !matches!(outcome, Ok(Outcome::Refused(_)));
                tally.note(&change.operation, outcome, &schema);
            }
        }
        if spoilt || tried.len() >= AT_ONCE || keeping.peek().is_none() {
            let as_before = !spoilt && same(&before, &copy.read().await, &Kept::Everything).is_ok();
            if as_before {
                tally.back += tried.len();
                tried.clear();
            } else {
                alone.append(&mut tried);
                copy.renew().await;
            }
        }
    }
    for change in alone {
        let outcome = try_out(&before, &mut copy, &change, true).await;
        let stays = matches!(outcome, Ok(Outcome::ThereAndBack | Outcome::Refused(_)));
        tally.note(&change.operation, outcome, &schema);
        if !stays {
            copy.renew().await;
        }
    }
    copy.admin_drop().await;
    tally
}

impl Copy {
    async fn admin_drop(mut self) {
        let text = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        run(&mut self.admin, &text).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_database_with_everything_in_it() {
    every_change("lived_in", include_str!("lived_in.sql")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_database_that_grew_over_years() {
    every_change("rentals", include_str!("rentals.sql")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_database_that_frameworks_made() {
    every_change("frameworks", include_str!("frameworks.sql")).await;
}

async fn every_change(name: &str, script: &str) {
    let template = template(name, script).await;
    let schema = {
        let mut copy = Copy::new(&template, WORKERS).await;
        let schema = copy.database.engine().live_schema().await.unwrap();
        copy.renew().await;
        copy.admin_drop().await;
        schema
    };
    let only = std::env::var("DUCTAPE_CHANGE").ok();
    let all: Vec<Operation> = walk::all(&schema, &WORDS)
        .into_iter()
        .filter(|operation| {
            only.as_ref()
                .is_none_or(|only| operation.describe().contains(only))
        })
        .collect();
    let wanted = std::env::var("DUCTAPE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(CHANGES)
        .min(all.len());
    let sample: Vec<Operation> = (0..wanted)
        .map(|n| all[n * all.len() / wanted].clone())
        .collect();
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let changes = sample
                .iter()
                .skip(number)
                .step_by(WORKERS)
                .cloned()
                .collect();
            tokio::spawn(work(template.clone(), number, schema.clone(), changes))
        })
        .collect();
    let mut tally = Tally::default();
    for worker in workers {
        tally.add(worker.await.unwrap());
    }
    println!(
        "{name}: {} changes there and back with everything, {} with the shape, {} one way as foretold, {} refused, {} of {} left out",
        tally.back,
        tally.there,
        tally.one_way,
        tally.refused,
        all.len() - wanted,
        all.len()
    );
    for (reason, (often, example)) in &tally.reasons {
        println!("  {often:4} {reason}\n         such as: {example}");
    }
    assert!(
        tally.failures.is_empty(),
        "{} failed\n{}",
        tally.failures.len(),
        tally.failures.join("\n")
    );
    assert!(tally.back > tally.refused / 2);
}
