//! The cases that every database is put through: migrations, written once.

use ductape::Migration;
use ductape::builder::prelude::*;
use ductape_core::{BackendName, Problems};

/// A case: a name and migrations that are applied one after the other.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Makes the migrations.
    pub migrations: fn() -> Result<Vec<Migration>, Problems>,
    /// The databases that it is for; every one if empty.
    pub only: &'static [BackendName],
}

const SQL: &[BackendName] = &[BackendName::Sqlite, BackendName::Postgresql];

/// Every case.
pub const CASES: &[Case] = &[
    Case {
        name: "create_add_index",
        migrations: create_add_index,
        only: &[],
    },
    Case {
        name: "unique_and_foreign_keys",
        migrations: unique_and_foreign_keys,
        only: SQL,
    },
    Case {
        name: "modify_and_rename",
        migrations: modify_and_rename,
        only: SQL,
    },
    Case {
        name: "drop_what_hangs_together",
        migrations: drop_what_hangs_together,
        only: SQL,
    },
    Case {
        name: "update_in_the_middle",
        migrations: update_in_the_middle,
        only: SQL,
    },
    Case {
        name: "update_that_counts",
        migrations: update_that_counts,
        only: SQL,
    },
    Case {
        name: "raw_between",
        migrations: raw_between,
        only: SQL,
    },
    Case {
        name: "raw_on_what_is_on_record",
        migrations: raw_on_what_is_on_record,
        only: SQL,
    },
    Case {
        name: "hostile_names",
        migrations: hostile_names,
        only: SQL,
    },
];

fn tagged(
    number: u32,
    name: &str,
    migration: MigrationBuilderResult,
) -> Result<Migration, Problems> {
    let migration = migration?;
    let tag = format!("20240115_1430{number:02}_{name}");
    match tag.parse() {
        Ok(tag) => Ok(migration.with_tag(tag)),
        Err(_) => Err(Problems(Vec::new())),
    }
}

type MigrationBuilderResult = Result<Migration, Problems>;

/// The thinnest whole path: a collection, a field with a default over rows that are there, an index.
fn create_add_index() -> Result<Vec<Migration>, Problems> {
    Ok(vec![
        tagged(
            0,
            "create_users",
            migration("create_users")
                .create_collection(
                    "users",
                    [string("id").length(40).primary_key(), string("email")],
                )
                .build(),
        )?,
        tagged(
            1,
            "add_status",
            migration("add_status")
                .add_field("users", string("status").length(20).default("new"))
                .build(),
        )?,
        tagged(
            2,
            "index_email",
            migration("index_email")
                .create_index("users", index("idx_users_email", ["email"]))
                .build(),
        )?,
    ])
}

fn unique_and_foreign_keys() -> Result<Vec<Migration>, Problems> {
    Ok(vec![
        tagged(
            0,
            "create_order_system",
            migration("create_order_system")
                .create_collection(
                    "orders",
                    [
                        uuid("id").primary_key(),
                        string("number").length(20).required().unique(),
                        enumeration("status", ["open", "paid"]).default("open"),
                        decimal("total", 10, 2),
                    ],
                )
                .timestamps()
                .create_collection(
                    "order_items",
                    [
                        uuid("id").primary_key(),
                        uuid("order_id").required(),
                        integer("quantity").required().default(1),
                    ],
                )
                .add_constraint(
                    "order_items",
                    foreign_key(["order_id"])
                        .references("orders", ["id"])
                        .on_delete(Cascade),
                )
                .create_index("order_items", index_on(["order_id"]))
                .build(),
        )?,
        tagged(
            1,
            "check_quantity",
            migration("check_quantity")
                .add_constraint("order_items", check("quantity > 0").name("ck_quantity"))
                .build(),
        )?,
    ])
}

fn modify_and_rename() -> Result<Vec<Migration>, Problems> {
    Ok(vec![
        tagged(
            0,
            "create_people",
            migration("create_people")
                .create_collection(
                    "people",
                    [
                        integer("id").primary_key().auto_increment(),
                        string("name").length(50).required(),
                        integer("age"),
                    ],
                )
                .create_index("people", index("idx_people_age", ["age"]))
                .build(),
        )?,
        tagged(
            1,
            "widen",
            migration("widen")
                .modify_field("people", "name", change().length(200))
                .modify_field("people", "age", change().required().default(0))
                .build(),
        )?,
        tagged(
            2,
            "rename",
            migration("rename")
                .rename_field("people", "name", "full name")
                .rename_collection("people", "humans")
                .build(),
        )?,
    ])
}

