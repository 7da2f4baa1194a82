//! The README's JSON is read, and is the migration that its Rust makes. The Rust itself is compiled
//! with the documentation's tests.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use ductape::prelude::*;

const README: &str = include_str!("../../README.md");

#[test]
fn the_json_is_the_migration_that_the_rust_makes() {
    let (_, rest) = README.split_once("```json\n").expect("a JSON sample");
    let (json, _) = rest.split_once("```").expect("its end");
    let read = Migration::parse(json).unwrap();
    // As the README has it in Rust.
    let sample = r#"migration("create_users")
        .description("People who can sign in")
        .create_collection("users", [
            uuid("id").primary_key(),
            string("email").length(255).required().unique(),
            string("name").length(100),
        ])
        .create_index("users", index("idx_users_name", ["name"]))
        .build()?;"#;
    assert!(README.contains(sample), "the sample below is another one");
    let made = migration("create_users")
        .description("People who can sign in")
        .create_collection(
            "users",
            [
                uuid("id").primary_key(),
                string("email").length(255).required().unique(),
                string("name").length(100),
            ],
        )
        .create_index("users", index("idx_users_name", ["name"]))
        .build()
        .unwrap();
    assert_eq!(read.checksum(), made.checksum());
    assert_eq!(read.description(), made.description());
}
