//! The migrations whose statements are kept: every operation, type, option and kind of constraint.

use ductape_builder::prelude::*;
use ductape_core::Migration;
use serde_json::json as document;

/// A migration, and those that it rests on.
pub struct Case {
    pub name: &'static str,
    pub before: Vec<Migration>,
    pub migration: Migration,
}

/// What most cases rest on.
fn blog() -> Migration {
    migration("blog")
        .create_collection(
            "users",
            [
                uuid("id").primary_key(),
                string("email").length(255).required(),
                string("name").length(100),
                integer("age"),
                enumeration("status", ["active", "inactive"]).default("active"),
            ],
        )
        .index(index("idx_users_age", ["age"]))
        .constraint(check("age >= 0").name("ck_users_age"))
        .create_collection(
            "posts",
            [
                integer("id").primary_key(),
                uuid("author_id").required(),
                string("title").length(200).required(),
                decimal("price", 10, 2),
                timestamp("created_at").default_now(),
            ],
        )
        .constraint(
            foreign_key(["author_id"])
                .references("users", ["id"])
                .on_delete(Cascade)
                .name("fk_posts_author"),
        )
        .constraint(unique(["author_id", "title"]).name("uq_posts_title"))
        .build()
        .unwrap()
}

macro_rules! cases {
    ($($name:ident $(after $before:expr)? => $migration:expr;)*) => {
        /// Every case.
        pub fn cases() -> Vec<Case> {
            vec![$(Case {
                name: stringify!($name),
                before: vec![$($before)?],
                migration: $migration.build().unwrap(),
            }),*]
        }
    };
}

fn m() -> MigrationBuilder {
    migration("case")
}

