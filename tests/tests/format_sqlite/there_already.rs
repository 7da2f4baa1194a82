//! What is there already, made by others or by an earlier migration.

use super::*;

#[tokio::test]
async fn what_is_there_already_is_nothing_to_do_or_told() {
    let base = Base::after(T).await;
    let create = |name: &str, fields: &str, guard: bool| {
        format!(
            r#"[{{"type": "createCollection", "name": "{name}", "fields": {fields}, "sqlOptions": {{"ifNotExists": {guard}}}}}]"#
        )
    };
    let same = T
        .split_once(r#""fields": "#)
        .unwrap()
        .1
        .strip_suffix("}]")
        .unwrap()
        .to_owned();
    for (up, wanted) in [
        (create("t", &same, true), Ok(())),
        (create("t", &same, false), Err(ErrorKind::AlreadyExists)),
        (
            create("t", r#"{"a": "text"}"#, true),
            Err(ErrorKind::AlreadyExists),
        ),
        (create("n", r#"{"a": "text"}"#, true), Ok(())),
        (
            r#"[{"type": "dropCollection", "name": "none", "ifExists": true}]"#.to_owned(),
            Ok(()),
        ),
        (
            r#"[{"type": "dropCollection", "name": "none"}]"#.to_owned(),
            Err(ErrorKind::Mismatch),
        ),
        (
            r#"[{"type": "dropCollection", "name": "t", "ifExists": true}]"#.to_owned(),
            Ok(()),
        ),
    ] {
        match wanted {
            Ok(()) => base.there_and_back(&up).await,
            Err(kind) => assert_eq!(
                base.up(&up).await.map(|_| ()).map_err(|error| error.kind()),
                Err(kind),
                "{up}"
            ),
        }
    }
}

#[tokio::test]
async fn what_others_made_is_the_same_in_small_letters_and_without_names() {
    let base = Base::after(T).await;
    let id = r#""id": {"type": "integer", "primaryKey": true}"#;
    for (table, fields) in [
        ("id integer primary key", format!("{{{id}}}")),
        ("id integer primary key, a varchar (20) not null unique", format!(r#"{{{id}, "a": {{"type": "string", "length": 20, "required": true, "unique": true}}}}"#)),
        ("a timestamp default current_timestamp, b boolean default 1", r#"{"a": {"type": "timestamp", "default": {"now": true}}, "b": {"type": "boolean", "default": true}}"#.to_owned()),
        ("a decimal(10, 2), b bigint, c Datetime", r#"{"a": {"type": "decimal", "precision": 10, "scale": 2}, "b": "bigint", "c": "datetime"}"#.to_owned()),
        // What SQLite cannot hold is no difference.
        ("a json_text", r#"{"a": {"type": "array", "items": "integer", "comment": "c"}}"#.to_owned()),
    ] {
        base.sql(&format!("DROP TABLE IF EXISTS o; CREATE TABLE o ({table})")).await;
        let create = |guard: bool| {
            format!(r#"[{{"type": "createCollection", "name": "o", "fields": {fields}, "sqlOptions": {{"ifNotExists": {guard}}}}}]"#)
        };
        base.there_and_back(&create(true)).await;
        match base.up(&create(false)).await.unwrap_err() {
            Error::AlreadyExists { same, .. } => assert!(same, "{table}"),
            other => panic!("{table}: {other}"),
        }
    }
    base.sql("DROP TABLE o; CREATE TABLE o (id integer primary key, a text, b text)")
        .await;
    let other = format!(
        r#"[{{"type": "createCollection", "name": "o", "fields": {{{id}, "a": "uuid", "c": "text"}}}}]"#
    );
    let error = base.up(&other).await.unwrap_err().to_string();
    for told in ["fields.a.type is \"text\" there", "no fields.c", "fields.b"] {
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test]
async fn words_that_others_use_for_types_are_understood_and_kept() {
    let base = Base::after(T).await;
    base.sql("CREATE TABLE o (id INTEGER PRIMARY KEY, a bool DEFAULT 0, b JSON, c TIMESTAMPTZ, d datetime(6), e int8, f nvarchar(5))").await;
    let live = base.engine.live_schema().await.unwrap();
    let table = live.collections().find(|c| c.name.as_str() == "o").unwrap();
    let types: Vec<String> = table
        .fields
        .iter()
        .map(|field| field.field_type.name().to_string())
        .collect();
    assert_eq!(
        types,
        [
            "integer",
            "boolean",
            "json",
            "timestamp",
            "datetime",
            "bigint",
            "string"
        ]
    );
    base.sql("INSERT INTO o (id) VALUES (1)").await;
    base.there_and_back(r#"[{"type": "update", "collection": "o", "set": {"a": true, "b": {"value": {"x": 1}}, "c": "2024-01-15T14:30:52Z"}}]"#).await;
    assert_eq!(base.ask("SELECT b FROM o").await, [r#"{"x":1}"#]);
    // A table that is written anew keeps the words.
    base.up(r#"[{"type": "modifyField", "collection": "o", "field": "f", "changes": {"required": true}, "using": {"sqlite": "coalesce(f, '')"}}]"#)
        .await
        .unwrap();
    let types = base.ask("SELECT type FROM pragma_table_info('o')").await;
    assert_eq!(
        types,
        [
            "INTEGER",
            "bool",
            "JSON",
            "TIMESTAMPTZ",
            "datetime(6)",
            "int8",
            "nvarchar(5)"
        ]
    );
}
