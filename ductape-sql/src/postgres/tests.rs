//! What becomes of whole lists of operations.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use super::Postgres;
use super::update::batch;
use ductape_core::compiler::{Action, Atomicity, Direction, Mark};
use ductape_core::{
    BackendName, Compiler, Context, Migration, Refusal, Schema, Step, resolve, way_back,
};

fn schema(before: &str) -> Schema {
    let mut schema = Schema::new().of(BackendName::Postgresql);
    let operations = Migration::parse_operations(before).unwrap();
    resolve(&operations, &mut schema, &Postgres.capabilities().naming()).unwrap();
    schema
}

fn compiled(before: &str, then: &str, direction: Direction) -> Result<Vec<Step>, Vec<Refusal>> {
    let mut schema = schema(before);
    let operations = Migration::parse_operations(then).unwrap();
    let resolved = resolve(&operations, &mut schema, &Postgres.capabilities().naming()).unwrap();
    Postgres.compile(&resolved, &Context::new(direction))
}

/// The steps there, and the steps back.
fn there_and_back(before: &str, then: &str) -> (Vec<Step>, Vec<Step>) {
    let mut schema = schema(before);
    let operations = Migration::parse_operations(then).unwrap();
    let naming = Postgres.capabilities().naming();
    let up = resolve(&operations, &mut schema, &naming).unwrap();
    let back = way_back(&up).unwrap().operations;
    let down = resolve(&back, &mut schema, &naming).unwrap();
    let compile = |list: &[_], direction| Postgres.compile(list, &Context::new(direction)).unwrap();
    (compile(&up, Direction::Up), compile(&down, Direction::Down))
}

fn up(before: &str, then: &str) -> Vec<Step> {
    compiled(before, then, Direction::Up).unwrap()
}

/// Each statement; one that stands alone has a star before it.
fn shown(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .map(|step| {
            let star = if step.is_transactional() { "" } else { "* " };
            format!("{star}{}", step.shown())
        })
        .collect()
}

fn refusals(before: &str, then: &str) -> Vec<String> {
    let refusals = compiled(before, then, Direction::Up).unwrap_err();
    assert!(refusals.iter().all(|refusal| !refusal.hint.is_empty()));
    refusals.into_iter().map(|refusal| refusal.reason).collect()
}

const USERS: &str = r#"[{"type": "createCollection", "name": "users", "fields": [
    {"name": "id", "type": "integer", "primaryKey": true, "autoIncrement": true},
    {"name": "email", "type": "string", "length": 100},
    {"name": "team", "type": "integer"},
    {"name": "status", "type": "enum", "enumValues": ["on", "off"], "default": "on"}]},
    {"type": "createCollection", "name": "teams", "fields": [
    {"name": "id", "type": "integer", "primaryKey": true}]}]"#;