cases! {
    // ---- createCollection -----------------------------------------------------------------------
    create_with_every_type => m().create_collection("everything", [
        integer("integer_field").primary_key(),
        bigint("bigint_field"),
        smallint("smallint_field"),
        float("float_field"),
        double("double_field"),
        decimal("decimal_field", 12, 3),
        unbounded_decimal("unbounded_field"),
        string("string_field").length(40),
        string("unlimited_field"),
        text("text_field"),
        boolean("boolean_field"),
        date("date_field"),
        time("time_field"),
        datetime("datetime_field"),
        timestamp("timestamp_field"),
        json("json_field"),
        uuid("uuid_field"),
        enumeration("enum_field", ["a", "it's"]),
        array("array_field", types::string(20)),
        binary("binary_field").length(16),
        blob("blob_field"),
    ]);
    create_with_defaults => m().create_collection("defaults", [
        uuid("id").primary_key().default_uuid(),
        integer("n").default(-1),
        bigint("big").default(9_007_199_254_740_993_i64),
        decimal("price", 10, 2).default("12.50"),
        double("ratio").default(0.1),
        boolean("flag").default(true),
        string("word").length(20).default("it's \\ \"so\""),
        date("day").default("2024-01-15"),
        time("at").default("14:30:52"),
        datetime("moment").default("2024-01-15T14:30:52"),
        timestamp("instant").default("2024-01-15T14:30:52Z"),
        timestamp("made").default_now(),
        date("today").default_now(),
        json("data").default(document!({"a": [1, "it's"]})),
        enumeration("state", ["on", "off"]).default("off"),
        array("list", types::integer()).default(document!([1, 2])),
        binary("bytes").length(4).default("AQID"),
        integer("counted").default_expression("1 + 1"),
    ]);
    create_with_timestamps => m().create_collection("users", [uuid("id").primary_key()]).timestamps();
    create_with_what_fields_have => m().create_collection("things", [
        bigint("id").primary_key().auto_increment(),
        string("code").length(10).required().unique().comment("Printed on it"),
        decimal("net", 10, 2).required(),
        decimal("gross", 10, 2).generated("net * 2").stored(),
        decimal("half", 10, 2).generated("net / 2"),
        text("note").collation("NOCASE"),
        text("address").native("sqlite", "NVARCHAR(70)").native("postgresql", "citext"),
    ]).comment("All that there are");
    create_with_composite_key => m().create_collection("memberships", [
        uuid("user_id").primary_key(),
        uuid("group_id").primary_key(),
        boolean("admin").required().default(false),
    ]);
    create_with_indexes_and_constraints => m().create_collection("items", [
        uuid("id"),
        uuid("order_id").required(),
        integer("quantity").required(),
    ])
        .constraint(primary_key(["id"]).name("pk_items_named"))
        .constraint(unique(["order_id", "quantity"]))
        .constraint(check("quantity > 0"))
        .constraint(foreign_key(["order_id"]).references("items", ["id"]))
        .index(index_on(["order_id"]))
        .index(index("idx_items_quantity", [desc("quantity")]));
    create_if_not_exists_anew => m().create_collection("users", [uuid("id").primary_key()]).if_not_exists();
    create_if_not_exists_again after blog() => m().create_collection("users", [
        uuid("id").primary_key(),
        string("email").length(255).required(),
        string("name").length(100),
        integer("age"),
        enumeration("status", ["active", "inactive"]).default("active"),
    ])
        .index(index("idx_users_age", ["age"]))
        .constraint(check("age >= 0").name("ck_users_age"))
        .if_not_exists();
    create_that_exists after blog() => m().create_collection("users", [uuid("id").primary_key()]);
    create_with_sql_options => m().create_collection("kept", [integer("id").primary_key(), text("note")])
        .sql(sql_options().strict().without_rowid());
    create_with_sql_options_of_others => m().create_collection("kept", [integer("id").primary_key()])
        .sql(sql_options().unlogged().engine("InnoDB").charset("utf8mb4").collation("utf8mb4_bin"));
    create_temporary => m().create_collection("passing", [integer("id").primary_key()])
        .sql(sql_options().temporary());
    create_with_options_of_mongo => m().create_collection("users", [uuid("_id").primary_key(), string("email").required()])
        .mongo(mongo_options().validation_level("strict").validation_action("error"));
    create_with_options_of_dynamo => m().create_collection("users", [string("id").primary_key(), string("email")])
        .dynamo(dynamo_options().partition_key("id", KeyType::S).pay_per_request());
    create_with_options_of_cassandra => m().create_collection("events", [uuid("id").primary_key(), uuid("user_id").primary_key()])
        .cassandra(cassandra_options().partition_key(["id"]).default_ttl(86400));
    create_with_hostile_names => m().create_collection("select \"from\"; DROP TABLE x; --", [
        integer("order").primary_key(),
        string("it's `[🧾]").length(40).default("'); DROP TABLE x; --"),
        enumeration("Größe", ["'", "\"", "a,b", "\\"]),
    ]).index(index("index \"x\"", ["it's `[🧾]"]));

    // ---- dropCollection, renameCollection, modifyCollection --------------------------------------
    drop after blog() => m().drop_collection("posts");
    drop_with_dependants_refused after blog() => m().drop_collection("users");
    drop_cascade after blog() => m().drop_collection("users").cascade();
    drop_if_exists_nothing => m().drop_collection("nothing").if_exists();
    drop_missing => m().drop_collection("nothing");
    rename after blog() => m().rename_collection("users", "people");
    modify_comment after blog() => m().modify_collection("users").comment("It's for people");
    modify_sql_options after blog() => m().modify_collection("users").sql(sql_options().strict());
    modify_options_of_others after blog() => m().modify_collection("users")
        .mongo(mongo_options().validation_level("moderate"))
        .dynamo(dynamo_options().ttl_attribute("expires_at"))
        .cassandra(cassandra_options().gc_grace_seconds(3600));

    // ---- addField, dropField, renameField --------------------------------------------------------
    add_field after blog() => m().add_field("users", string("phone").length(20));
    add_field_required_with_default after blog() => m().add_field("users", integer("visits").required().default(0));
    add_field_required_without_default after blog() => m().add_field("users", integer("visits").required());
    add_field_with_default_now after blog() => m().add_field("users", timestamp("seen_at").required().default_now());
    add_field_unique after blog() => m().add_field("users", string("handle").length(30).unique());
    add_field_enum after blog() => m().add_field("users", enumeration("plan", ["free", "paid"]).required().default("free"));
    add_field_generated after blog() => m().add_field("posts", decimal("gross", 10, 2).generated("price * 2"));
    add_field_generated_stored after blog() => m().add_field("posts", decimal("gross", 10, 2).generated("price * 2").stored());
    drop_field after blog() => m().drop_field("posts", "price");
    drop_field_that_an_index_uses after blog() => m().drop_field("users", "age").allow(Allow::Copy);
    drop_field_of_a_foreign_key after blog() => m().drop_field("posts", "author_id");
    drop_field_required after blog() => m().drop_field("posts", "title");
    drop_field_of_the_key after blog() => m().drop_field("posts", "id");
    rename_field after blog() => m().rename_field("users", "age", "years");
    rename_field_that_is_pointed_at after blog() => m().rename_field("users", "id", "key");

    // ---- modifyField -----------------------------------------------------------------------------
    modify_field_length_and_required after blog() => m().modify_field("users", "name", change().length(500).required());
    modify_field_shorter after blog() => m().modify_field("users", "name", change().length(10));
    modify_field_type after blog() => m().modify_field("users", "age", change().to_type(types::bigint()));
    modify_field_type_using after blog() => m().modify_field("posts", "title", change().to_type(types::integer()))
        .using("sqlite", "CAST(length(title) AS INTEGER)").using("postgresql", "length(title)");
    modify_field_type_from_text after blog() => m().modify_field("users", "name", change().to_type(types::date()));
    modify_field_default after blog() => m().modify_field("users", "age", change().default(18));
    modify_field_default_away after blog() => m().modify_field("users", "status", change().remove_default());
    modify_field_more_values after blog() => m().modify_field("users", "status", change().values(["active", "inactive", "banned"]));
    modify_field_fewer_values after blog() => m().modify_field("users", "status", change().values(["active"]));
    modify_field_enum_to_string after blog() => m().modify_field("users", "status", change().to_type(types::string(20)));
    modify_field_unique after blog() => m().modify_field("users", "email", change().unique());
    modify_field_comment after blog() => m().modify_field("users", "email", change().comment("Where to write"));
    modify_field_nullable after blog() => m().modify_field("users", "email", change().nullable());

    // ---- createIndex, dropIndex ------------------------------------------------------------------
    index_plain after blog() => m().create_index("users", index("idx_users_email", ["email"]));
    index_without_name after blog() => m().create_index("users", index_on(["name", "age"]));
    index_unique after blog() => m().create_index("users", index("idx_users_email", ["email"]).unique());
    index_descending after blog() => m().create_index("posts", index("idx_posts_new", [asc("author_id"), desc("created_at")]));
    index_on_an_expression after blog() => m().create_index("users", index("idx_users_lower", [expression("lower(email)")]));
    index_partial after blog() => m().create_index("users", index("idx_users_active", ["email"]).filter("status = 'active'"));
    index_collation after blog() => m().create_index("users", index("idx_users_c", [asc("email").collation("NOCASE")]));
    index_nulls_last after blog() => m().create_index("users", index("idx_users_n", [desc("age").nulls_last()]));
    index_nulls_first after blog() => m().create_index("users", index("idx_users_n", [asc("age").nulls_first()]));
    index_operator_class after blog() => m().create_index("users", index("idx_users_o", [asc("email").operator_class("text_pattern_ops")]));
    index_prefix after blog() => m().create_index("users", index("idx_users_p", [asc("email").prefix(10)]));
    index_nulls_not_distinct after blog() => m().create_index("users", index("idx_users_d", ["age"]).unique().nulls_not_distinct());
    index_hash after blog() => m().create_index("users", index("idx_users_h", ["email"]).method(Method::Hash));
    index_gin after blog() => m().create_index("users", index("idx_users_g", ["email"]).method(Method::Gin));
    index_btree after blog() => m().create_index("users", index("idx_users_b", ["email"]).method(Method::Btree));
    index_include after blog() => m().create_index("users", index("idx_users_i", ["email"]).include(["name"]));
    index_with_storage after blog() => m().create_index("users", index("idx_users_w", ["email"]).with_option("fillfactor", 70));
    index_hidden after blog() => m().create_index("users", index("idx_users_h", ["email"]).hidden());
    index_comment after blog() => m().create_index("users", index("idx_users_c", ["email"]).comment("For logging in"));
    index_not_online after blog() => m().create_index("users", index("idx_users_email", ["email"]).online(false));
    index_of_mongo after blog() => m().create_index("users", index("idx_users_m", ["email"]).sparse());
    index_of_dynamo after blog() => m().create_index("users", index("idx_users_d", ["email"]).project_keys_only());
    drop_index after blog() => m().drop_index("users", "idx_users_age");

    // ---- addConstraint, dropConstraint -----------------------------------------------------------
    add_primary_key after
        migration("keyless").create_collection("keyless", [integer("a"), integer("b")]).build().unwrap()
        => m().add_constraint("keyless", primary_key(["a", "b"]));
    add_unique after blog() => m().add_constraint("users", unique(["email"]).name("uq_users_email"));
    add_check after blog() => m().add_constraint("posts", check("price > 0 AND title <> 'it''s'").name("ck_posts_price"));
    add_check_per_database after blog() => m().add_constraint("posts", check(per_backend([
        ("sqlite", "length(title) > 1"),
        ("postgresql", "char_length(title) > 1"),
    ])));
    add_foreign_key_cascade after blog() => m().add_constraint("users", foreign_key(["age"]).references("posts", ["id"]).on_delete(Cascade).on_update(Cascade));
    add_foreign_key_set_null after blog() => m().add_constraint("users", foreign_key(["age"]).references("posts", ["id"]).on_delete(SetNull).on_update(SetNull));
    add_foreign_key_set_default after blog() => m().add_constraint("users", foreign_key(["age"]).references("posts", ["id"]).on_delete(SetDefault).on_update(SetDefault));
    add_foreign_key_restrict after blog() => m().add_constraint("users", foreign_key(["age"]).references("posts", ["id"]).on_delete(Restrict).on_update(Restrict));
    add_foreign_key_no_action after blog() => m().add_constraint("users", foreign_key(["age"]).references("posts", ["id"]).on_delete(NoAction).on_update(NoAction));
    add_foreign_key_deferred after blog() => m().add_constraint("users", foreign_key(["age"]).references("posts", ["id"]).deferrable(Deferrable::Deferred));
    add_foreign_key_deferrable after blog() => m().add_constraint("users", foreign_key(["age"]).references("posts", ["id"]).deferrable(Deferrable::Immediate));
    add_unique_deferred after blog() => m().add_constraint("users", unique(["email"]).deferrable(Deferrable::Deferred));
    drop_unique after blog() => m().drop_constraint("posts", "uq_posts_title");
    drop_check after blog() => m().drop_constraint("users", "ck_users_age");
    drop_foreign_key after blog() => m().drop_constraint("posts", "fk_posts_author");
    drop_primary_key after blog() => m().drop_constraint("posts", "pk_posts_id");

    // ---- update ----------------------------------------------------------------------------------
    update_with_every_value after blog() => m().update("users")
        .set("name", concat([upper(field("email")), lit(" "), lower(trim("  It's  "))]))
        .set("age", coalesce([divide(add(field("age"), 1), subtract(field("age"), multiply(2, 3))), lit(7)]));
    update_types after blog() => m().update("posts")
        .set("title", cast(field("price"), types::string(200)))
        .set("created_at", now())
        .filter(eq("title", "old"));
    update_uuid after blog() => m().update("users").set("id", new_uuid()).filter(is_null("id"));
    update_with_every_filter after blog() => m().update("users")
        .set("name", "it's \\ \"so\"")
        .filter(and([
            or([eq("name", "a"), ne("name", "b"), not(gt("age", 1))]),
            gte("age", 2), lt("age", 3), lte("age", 4),
            one_of("status", ["active", "inactive"]),
            exists("email"), is_null("name"), is_not_null("age"),
        ]));
    update_with_inverse after blog() => m().update("users")
        .set("age", multiply(field("age"), 2))
        .filter(is_not_null("age"))
        .inverse(|back| back.set("age", divide(field("age"), 2)).filter(is_not_null("age")));

    // ---- raw, restore, written ways back ----------------------------------------------------------
    raw_with_inverse => m().raw(["sqlite", "postgresql"], "CREATE VIEW one AS SELECT 1").inverse("DROP VIEW one");
    raw_without_inverse => m().raw(["sqlite", "postgresql"], "DELETE FROM users");
    raw_outside_a_transaction => m().raw(["sqlite", "postgresql"], "VACUUM").transactional(false).inverse("VACUUM");
    raw_of_another_database => m().raw("mongodb", document!({"ping": 1})).inverse(document!({"ping": 1}));
    restore_for_sqlite after blog() => m().restore("sqlite", [
        definition("view", "adults", "CREATE VIEW adults AS SELECT * FROM users WHERE age > 17").on("users"),
        definition("trigger", "older", "CREATE TRIGGER older AFTER UPDATE ON users BEGIN SELECT 1; END").on("users").after(["adults"]),
    ]);
    restore_for_postgresql after blog() => m().restore("postgresql", [
        definition("view", "adults", "CREATE VIEW adults AS SELECT * FROM users WHERE age > 17").on("users"),
    ]);
    written_way_back after blog() => m().drop_field("users", "name")
        .down(|down| down.add_field("users", string("name").length(100).default("unknown")));
    written_nothing_to_undo after blog() => m().create_index("users", index("idx_users_email", ["email"]))
        .down(|down| down);
}
