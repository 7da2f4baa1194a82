//! The JSON Schema of a migration file, as it is published.
#![allow(clippy::unwrap_used, reason = "tests")]

#[test]
fn the_schema_of_a_migration_file() {
    let schema = ductape_core::migration::json_schema();
    let text = serde_json::to_string_pretty(&schema).unwrap();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("migration_schema", text);
    });
}