#[test]
fn nobody_waits_for_an_index_of_a_collection_that_was_there() {
    let index = r#"{"type": "createIndex", "collection": "users", "index": {"fields": ["email"]}}"#;
    let (there, back) = there_and_back(USERS, &format!("[{index}]"));
    assert_eq!(
        shown(&there),
        [r#"* CREATE INDEX CONCURRENTLY "idx_users_email" ON "users" ("email")"#]
    );
    assert_eq!(
        shown(&back),
        [r#"* DROP INDEX CONCURRENTLY "idx_users_email""#]
    );
    let offline = index.replace("[\"email\"]", "[\"email\"], \"online\": false");
    assert_eq!(
        shown(&up(USERS, &format!("[{offline}]"))),
        [r#"CREATE INDEX "idx_users_email" ON "users" ("email")"#]
    );
}

#[test]
fn a_collection_of_the_same_list_is_changed_without_ado() {
    let made = USERS.strip_suffix(']').unwrap();
    let (there, back) = there_and_back(
        "[]",
        &format!(
            r#"{made},
            {{"type": "createIndex", "collection": "users", "index": {{"fields": ["email"], "unique": true}}}},
            {{"type": "addConstraint", "collection": "users", "constraint": {{"type": "foreignKey",
              "columns": ["team"], "references": {{"table": "teams", "columns": ["id"]}}}}}},
            {{"type": "modifyField", "collection": "users", "field": "team", "changes": {{"required": true}}}}]"#
        ),
    );
    for step in there.iter().chain(&back) {
        assert!(step.is_transactional(), "{}", step.shown());
        assert!(step.guards.is_empty(), "{}", step.shown());
    }
}

#[test]
fn an_index_waits_for_nobody_where_its_collection_is_locked_or_falls_later_in_the_list() {
    let index = r#"{"type": "createIndex", "collection": "users", "index": {"name": "by_email", "fields": ["email"]}}"#;
    let before = format!("{},{index}]", USERS.strip_suffix(']').unwrap());
    let falls = r#"{"type": "dropIndex", "collection": "users", "index": "by_email"}"#;
    let changes = |collection, field| {
        format!(
            r#"{{"type": "modifyField", "collection": "{collection}", "field": "{field}", "changes": {{"type": "text"}}}}"#
        )
    };
    let (users, teams) = (changes("users", "email"), changes("teams", "id"));
    let gone = |collection| {
        format!(r#"{{"type": "dropCollection", "name": "{collection}", "cascade": true}}"#)
    };
    let concurrently = |operations: &[&str]| -> Vec<bool> {
        let steps = up(&before, &format!("[{}]", operations.join(",")));
        let steps = shown(&steps).into_iter();
        steps
            .filter(|text| text.contains("INDEX"))
            .map(|text| text.contains("CONCURRENTLY"))
            .collect()
    };
    assert_eq!(concurrently(&[falls, &users, index]), [false, false]);
    assert_eq!(concurrently(&[&users, falls, index]), [true, true]);
    assert_eq!(concurrently(&[falls, index, &users]), [true, true]);
    assert_eq!(concurrently(&[falls, &teams, index]), [true, true]);
    assert_eq!(concurrently(&[falls, &gone("users")]), [false]);
    assert_eq!(concurrently(&[falls, &gone("teams")]), [true]);
}

#[test]
fn an_enum_grows_in_a_transaction_of_its_own_only_where_its_values_may_be_used_next() {
    let grows = r#"{"type": "modifyField", "collection": "users", "field": "status", "changes": {"enumValues": ["on", "off", "gone"]}}"#;
    let raw = r#"{"type": "raw", "backend": "postgresql", "statement": "SELECT 1"}"#;
    let add = |collection| {
        format!(
            r#"{{"type": "addField", "collection": "{collection}", "field": {{"name": "more", "type": "integer"}}}}"#
        )
    };
    let alone = |operations: &[&str]| -> bool {
        let steps = up(USERS, &format!("[{}]", operations.join(",")));
        let grown = shown(&steps)
            .into_iter()
            .find(|text| text.contains("ADD VALUE"));
        grown.unwrap().starts_with("* ")
    };
    assert!(!alone(&[grows]));
    assert!(alone(&[grows, &add("users")]));
    assert!(!alone(&[&add("users"), grows]));
    assert!(!alone(&[grows, &add("teams")]));
    assert!(alone(&[grows, raw]));
    assert!(!alone(&[raw, grows]));
}

#[test]
fn constraints_are_validated_when_writers_may_write_again() {
    let steps = up(
        USERS,
        r#"[{"type": "addConstraint", "collection": "users", "constraint": {"type": "foreignKey",
             "columns": ["team"], "references": {"table": "teams", "columns": ["id"], "onDelete": "SET NULL"}}},
            {"type": "addConstraint", "collection": "users", "constraint": {"type": "unique", "columns": ["email"], "deferrable": "deferred"}},
            {"type": "modifyField", "collection": "users", "field": "email", "changes": {"required": true}}]"#,
    );
    assert_eq!(
        shown(&steps),
        [
            r#"ALTER TABLE "users" ADD CONSTRAINT "fk_users_team" FOREIGN KEY ("team") REFERENCES "teams" ("id") ON DELETE SET NULL NOT VALID"#,
            r#"* ALTER TABLE "users" VALIDATE CONSTRAINT "fk_users_team""#,
            r#"* CREATE UNIQUE INDEX CONCURRENTLY "uq_users_email" ON "users" ("email")"#,
            r#"ALTER TABLE "users" ADD CONSTRAINT "uq_users_email" UNIQUE USING INDEX "uq_users_email" DEFERRABLE INITIALLY DEFERRED"#,
            r#"ALTER TABLE "users" ADD CONSTRAINT "ck_users_email_not_null" CHECK ("email" IS NOT NULL) NOT VALID"#,
            r#"* ALTER TABLE "users" VALIDATE CONSTRAINT "ck_users_email_not_null""#,
            r#"ALTER TABLE "users" ALTER COLUMN "email" SET NOT NULL"#,
            r#"ALTER TABLE "users" DROP CONSTRAINT "ck_users_email_not_null""#,
        ]
    );
    // What would fail half-way is counted before.
    let guarded: Vec<usize> = steps.iter().map(|step| step.guards.len()).collect();
    assert_eq!(guarded, [1, 0, 1, 0, 1, 0, 0, 0]);
    for step in &steps {
        if step.atomicity == Atomicity::Alone {
            assert!(
                matches!(step.effects.as_slice(), [effect] if effect.before != effect.after),
                "the catalog must tell whether this was done: {}",
                step.shown()
            );
        }
    }
}

