//! The law of the core, on random sequences of operations: applying an operation and then its inverse
//! gives the schema back, exactly. And what goes with it: nothing is lost on the way through JSON,
//! resolving is deterministic, and an operation that does not fit changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use ductape_core::checksum::Checksum;
use ductape_core::name::LengthUnit;
use ductape_core::operation::{AddConstraint, CreateCollection, InverseError, Naming, RenameField};
use ductape_core::schema::Rule;
use ductape_core::{Migration, Name, Operation, Schema, resolve, way_back};
use ductape_tests::generate::{Profile, choices, interpret, sequence};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

/// So many cases, or as many as `PROPTEST_CASES` says.
fn config(cases: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: wanted.and_then(|cases| cases.parse().ok()).unwrap_or(cases),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

/// A sequence that is shown as a migration file would have it.
#[derive(Clone)]
struct Shown(Vec<Operation>);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&json(&self.0))
    }
}

fn json(operations: &[Operation]) -> String {
    operations
        .iter()
        .map(|operation| format!("\n    {}", serde_json::to_string(operation).unwrap()))
        .collect()
}

/// A schema, as short as it goes.
fn shape(schema: &Schema) -> String {
    let collections = schema.collections().map(|c| serde_json::to_string(&**c));
    let natives = schema.natives().map(|n| serde_json::to_string(&**n));
    let parts: Result<Vec<String>, _> = collections.chain(natives).collect();
    parts.unwrap().join("\n    ")
}

fn drawn(profile: Profile, length: std::ops::Range<usize>) -> impl Strategy<Value = Shown> {
    sequence(profile, length).prop_map(Shown)
}

type Outcome = Result<(), TestCaseError>;

/// Applies an operation, then its inverse, and compares.
fn there_and_back(operation: &Operation, before: &Schema) -> Result<Schema, TestCaseError> {
    let mut after = before.clone();
    let inverse = operation.inverse(before);
    let applied = operation.apply(&mut after);
    prop_assert!(applied.is_ok(), "{applied:?} from {operation:?}");
    let inverse = match inverse {
        Ok(inverse) => inverse,
        Err(InverseError::Irreversible(_)) => {
            let may = matches!(operation, Operation::Raw(raw) if raw.inverse.is_none());
            prop_assert!(may, "no way back from {operation:?}");
            return Ok(after);
        }
        Err(InverseError::Schema(error)) => {
            return Err(TestCaseError::fail(format!(
                "it applies, and its inverse does not know how: {error} from {operation:?}"
            )));
        }
    };
    let mut back = after.clone();
    for step in &inverse.operations {
        if let Err(error) = step.apply(&mut back) {
            return Err(TestCaseError::fail(format!(
                "the way back does not fit: {error}\nthe operation: {}\nits inverse: {}",
                json(std::slice::from_ref(operation)),
                json(&inverse.operations),
            )));
        }
    }
    prop_assert!(
        back == *before,
        "the way back leads elsewhere\nthe operation: {}\nits inverse: {}\nit is {}\nnot {}",
        json(std::slice::from_ref(operation)),
        json(&inverse.operations),
        shape(&back),
        shape(before),
    );
    through_json(&inverse.operations)?;
    Ok(after)
}

/// Every operation is the same after it went through JSON, and so is the checksum.
fn through_json(operations: &[Operation]) -> Outcome {
    let text = serde_json::to_string(operations).unwrap();
    let read = match Migration::parse_operations(&text) {
        Ok(read) => read,
        Err(problems) => {
            return Err(TestCaseError::fail(format!("{problems}\nin {text}")));
        }
    };
    prop_assert_eq!(&read, operations, "by way of {}", text);
    prop_assert_eq!(Checksum::of(&read, None), Checksum::of(operations, None));
    prop_assert_eq!(
        Checksum::of(operations, Some(&read)),
        Checksum::of(&read, Some(operations))
    );
    let again = serde_json::to_string(&read).unwrap();
    prop_assert_eq!(again, text);
    Ok(())
}

fn is_irreversible(operation: &Operation, schema: &Schema) -> bool {
    let here = schema.backend().is_none_or(|b| operation.runs_on(b));
    matches!(operation, Operation::Raw(raw) if raw.inverse.is_none()) && here
}