fn drop_what_hangs_together() -> Result<Vec<Migration>, Problems> {
    let mut migrations = unique_and_foreign_keys()?;
    migrations.push(tagged(
        2,
        "drop_number",
        migration("drop_number")
            .drop_field("orders", "number")
            .build(),
    )?);
    migrations.push(tagged(
        3,
        "drop_orders",
        migration("drop_orders")
            .drop_collection("orders")
            .cascade()
            .build(),
    )?);
    Ok(migrations)
}

fn update_in_the_middle() -> Result<Vec<Migration>, Problems> {
    Ok(vec![
        tagged(
            0,
            "create_users",
            migration("create_users")
                .create_collection(
                    "users",
                    [
                        integer("id").primary_key(),
                        string("first_name"),
                        string("last_name"),
                    ],
                )
                .build(),
        )?,
        tagged(
            1,
            "full_name",
            migration("full_name")
                .add_field("users", string("full_name"))
                .update("users")
                .set(
                    "full_name",
                    concat([field("first_name"), lit(" "), field("last_name")]),
                )
                .filter(is_null("full_name"))
                .drop_field("users", "first_name")
                .drop_field("users", "last_name")
                .build(),
        )?,
    ])
}

/// An update that would not be the same if it were done twice: the check at the end would refuse.
fn update_that_counts() -> Result<Vec<Migration>, Problems> {
    Ok(vec![
        tagged(
            0,
            "create_counters",
            migration("create_counters")
                .create_collection(
                    "counters",
                    [integer("id").primary_key(), integer("n").default(0)],
                )
                .raw(
                    ["sqlite", "postgresql"],
                    "INSERT INTO counters (id) VALUES (1), (2), (3)",
                )
                .inverse("DELETE FROM counters")
                .build(),
        )?,
        tagged(
            1,
            "count",
            migration("count")
                .update("counters")
                .set("n", add(field("n"), lit(1)))
                .build(),
        )?,
        tagged(
            2,
            "counted_once",
            migration("counted_once")
                .add_constraint("counters", check("n = 1").name("counted_once"))
                .build(),
        )?,
    ])
}

fn raw_between() -> Result<Vec<Migration>, Problems> {
    let mut migrations = create_add_index()?;
    migrations.push(tagged(
        3,
        "raw_rows",
        migration("raw_rows")
            .raw(
                ["sqlite", "postgresql"],
                "INSERT INTO users (id, email) VALUES ('r', 'r@example.org')",
            )
            .inverse("DELETE FROM users WHERE id = 'r'")
            .build(),
    )?);
    migrations.push(tagged(
        4,
        "raw_table",
        migration("raw_table")
            .raw(
                ["sqlite", "postgresql"],
                "CREATE TABLE made_by_hand (id INTEGER)",
            )
            .inverse("DROP TABLE made_by_hand")
            .build(),
    )?);
    migrations.push(tagged(
        5,
        "on_the_raw_one",
        migration("on_the_raw_one")
            .add_field("made_by_hand", text("note"))
            .build(),
    )?);
    Ok(migrations)
}

/// What raw statements do to a collection on record is followed by the record, definitions that the
/// model has no words for included.
fn raw_on_what_is_on_record() -> Result<Vec<Migration>, Problems> {
    let mut migrations = create_add_index()?;
    migrations.push(tagged(
        3,
        "raw_column_and_view",
        migration("raw_column_and_view")
            .raw("sqlite", "ALTER TABLE users ADD COLUMN note TEXT")
            .inverse("ALTER TABLE users DROP COLUMN note")
            .raw(
                "sqlite",
                "CREATE TRIGGER noted AFTER INSERT ON users BEGIN SELECT 1; END",
            )
            .inverse("DROP TRIGGER noted")
            .raw(
                ["sqlite", "postgresql"],
                "CREATE VIEW addresses AS SELECT email FROM users",
            )
            .inverse("DROP VIEW addresses")
            .build(),
    )?);
    migrations.push(tagged(
        4,
        "after_it",
        migration("after_it")
            .add_field("users", integer("age"))
            .build(),
    )?);
    migrations.push(tagged(
        5,
        "raw_alone",
        migration("raw_alone")
            .raw("sqlite", "ALTER TABLE users ADD COLUMN alone TEXT")
            .inverse("ALTER TABLE users DROP COLUMN alone")
            .transactional(false)
            .build(),
    )?);
    Ok(migrations)
}

fn hostile_names() -> Result<Vec<Migration>, Problems> {
    Ok(vec![tagged(
        0,
        "hostile",
        migration("hostile")
            .create_collection(
                "select \"from\"; DROP TABLE x; --",
                [
                    integer("order").primary_key(),
                    string("it's 🧾").default("'); DROP TABLE x; --"),
                    enumeration("Größe", ["'", "\"", "a,b", "🧾"]).default("'"),
                ],
            )
            .create_index(
                "select \"from\"; DROP TABLE x; --",
                index("index`[]", ["it's 🧾"]).unique(),
            )
            .build(),
    )?])
}