#[test]
fn an_enum_grows_in_place_and_shrinks_by_another_type() {
    let grow = r#"[{"type": "modifyField", "collection": "users", "field": "status", "changes": {"enumValues": ["new", "on", "off", "gone"]}}]"#;
    let (there, back) = there_and_back(USERS, grow);
    let [grow] = there.as_slice() else {
        panic!("{:?}", shown(&there));
    };
    assert!(grow.is_transactional());
    let text = grow.shown().to_string();
    assert!(
        text.contains("ADD VALUE IF NOT EXISTS ''new'' BEFORE ''on''"),
        "{text}"
    );
    assert!(
        text.contains("ADD VALUE IF NOT EXISTS ''gone'' AFTER ''off''"),
        "{text}"
    );
    assert!(matches!(&grow.effects[0].after, Mark::Like(_)));
    // Back: the default stands aside, rows with the new values are in the way.
    let back_shown = shown(&back);
    assert_eq!(
        back_shown[0],
        r#"ALTER TABLE "users" ALTER COLUMN "status" DROP DEFAULT"#
    );
    assert!(
        back_shown[1].contains("' AS ENUM (''on'', ''off'')'"),
        "{}",
        back_shown[1]
    );
    assert_eq!(
        back_shown[2],
        r#"ALTER TABLE "users" ALTER COLUMN "status" SET DEFAULT 'on'"#
    );
    assert_eq!(back[1].guards.len(), 2);
}

#[test]
fn a_new_value_of_an_enum_is_used_only_when_it_may_be() {
    let steps = up(
        USERS,
        r#"[{"type": "modifyField", "collection": "users", "field": "status",
             "changes": {"enumValues": ["on", "off", "gone"], "default": "gone"}}]"#,
    );
    let [grow, default] = steps.as_slice() else {
        panic!("{:?}", shown(&steps));
    };
    assert!(!grow.is_transactional());
    assert_eq!(
        shown(std::slice::from_ref(default)),
        [r#"ALTER TABLE "users" ALTER COLUMN "status" SET DEFAULT 'gone'"#]
    );
}