/// The same over a whole sequence, from every schema on its way to the end.
fn all_the_way_back(start: &Schema, operations: &[Operation], naming: &Naming) -> Outcome {
    let reversible: Vec<Operation> = operations
        .iter()
        .filter(|operation| !is_irreversible(operation, start))
        .cloned()
        .collect();
    let mut before = start.clone();
    for from in 0..=reversible.len() {
        let rest = &reversible[from..];
        let mut schema = before.clone();
        let resolved = match resolve(rest, &mut schema, naming) {
            Ok(resolved) => resolved,
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
        };
        let mut twice = before.clone();
        let again = resolve(rest, &mut twice, naming).unwrap();
        prop_assert_eq!(&schema, &twice);
        prop_assert_eq!(resolved.len(), again.len());
        for (one, two) in resolved.iter().zip(&again) {
            prop_assert_eq!(one.authored, two.authored);
            prop_assert_eq!(&one.operation, &two.operation);
            prop_assert_eq!(&one.before, &two.before);
            prop_assert_eq!(&one.after, &two.after);
            prop_assert_eq!(&one.inverse, &two.inverse);
        }
        // A resolved operation is spelled out already.
        for one in &resolved {
            let spelled = one.operation.spell_out(&one.before, naming);
            prop_assert_eq!(spelled, Ok(vec![one.operation.clone()]));
        }
        let back = way_back(&resolved);
        prop_assert!(back.is_ok(), "{:?}", back);
        let back = back.unwrap();
        for step in &back.operations {
            let applied = step.apply(&mut schema);
            prop_assert!(
                applied.is_ok(),
                "{applied:?} in the way back {}",
                json(&back.operations)
            );
        }
        prop_assert!(
            schema == before,
            "the way back of {} leads elsewhere: {}\nit is {}\nnot {}",
            json(rest),
            json(&back.operations),
            shape(&schema),
            shape(&before),
        );
        if let Some(next) = rest.first()
            && let Ok(_) = resolve(std::slice::from_ref(next), &mut before, naming)
        {}
    }
    if reversible.len() < operations.len() {
        let mut schema = start.clone();
        let resolved = resolve(operations, &mut schema, naming).unwrap();
        prop_assert!(
            way_back(&resolved).is_err(),
            "a raw statement got a way back"
        );
    }
    Ok(())
}

/// An operation that does not fit says so and changes nothing.
fn misfits_change_nothing(operation: &Operation, schema: &Schema) -> Outcome {
    let mut after = schema.clone();
    let spelled = operation.apply_spelled(&mut after);
    if spelled.is_err() {
        prop_assert_eq!(
            &after,
            schema,
            "{:?} failed and changed the schema",
            operation
        );
    }
    let mut after = schema.clone();
    if operation.apply(&mut after).is_err() {
        prop_assert_eq!(
            &after,
            schema,
            "{:?} failed and changed the schema",
            operation
        );
        prop_assert!(operation.inverse(schema).is_err());
    } else {
        there_and_back(operation, schema)?;
    }
    operation.risks(schema);
    operation.describe();
    Ok(())
}

/// A collection as it is written makes the same collection.
fn written_is_the_same(schema: &Schema) -> Outcome {
    for collection in schema.collections() {
        let create = Operation::from(CreateCollection::of(&collection.written()));
        let mut other = schema.clone();
        if schema.foreign_keys_to(&collection.name).next().is_none() {
            other.remove(&collection.name);
            let applied = create.apply(&mut other);
            prop_assert!(applied.is_ok(), "{applied:?} from {create:?}");
            through_json(std::slice::from_ref(&create))?;
            prop_assert!(
                other == *schema,
                "{}\nmade {}\nnot {}",
                json(&[create]),
                shape(&other),
                shape(schema)
            );
        }
    }
    Ok(())
}

