//! Migrations to measure with: the same ones every time.

use ductape::core::{Direction, Operation, Schema, Step};
use ductape::core::{compiler::Compiler, compiler::Context, resolve};
use ductape::{Migration, MigrationSet, Sqlite};
use std::fmt::Write;

/// The JSON of one operation that makes a table of six columns with a key and two indexes.
pub fn table(name: &str) -> String {
    format!(
        r#"{{"type":"createCollection","name":"{name}","fields":[
{{"name":"id","type":"integer","primaryKey":true}},
{{"name":"email","type":"string","length":255,"required":true}},
{{"name":"title","type":"string","length":100}},
{{"name":"amount","type":"decimal","precision":10,"scale":2}},
{{"name":"active","type":"boolean","required":true,"default":true}},
{{"name":"created","type":"timestamp"}}],
"indexes":[{{"name":"idx_{name}_email","fields":["email"]}},{{"name":"idx_{name}_created","fields":["created","active"]}}]}}"#
    )
}

fn field(table: &str, name: &str) -> String {
    format!(
        r#"{{"type":"addField","collection":"{table}","field":{{"name":"{name}","type":"string","length":20}}}}"#
    )
}

fn index(table: &str, name: &str, field: &str) -> String {
    format!(
        r#"{{"type":"createIndex","collection":"{table}","index":{{"name":"{name}","fields":["{field}"]}}}}"#
    )
}

/// So many operations, mixed: a table, a field of it, an index over that field, and so on. The names
/// begin with a prefix.
pub fn mixed_operations(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|place| {
            let name = format!("{prefix}{}", place / 3);
            match place % 3 {
                0 => table(&name),
                1 => field(&name, "phone"),
                _ => index(&name, &format!("idx_{name}_phone"), "phone"),
            }
        })
        .collect()
}

/// Operations as one JSON list.
pub fn list(operations: &[String]) -> String {
    format!("[{}]", operations.join(","))
}

/// Operations, read.
pub fn read(operations: &[String]) -> Vec<Operation> {
    Migration::parse_operations(&list(operations)).expect("the operations are valid")
}

/// The tag's text of the migration at a place: a second after the one before.
pub fn tag(place: usize, name: &str) -> String {
    let (day, second) = (place / 86_400, place % 86_400);
    format!(
        "202401{:02}_{:02}{:02}{:02}_{name}",
        day + 1,
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// The text of a migration's file.
pub fn file(place: usize, operations: &[String]) -> String {
    format!(
        r#"{{"format":1,"tag":"{}","up":{}}}"#,
        tag(place, &format!("change_{place}")),
        list(operations)
    )
}

/// The texts of so many migrations of one operation each, mixed as in [`mixed_operations`].
pub fn mixed_files(count: usize) -> Vec<String> {
    mixed_operations("t", count)
        .chunks(1)
        .enumerate()
        .map(|(place, operations)| file(place, operations))
        .collect()
}

/// The texts of so many migrations that leave a small schema behind: a table, then an index on it made
/// and dropped in turn. So a long history can be measured without a large catalog.
pub fn long_files(count: usize) -> Vec<String> {
    let drop = r#"{"type":"dropIndex","collection":"t","index":"idx_t_title"}"#.to_owned();
    (0..count)
        .map(|place| {
            let operation = match place {
                0 => table("t"),
                odd if odd % 2 == 1 => index("t", "idx_t_title", "title"),
                _ => drop.clone(),
            };
            file(place, &[operation])
        })
        .collect()
}

/// Files, read.
pub fn migrations(files: &[String]) -> Vec<Migration> {
    files
        .iter()
        .map(|text| Migration::parse(text).expect("the migration is valid"))
        .collect()
}

/// Files, read as a set.
pub fn set(files: &[String]) -> MigrationSet {
    MigrationSet::new(migrations(files)).expect("the migrations are a set")
}

/// A migration's file of at least so many bytes.
pub fn large_file(bytes: usize) -> String {
    let mut text = format!(
        r#"{{"format":1,"tag":"{}","up":["#,
        tag(0, "large").as_str()
    );
    let mut place = 0;
    while text.len() < bytes {
        let separator = if place == 0 { "" } else { "," };
        let _ = write!(text, "{separator}{}", table(&format!("t{place}")));
        place += 1;
    }
    text + "]}"
}

/// The same for a server where a field's name can be changed for next to nothing, and where an index on a
/// table that is there would be built beside others' work: a table, then one of its fields renamed to and fro.
pub fn long_renaming_files(count: usize) -> Vec<String> {
    let rename = |from: &str, to: &str| {
        format!(r#"{{"type":"renameField","collection":"t","from":"{from}","to":"{to}"}}"#)
    };
    (0..count)
        .map(|place| {
            let operation = match place {
                0 => table("t"),
                odd if odd % 2 == 1 => rename("title", "heading"),
                _ => rename("heading", "title"),
            };
            file(place, &[operation])
        })
        .collect()
}

/// The texts of so many migrations, mixed as in [`mixed_operations`], each of which can share a transaction
/// with its record everywhere.
pub fn mixed_files_in_transactions(count: usize) -> Vec<String> {
    mixed_operations("t", count)
        .into_iter()
        .map(|operation| {
            operation.replace(
                r#""fields":["phone"]"#,
                r#""fields":["phone"],"online":false"#,
            )
        })
        .enumerate()
        .map(|(place, operation)| file(place, &[operation]))
        .collect()
}

/// Operations resolved against a schema and compiled for SQLite, as a run does.
pub fn compile(operations: &[Operation], schema: &mut Schema) -> Vec<Step> {
    compile_for(&Sqlite, operations, schema)
}

/// Operations resolved against a schema and compiled for a database.
pub fn compile_for(
    compiler: &dyn Compiler,
    operations: &[Operation],
    schema: &mut Schema,
) -> Vec<Step> {
    let naming = compiler.capabilities().naming();
    let resolved = resolve(operations, schema, &naming).expect("the operations fit");
    compiler
        .compile(&resolved, &Context::new(Direction::Up))
        .expect("the database can do them")
}

/// The SQL of each migration, as Ductape compiles it for SQLite.
pub fn sql(migrations: &[Migration]) -> Vec<String> {
    sql_for(&Sqlite, migrations)
}

/// The SQL of each migration, as Ductape compiles it for a database.
pub fn sql_for(compiler: &dyn Compiler, migrations: &[Migration]) -> Vec<String> {
    let mut schema = Schema::new().of(compiler.capabilities().backend);
    migrations
        .iter()
        .map(|migration| {
            let mut text = String::new();
            for step in compile_for(compiler, migration.up(), &mut schema) {
                let _ = writeln!(text, "{};", step.shown());
            }
            text
        })
        .collect()
}