#[test]
fn a_type_changes_under_views_an_index_and_a_default() {
    let before = r#"[{"type": "createCollection", "name": "users", "fields": [
        {"name": "id", "type": "integer"},
        {"name": "status", "type": "string", "length": 20, "default": "on"},
        {"name": "shown", "type": "string", "generated": {"expression": "upper(status)", "stored": true}}],
        "indexes": [{"name": "i", "fields": ["id"], "where": "status = 'on'"}, {"name": "s", "fields": ["shown"]}]},
        {"type": "restore", "backend": "postgresql", "definitions": [
         {"kind": "view", "name": "v", "definition": "CREATE VIEW v AS SELECT users.status FROM users; GRANT SELECT ON v TO bob"},
         {"kind": "view", "name": "w", "definition": "CREATE VIEW w AS SELECT 1 FROM v", "after": ["v"]},
         {"kind": "view", "name": "other", "definition": "CREATE VIEW other AS SELECT users.id FROM users"}]}]"#;
    let steps = up(
        before,
        r#"[{"type": "modifyField", "collection": "users", "field": "status",
             "changes": {"type": "enum", "enumValues": ["on", "off"]}}]"#,
    );
    let mut texts = shown(&steps);
    let room = texts.remove(6);
    assert!(room.contains("ALTER TYPE %s RENAME TO %I"), "{room}");
    assert_eq!(
        texts,
        [
            r#"DROP VIEW "w""#,
            r#"DROP VIEW "v""#,
            r#"DROP INDEX "s""#,
            r#"ALTER TABLE "users" DROP COLUMN "shown""#,
            r#"DROP INDEX "i""#,
            r#"ALTER TABLE "users" ALTER COLUMN "status" DROP DEFAULT"#,
            r#"CREATE TYPE "users_status" AS ENUM ('on', 'off')"#,
            r#"ALTER TABLE "users" ALTER COLUMN "status" TYPE "users_status" USING "status"::text::"users_status""#,
            r#"ALTER TABLE "users" ALTER COLUMN "status" SET DEFAULT 'on'"#,
            r#"CREATE INDEX "i" ON "users" ("id") WHERE status = 'on'"#,
            r#"ALTER TABLE "users" ADD COLUMN "shown" VARCHAR GENERATED ALWAYS AS (upper(status)) STORED"#,
            r#"CREATE INDEX "s" ON "users" ("shown")"#,
            r#"CREATE VIEW v AS SELECT users.status FROM users; GRANT SELECT ON v TO bob"#,
            r#"CREATE VIEW w AS SELECT 1 FROM v"#,
        ]
    );
}

#[test]
fn nothing_is_cut_on_the_way_to_a_shorter_text() {
    let steps = up(
        USERS,
        r#"[{"type": "modifyField", "collection": "users", "field": "team", "changes": {"type": "string", "length": 3}},
            {"type": "update", "collection": "users", "set": {"email": {"cast": {"field": "id"}, "to": {"type": "string", "length": 2}}}}]"#,
    );
    assert_eq!(
        shown(&steps),
        [
            r#"ALTER TABLE "users" ALTER COLUMN "team" TYPE VARCHAR(3) USING "team"::text"#,
            r#"UPDATE "users" SET "email" = CAST("id" AS TEXT) WHERE TRUE"#,
        ]
    );
    assert_eq!(steps[0].guards.len(), 1);
}

#[test]
fn a_required_field_comes_back_with_neutral_values() {
    let (_, back) = there_and_back(
        r#"[{"type": "createCollection", "name": "t", "fields": [
            {"name": "a", "type": "integer"}, {"name": "n", "type": "decimal", "required": true, "unique": true}]}]"#,
        r#"[{"type": "dropField", "collection": "t", "field": "n"}]"#,
    );
    let texts = shown(&back);
    assert_eq!(
        texts[0],
        r#"ALTER TABLE "t" ADD COLUMN "n" NUMERIC DEFAULT 0 NOT NULL"#
    );
    assert_eq!(texts[1], r#"ALTER TABLE "t" ALTER COLUMN "n" DROP DEFAULT"#);
    // One row can have it, two cannot.
    assert_eq!(back[0].guards.len(), 1);
}