/// Nothing in a schema points into the void: what the way there and the way back may both forget.
fn is_whole(schema: &Schema) -> Outcome {
    for collection in schema.collections() {
        let name = &collection.name;
        let has = |field: &Name| collection.field(field).is_some();
        let count = |field: &Name| {
            collection
                .fields
                .iter()
                .filter(|f| f.name == *field)
                .count()
        };
        prop_assert!(!collection.fields.is_empty());
        for field in &collection.fields {
            prop_assert_eq!(count(&field.name), 1, "{} of {}", &field.name, name);
            prop_assert!(!field.primary_key && !field.unique);
        }
        let keys = collection.constraints.iter();
        let keys = keys
            .filter(|c| matches!(c.rule, Rule::PrimaryKey(_)))
            .count();
        prop_assert!(keys <= 1, "{} has {} primary keys", name, keys);
        for field in collection.key() {
            prop_assert!(collection.field(field).is_some_and(|field| field.required));
        }
        // In order by name, each with one, none twice.
        let named = |names: Vec<Option<Name>>| {
            names.iter().all(Option::is_some) && names.windows(2).all(|two| two[0] < two[1])
        };
        let indexes = collection.indexes.iter().map(|index| index.name.clone());
        let constraints = collection.constraints.iter().map(|c| c.name.clone());
        prop_assert!(named(indexes.collect()), "{:?}", collection);
        prop_assert!(named(constraints.collect()), "{:?}", collection);
        for index in &collection.indexes {
            prop_assert!(index.online.is_none());
            let fields = index.fields.iter().filter_map(|key| key.name());
            prop_assert!(fields.chain(&index.include).all(has), "{:?}", index);
        }
        for constraint in &collection.constraints {
            prop_assert!(constraint.columns().iter().all(has), "{:?}", constraint);
            let Some(references) = constraint.references() else {
                continue;
            };
            let target = schema.collection(&references.table);
            prop_assert!(
                target.is_some_and(|t| references.columns.iter().all(|c| t.field(c).is_some())),
                "{} of {name} points into the void",
                json(&[AddConstraint::new(name.clone(), constraint.clone()).into()])
            );
        }
        // Foreign keys are known from the other side, too.
        let mut found: Vec<(&Name, Option<&Name>)> = schema
            .foreign_keys_to(name)
            .map(|(other, key)| (other, key.name.as_ref()))
            .collect();
        let others = schema.collections().filter(|other| other.name != *name);
        let mut expected: Vec<(&Name, Option<&Name>)> = others
            .flat_map(|other| other.constraints.iter().map(move |c| (&other.name, c)))
            .filter(|(_, c)| c.references().is_some_and(|r| r.table == *name))
            .map(|(other, key)| (other, key.name.as_ref()))
            .collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
    for native in schema.natives() {
        if let Some(on) = &native.on {
            prop_assert!(schema.collection(on).is_some(), "{:?}", native);
        }
    }
    Ok(())
}

/// What was about a renamed field is about it still.
fn renaming_is_followed(rename: &RenameField, before: &Schema, after: &Schema) -> Outcome {
    let (old, new) = (
        before.collection(&rename.collection).unwrap(),
        after.collection(&rename.collection).unwrap(),
    );
    let (from, to) = (&rename.from, &rename.to);
    for index in &old.indexes {
        let renamed = new.index(index.name.as_ref().unwrap()).unwrap();
        prop_assert_eq!(index.mentions(from), renamed.mentions(to), "{:?}", renamed);
    }
    for constraint in &old.constraints {
        let renamed = new.constraint(constraint.name.as_ref().unwrap()).unwrap();
        prop_assert_eq!(
            constraint.mentions(from),
            renamed.mentions(to),
            "{:?}",
            renamed
        );
    }
    for (field, renamed) in old.fields.iter().zip(&new.fields) {
        for (one, other) in field.expressions().zip(renamed.expressions()) {
            prop_assert_eq!(one.mentions(from), other.mentions(to), "{:?}", renamed);
        }
    }
    let pointing = |schema: &Schema, field: &Name| {
        schema
            .foreign_keys_to(&rename.collection)
            .filter(|(_, key)| key.references().unwrap().columns.contains(field))
            .count()
    };
    prop_assert_eq!(pointing(before, from), pointing(after, to));
    Ok(())
}

fn law(start: &Schema, operations: &[Operation]) -> Outcome {
    let mut schema = start.clone();
    for operation in operations {
        let after = there_and_back(operation, &schema)?;
        is_whole(&after)?;
        if let Operation::RenameField(rename) = operation {
            renaming_is_followed(rename, &schema, &after)?;
        }
        schema = after;
    }
    written_is_the_same(&schema)
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn an_operation_and_its_inverse_give_the_schema_back(
        operations in drawn(Profile::model(), 0..13)
    ) {
        law(&Profile::model().start(), &operations.0)?;
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn so_they_do_where_the_database_is_not_known(
        operations in drawn(Profile::unknown(), 0..13)
    ) {
        law(&Profile::unknown().start(), &operations.0)?;
    }

    #[test]
    fn so_they_do_for_what_sqlite_can(operations in drawn(Profile::sqlite(), 0..13)) {
        law(&Profile::sqlite().start(), &operations.0)?;
    }

    #[test]
    fn a_whole_sequence_has_a_way_back(operations in drawn(Profile::model(), 0..13)) {
        all_the_way_back(&Profile::model().start(), &operations.0, &Naming::default())?;
    }

    #[test]
    fn made_names_that_are_cut_lead_back_too(operations in drawn(Profile::model(), 0..9)) {
        let start = Profile::model().start();
        for unit in [LengthUnit::Bytes, LengthUnit::Characters] {
            let naming = Naming { limit: Some((40, unit)), ..Naming::default() };
            // One that names what is called otherwise here does not fit.
            let mut schema = start.clone();
            let mut fitting = operations.0.clone();
            fitting.retain(|operation| {
                resolve(std::slice::from_ref(operation), &mut schema, &naming).is_ok()
            });
            all_the_way_back(&start, &fitting, &naming)?;
        }
    }

    #[test]
    fn operations_and_their_checksum_survive_json(
        operations in drawn(Profile::model(), 0..13)
    ) {
        through_json(&operations.0)?;
    }

    #[test]
    fn what_fits_is_a_valid_migration(operations in drawn(Profile::unknown(), 1..13)) {
        prop_assume!(!operations.0.is_empty());
        let down = operations.0.clone();
        let migration = Migration::new("random", None, operations.0, Some(down));
        prop_assert!(migration.is_ok(), "{}", migration.unwrap_err());
        let tag: ductape_core::Tag = "20240115_143052_random".parse().unwrap();
        let migration = migration.unwrap().with_tag(tag);
        let read = Migration::parse(&migration.to_json());
        prop_assert_eq!(read, Ok(migration));
    }

    #[test]
    fn what_does_not_fit_changes_nothing(
        operations in drawn(Profile::model(), 0..9),
        others in drawn(Profile::model(), 0..9),
    ) {
        let mut schema = Profile::model().start();
        for operation in &operations.0 {
            for other in &others.0 {
                misfits_change_nothing(other, &schema)?;
            }
            operation.apply(&mut schema).unwrap();
        }
    }
}

/// The generator is worth something only if most of what it draws becomes an operation.
#[test]
fn every_kind_of_operation_occurs() {
    for (title, profile) in [("model", Profile::model()), ("sqlite", Profile::sqlite())] {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut drawn, mut made) = (0, 0);
        let mut runner = TestRunner::new_with_rng(
            config(2_000),
            proptest::test_runner::TestRng::deterministic_rng(
                proptest::test_runner::RngAlgorithm::ChaCha,
            ),
        );
        let counted = std::sync::Mutex::new((&mut counts, &mut drawn, &mut made));
        runner
            .run(&choices(&profile, 0..13), |choices| {
                let operations = interpret(&profile, &choices);
                let mut counted = counted.lock().unwrap();
                *counted.1 += choices.len();
                *counted.2 += operations.len();
                for operation in &operations {
                    *counted.0.entry(operation.type_name()).or_default() += 1;
                }
                Ok(())
            })
            .unwrap();
        println!("{title}: {made} of {drawn} choices became operations: {counts:#?}");
        assert!(made * 10 >= drawn * 6, "{made} of {drawn}");
        for word in Operation::TYPES {
            let off = match *word {
                "raw" => !profile.raw,
                "restore" => !profile.natives,
                _ => false,
            };
            assert!(
                off != counts.contains_key(word),
                "{title}: {word} occurs {:?} times",
                counts.get(word)
            );
        }
    }
}
