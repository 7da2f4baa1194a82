//! scratch, not committed
use ductape_core::compiler::{Action, Direction};
use ductape_core::*;
use ductape_sql::postgres::Postgres;
use std::io::Read;
fn print(ops: &[Operation], schema: &mut Schema, dir: Direction) -> Option<Vec<Resolved>> {
    let resolved = match resolve(ops, schema, &Postgres.capabilities().naming()) {
        Ok(r) => r,
        Err(e) => {
            println!("-- MISFIT {e:?}");
            return None;
        }
    };
    match Postgres.compile(&resolved, &Context::new(dir)) {
        Err(r) => {
            for r in r {
                println!("-- REFUSED {} : {} ({})", r.describe, r.reason, r.hint)
            }
        }
        Ok(steps) => {
            for s in steps {
                for g in &s.guards {
                    println!("-- GUARD {} ({})\n{};", g.rows, g.hint, g.question);
                }
                for r in &s.risks {
                    println!("-- RISK {:?} {}", r.kind, r.message);
                }
                if !s.is_transactional() {
                    println!("-- ALONE");
                }
                match &s.action {
                    Action::Statement(t) => println!("{t};"),
                    Action::Data(j) => {
                        println!("-- DATA {}", j.work);
                        println!("{};", j.statement)
                    }
                }
            }
        }
    }
    Some(resolved)
}
fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let mut schema = Schema::new().of(BackendName::Postgresql);
    let lists: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut back = Vec::new();
    for list in lists {
        let ops = Migration::parse_operations(&list.to_string()).unwrap();
        println!("-- ===== up");
        if let Some(r) = print(&ops, &mut schema, Direction::Up) {
            back.push(r);
        }
    }
    for r in back.iter().rev() {
        println!("-- ===== down");
        match way_back(r) {
            Ok(inv) => {
                print(&inv.operations, &mut schema, Direction::Down);
            }
            Err(e) => println!("-- IRREVERSIBLE {e:?}"),
        }
    }
}