#[test]
fn what_cannot_be_done_is_refused_all_at_once() {
    let reasons = refusals(
        USERS,
        r#"[{"type": "createIndex", "collection": "users", "index": {"fields": [{"name": "email", "length": 10}], "method": "fulltext", "hidden": true}},
            {"type": "createIndex", "collection": "users", "index": {"name": "teams", "fields": ["email"]}},
            {"type": "addConstraint", "collection": "users", "constraint": {"type": "check", "expression": {"sqlite": "1"}, "deferrable": "deferred"}},
            {"type": "modifyField", "collection": "users", "field": "team", "changes": {"type": "uuid"}},
            {"type": "addField", "collection": "users", "field": {"name": "x", "type": "text", "native": {"postgresql": "text); DROP TABLE users"}}},
            {"type": "createCollection", "name": "users_mood", "fields": {"a": "integer"}},
            {"type": "addField", "collection": "users", "field": {"name": "mood", "type": "enum", "enumValues": ["a"]}},
            {"type": "addField", "collection": "users", "field": {"name": "a_name_of_more_bytes_than_the_sixty_three_that_postgresql_keeps_of_one", "type": "text"}},
            {"type": "raw", "backend": "postgresql", "statement": "VACUUM; SELECT 1"},
            {"type": "raw", "backend": "postgresql", "statement": "SELECT 1; COMMIT"}]"#,
    );
    let expected = [
        "no index method fulltext",
        "cannot be hidden",
        "no prefix lengths",
        "the name teams is taken",
        "no expression for PostgreSQL",
        "a check cannot be deferred",
        "nothing turns integer into uuid",
        "no type that PostgreSQL could take",
        "would be called users_mood, as a collection is",
        "at most 63 bytes",
        "cannot stand in a transaction",
        "COMMIT would end the transaction",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:#?}");
    for word in expected {
        assert!(reasons.iter().any(|reason| reason.contains(word)), "{word}");
    }
}

#[test]
fn raw_statements_give_the_session_its_settings_back() {
    let steps = up(
        "[]",
        r#"[{"type": "raw", "backend": "postgresql", "statement": "SET search_path = a; CREATE TABLE t (a int)"},
            {"type": "raw", "backend": "postgresql", "statement": "VACUUM"}]"#,
    );
    assert_eq!(
        shown(&steps),
        [
            "SET search_path = a; CREATE TABLE t (a int)",
            "RESET search_path",
            "* VACUUM",
        ]
    );
}

#[test]
fn a_batch_goes_on_behind_its_cursor() {
    let steps = up(
        USERS,
        r#"[{"type": "update", "collection": "users", "set": {"status": "off"}, "where": {"team": 7}}]"#,
    );
    let Action::Data(job) = &steps[0].action else {
        panic!("{:?}", steps[0].action);
    };
    assert_eq!(
        job.statement.to_string(),
        r#"UPDATE "users" SET "status" = 'off' WHERE "team" = 7"#
    );
    let first = batch(&job.work, None, 1000).unwrap();
    assert!(
        first.contains(r#"WHERE ("team" = 7) ORDER BY "id" LIMIT 1000 FOR UPDATE"#),
        "{first}"
    );
    let next = batch(&job.work, Some("'42'"), 1000).unwrap();
    assert!(
        next.contains(r#"WHERE ("team" = 7) AND ("id") > ('42') ORDER BY"#),
        "{next}"
    );
}

#[test]
fn an_update_that_sets_the_key_has_no_batches() {
    let steps = up(
        USERS,
        r#"[{"type": "update", "collection": "users", "set": {"id": {"add": [{"field": "id"}, 1]}}}]"#,
    );
    let Action::Data(job) = &steps[0].action else {
        panic!("{:?}", steps[0].action);
    };
    let text = batch(&job.work, None, 1000).unwrap();
    assert!(text.starts_with("WITH changed AS (UPDATE"), "{text}");
}
