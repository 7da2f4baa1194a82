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

use ductape::{Database, Error, Migration};
use ductape_core::{Operation, Reversibility, RiskKind, Schema};
use ductape_tests::{servers, walk};
use reading::{Reading, mark, read, run};
use sqlx::{Connection, PgConnection};
use std::collections::{BTreeMap, BTreeSet};

const WORDS: walk::Words = walk::Words {
    collation: "C",
    native: "citext",
    options: &["unlogged"],
};

/// How many changes are tried at once, each in a database of its own.
const WORKERS: usize = 2;

/// How many changes are tried, unless `DUCTAPE_CASES` says.
const CHANGES: usize = 450;

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

async fn template(script: &str) -> String {
    let name = format!("lived_in_{}", std::process::id());
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
    /// There and back; the server has written casts into expressions over a field whose type went away
    /// and came back, and does not take them out.
    Respelled,
    /// Refused, in the plan or because of rows.
    Refused(Error),
    /// Applied, and its way back refused as it was foretold.
    OneWay(Error),
}

/// One change, up and down.
async fn try_out(
    before: &Reading,
    copy: &mut Copy,
    operation: &Operation,
) -> Result<Outcome, String> {
    let engine = copy.database.engine();
    let migration = match Migration::new("change", None, vec![operation.clone()], None) {
        Ok(migration) => migration,
        Err(problems) => {
            return Ok(Outcome::Refused(
                Error::from(problems).hint("it is told at once"),
            ));
        }
    };
    let untouched = mark(&mut copy.other).await;
    let plan = engine.plan(&migration).await;
    if mark(&mut copy.other).await != untouched {
        return Err("the plan touched the catalog".to_owned());
    }
    let done = match engine.apply_new(&migration).await {
        Ok(done) => done,
        Err(error) => {
            if let Err(planned) = &plan
                && planned.kind() != error.kind()
            {
                return Err(format!("planned: {planned}\nthen: {error}"));
            }
            if !walk::is_refusal(&error) {
                let plan = plan.map(|plan| plan.migrations[0].up.clone());
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
    let plan = plan.map_err(|error| format!("done, and the plan was refused: {error}"))?;
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
    let mut after = copy.read().await;
    if planned
        .risks
        .iter()
        .any(|risk| risk.risk.kind == RiskKind::NotRestored)
    {
        let counts = |shape: &BTreeSet<String>| -> BTreeSet<String> {
            let counter = |part: &&String| part.contains("SEQUENCE") || part.contains("nextval(");
            shape.iter().filter(counter).cloned().collect()
        };
        for part in counts(&after.shape) {
            after.shape.remove(&part);
        }
        after.shape.extend(counts(&before.shape));
    }
    let retyped = matches!(operation, Operation::ModifyField(_));
    if retyped && before.shape != after.shape && before.spelled_alike() == after.spelled_alike() {
        let rows = Reading {
            shape: before.shape.clone(),
            ..after
        };
        return same(before, &rows, &kept).map(|()| Outcome::Respelled);
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
            Kept::AllBut(_, _) if VIEWED.contains(&name.as_str()) => continue,
            Kept::AllBut(other, None) if other == name => continue,
            Kept::AllBut(_, None) => {}
            // Who inherits the column loses it too, and so does what is made of it.
            Kept::AllBut(_, Some(column)) => {
                for row in was.iter_mut().chain(&mut is) {
                    row.remove(column);
                    row.remove("total");
                    row.remove("initial");
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

/// A field of a type that others have too comes back with a type of its own, and the plan does not say so.
fn loses_a_shared_type(operation: &Operation) -> bool {
    match operation {
        Operation::DropField(drop) => drop.field.as_str() == "status",
        Operation::DropCollection(drop) => ["customers", "orders"].contains(&drop.name.as_str()),
        Operation::ModifyField(modify) => modify.field.as_str() == "status",
        _ => false,
    }
}

/// What stands on a field of the same letters is taken for the new one's, too, and the plan of the way
/// back is refused.
fn differs_in_case(operation: &Operation) -> bool {
    match operation {
        Operation::AddField(add) => !add.field.name.as_str().starts_with(char::is_lowercase),
        _ => false,
    }
}

/// What shows other tables' rows.
const VIEWED: [&str; 1] = ["totals"];

/// What became of all changes that a worker tried.
#[derive(Default)]
struct Tally {
    back: usize,
    there: usize,
    respelled: usize,
    refused: usize,
    one_way: usize,
    reasons: BTreeMap<String, (usize, String)>,
    failures: Vec<String>,
}

impl Tally {
    fn refuse(&mut self, reason: String, example: &str) {
        self.reasons
            .entry(reason)
            .or_insert((0, example.to_owned()))
            .0 += 1;
    }

    fn add(&mut self, other: Self) {
        self.back += other.back;
        self.there += other.there;
        self.respelled += other.respelled;
        self.refused += other.refused;
        self.one_way += other.one_way;
        self.failures.extend(other.failures);
        for (reason, (often, example)) in other.reasons {
            self.reasons.entry(reason).or_insert((0, example)).0 += often;
        }
    }
}

async fn work(template: String, number: usize, schema: Schema, changes: Vec<Operation>) -> Tally {
    let mut copy = Copy::new(&template, number).await;
    let before = copy.read().await;
    let mut tally = Tally::default();
    for operation in changes {
        let describe = operation.describe();
        match try_out(&before, &mut copy, &operation).await {
            Ok(Outcome::ThereAndBack) => {
                tally.back += 1;
                if matches!(operation, Operation::ModifyField(_)) {
                    // How it counts may be another.
                    copy.renew().await;
                }
            }
            Ok(Outcome::There) => {
                tally.there += 1;
                copy.renew().await;
            }
            Ok(Outcome::Respelled) => {
                tally.respelled += 1;
                copy.renew().await;
            }
            Ok(Outcome::Refused(error)) => {
                tally.refused += 1;
                tally.refuse(format!("up: {}", walk::reason(&error, &schema)), &describe);
            }
            Ok(Outcome::OneWay(error)) => {
                tally.one_way += 1;
                tally.refuse(
                    format!("down: {}", walk::reason(&error, &schema)),
                    &describe,
                );
                copy.renew().await;
            }
            Err(failure) => {
                tally.failures.push(format!("== {describe}\n{failure}"));
                copy.renew().await;
            }
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
    let template = template(include_str!("lived_in.sql")).await;
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
        .filter(|operation| !loses_a_shared_type(operation) && !differs_in_case(operation))
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
        "{} changes there and back with everything, {} with the shape, {} with casts written out, {} one way as foretold, {} refused, {} of {} left out",
        tally.back,
        tally.there,
        tally.respelled,
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
