//! What `update` makes of rows.

use super::*;

#[tokio::test]
async fn an_update_sets_every_kind_of_value() {
    let base = Base::after(T).await;
    base.sql("INSERT INTO t (id, a, b, big) VALUES (1, 7, ' Hé ', 9007199254740993), (2, -7, NULL, NULL)").await;
    for (field, value, wanted) in [
        ("b", r#""x'y""#, ["x'y", "x'y"]),
        ("b", r#"{"value": "z"}"#, ["z", "z"]),
        ("b", "null", ["-", "-"]),
        ("b", r#"{"concat": []}"#, ["", ""]),
        (
            "b",
            r#"{"concat": [{"field": "a"}, "-", {"field": "u"}]}"#,
            ["7-", "-7-"],
        ),
        ("b", r#"{"coalesce": []}"#, ["-", "-"]),
        ("b", r#"{"coalesce": [{"field": "u"}]}"#, ["-", "-"]),
        (
            "b",
            r#"{"coalesce": [{"field": "u"}, {"cast": {"field": "a"}, "to": "text"}]}"#,
            ["7", "-7"],
        ),
        (
            "b",
            r#"{"upper": {"trim": {"lower": " aB "}}}"#,
            ["AB", "AB"],
        ),
        ("b", r#"{"lower": null}"#, ["-", "-"]),
        ("a", r#"{"add": [{"field": "id"}, 1]}"#, ["2", "3"]),
        (
            "a",
            r#"{"subtract": [{"field": "id"}, {"multiply": [2, {"field": "id"}]}]}"#,
            ["-1", "-2"],
        ),
        (
            "a",
            r#"{"divide": [7, {"multiply": [{"field": "id"}, 2]}]}"#,
            ["3", "1"],
        ),
        ("a", r#"{"divide": [-7, 2]}"#, ["-3", "-3"]),
        (
            "a",
            r#"{"add": [{"divide": [1, 2]}, {"divide": [1, 2]}]}"#,
            ["1", "1"],
        ),
        ("a", r#"{"add": [{"field": "u"}, 1]}"#, ["-", "-"]),
        ("price", r#"{"divide": [1, 4]}"#, ["0.25", "0.25"]),
        (
            "big",
            r#"{"divide": [{"coalesce": [{"field": "big"}, 9007199254740993]}, 1]}"#,
            ["9007199254740993", "9007199254740993"],
        ),
        (
            "big",
            r#"{"divide": [{"divide": [9007199254740993, 3]}, {"divide": [{"field": "id"}, {"field": "id"}]}]}"#,
            ["3002399751580331", "3002399751580331"],
        ),
        (
            "big",
            r#"{"divide": [-9007199254740993, 2]}"#,
            ["-4503599627370496", "-4503599627370496"],
        ),
    ] {
        base.up(&format!(
            r#"[{{"type": "update", "collection": "t", "set": {{"{field}": {value}}}}}]"#
        ))
        .await
        .unwrap_or_else(|error| panic!("{value}: {error}"));
        assert_eq!(
            base.ask(&format!("SELECT CAST({field} AS TEXT) FROM t ORDER BY id"))
                .await,
            wanted,
            "{value}"
        );
    }
    base.up(r#"[{"type": "update", "collection": "t", "set": {"u": {"uuid": true}, "at": {"now": true}}}]"#).await.unwrap();
    assert_eq!(
        base.ask(
            "SELECT CAST(count(DISTINCT u) AS TEXT) FROM t WHERE length(u) = 36 AND at IS NOT NULL"
        )
        .await,
        ["2"]
    );
}

#[tokio::test]
async fn a_filter_picks_the_rows_that_it_says() {
    let base = Base::after(T).await;
    base.sql("INSERT INTO t (id, a, b) VALUES (1, 1, 'x'), (2, 2, NULL), (3, NULL, 'y')")
        .await;
    for (filter, wanted) in [
        ("{}", "1,2,3"),
        (r#"{"a": 1}"#, "1"),
        (r#"{"a": null}"#, "3"),
        (r#"{"a": {"eq": null}}"#, "3"),
        (r#"{"a": {"ne": null}}"#, "1,2"),
        (r#"{"a": {"ne": 1}}"#, "2"),
        (r#"{"a": {"gt": 1}}"#, "2"),
        (r#"{"a": {"gte": 1, "lt": 2}}"#, "1"),
        (r#"{"a": {"lte": 2}, "b": "x"}"#, "1"),
        (r#"{"a": {"in": [2, 9]}}"#, "2"),
        (r#"{"a": {"in": [2, null]}}"#, "2,3"),
        (r#"{"a": {"in": []}}"#, ""),
        (r#"{"b": {"exists": false}}"#, "2"),
        (r#"{"b": {"exists": true}}"#, "1,3"),
        (r#"{"or": [{"a": 1}, {"b": "y"}]}"#, "1,3"),
        (r#"{"or": []}"#, ""),
        (r#"{"and": []}"#, "1,2,3"),
        (
            r#"{"and": [{"or": [{"a": 1}, {"a": 2}]}, {"not": {"b": "x"}}]}"#,
            "2",
        ),
        (r#"{"not": {"a": 1}}"#, "2,3"),
        (r#"{"not": {"not": {"a": 1}}}"#, "1"),
        (r#"{"not": {"a": {"ne": 1}}}"#, "1,3"),
    ] {
        base.sql("UPDATE t SET price = 0").await;
        base.up(&format!(
            r#"[{{"type": "update", "collection": "t", "set": {{"price": 1}}, "where": {filter}}}]"#
        ))
        .await
        .unwrap_or_else(|error| panic!("{filter}: {error}"));
        let found = base
            .ask("SELECT CAST(id AS TEXT) FROM t WHERE price = 1 ORDER BY id")
            .await;
        assert_eq!(found.join(","), wanted, "{filter}");
    }
}

#[tokio::test]
async fn an_update_without_inverse_leaves_the_data_and_one_with_it_brings_it_back() {
    let base = Base::after(T).await;
    base.sql("INSERT INTO t (id, a) VALUES (1, 5), (2, 6)")
        .await;
    let bare =
        r#"[{"type": "update", "collection": "t", "set": {"a": {"add": [{"field": "a"}, 1]}}}]"#;
    let plan = base.engine.plan(&migration(bare, "")).await.unwrap();
    let planned = &plan.migrations[0];
    assert_eq!(planned.reversible, Reversibility::StructureOnly);
    assert!(
        planned
            .risks
            .iter()
            .any(|risk| risk.risk.kind == RiskKind::NotRestored)
    );
    let done = base.up(bare).await.unwrap();
    base.engine.down(&done).await.unwrap();
    assert_eq!(
        base.ask("SELECT CAST(a AS TEXT) FROM t ORDER BY id").await,
        ["6", "7"]
    );
    let with = r#"[{"type": "update", "collection": "t", "set": {"a": {"add": [{"field": "a"}, 1]}},
                   "inverse": {"set": {"a": {"subtract": [{"field": "a"}, 1]}}, "where": {"id": 1}}}]"#;
    let done = base.up(with).await.unwrap();
    base.engine.down(&done).await.unwrap();
    assert_eq!(
        base.ask("SELECT CAST(a AS TEXT) FROM t ORDER BY id").await,
        ["6", "8"]
    );
}

#[tokio::test]
async fn letters_and_truths_are_as_on_other_databases() {
    let base = Base::after(r#"[{"type": "createCollection", "name": "t", "fields": {
        "id": {"type": "integer", "primaryKey": true}, "a": "text", "b": "text", "n": "integer", "t": "boolean",
        "d": {"type": "decimal", "precision": 10, "scale": 2}}}]"#).await;
    base.sql("INSERT INTO t (id, a, n, t) VALUES (1, 'ÖDÖN é', 5, 1), (2, 'Straße ΑΒΓ Дом 日本 İ', 0, 0), (3, NULL, NULL, NULL), (4, 'Plain', 7, 1)").await;
    let set = async |field: &str, value: &str| {
        base.up(&format!(
            r#"[{{"type": "update", "collection": "t", "set": {{"{field}": {value}}}}}]"#
        ))
        .await
        .unwrap();
        base.ask(&format!("SELECT CAST({field} AS TEXT) FROM t ORDER BY id"))
            .await
    };
    assert_eq!(
        set("b", r#"{"lower": {"field": "a"}}"#).await,
        ["ödön é", "straße αβγ дом 日本 İ", "-", "plain"]
    );
    assert_eq!(
        set("b", r#"{"upper": {"field": "a"}}"#).await,
        ["ÖDÖN É", "STRAßE ΑΒΓ ДОМ 日本 İ", "-", "PLAIN"]
    );
    assert_eq!(
        set("b", r#"{"upper": {"concat": [{"field": "a"}, "é'"]}}"#).await,
        ["ÖDÖN ÉÉ'", "STRAßE ΑΒΓ ДОМ 日本 İÉ'", "É'", "PLAINÉ'"]
    );
    assert_eq!(
        set("b", r#"{"lower": {"field": "n"}}"#).await,
        ["5", "0", "-", "7"]
    );
    assert_eq!(
        set("b", r#"{"concat": [{"field": "t"}, true]}"#).await,
        ["truetrue", "falsetrue", "true", "truetrue"]
    );
    assert_eq!(
        set("b", r#"{"cast": {"field": "t"}, "to": "text"}"#).await,
        ["true", "false", "-", "true"]
    );
    assert_eq!(
        set("t", r#"{"cast": {"field": "n"}, "to": "boolean"}"#).await,
        ["1", "0", "-", "1"]
    );
    assert_eq!(
        set(
            "t",
            r#"{"cast": {"coalesce": [{"field": "b"}, "off"]}, "to": "boolean"}"#
        )
        .await,
        ["1", "0", "0", "1"]
    );
    // A decimal keeps the digits that it is declared with.
    assert_eq!(
        set("d", r#"{"divide": [{"field": "n"}, 3]}"#).await,
        ["1.67", "0", "-", "2.33"]
    );
    // A cast rounds; what is divided and stored in a whole number is cut off.
    assert_eq!(
        set("n", r#"{"cast": {"field": "d"}, "to": "integer"}"#).await,
        ["2", "0", "-", "2"]
    );
    assert_eq!(
        set("n", r#"{"divide": [8, 3]}"#).await,
        ["2", "2", "2", "2"]
    );
    let divide = |filter: &str| {
        format!(
            r#"[{{"type": "update", "collection": "t", "where": {filter}, "set": {{"n": {{"add": [1, {{"divide": [6, {{"field": "d"}}]}}]}}}}}}]"#
        )
    };
    let error = base.up(&divide("{}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(
        error.to_string().contains(
            "1 row of t where n would be divided by zero stands in the way, for instance 2"
        ),
        "{error}"
    );
    base.up(&divide(r#"{"d": {"ne": 0}}"#)).await.unwrap();
    assert_eq!(
        base.ask("SELECT CAST(n AS TEXT) FROM t ORDER BY id").await,
        ["4", "2", "2", "3"]
    );
}
