//! From resolved operations to DynamoDB's requests.

use crate::capabilities::CAPABILITIES;
use crate::problems::{
    Problem, constraint_problem, create_problems, field_problems, fixed_key, index_problems, no,
};
use crate::table::{
    attribute, attribute_definitions, folded_type, index_input, index_key, key, key_names,
    key_schema, key_type, projection, shape_of, shape_of_index,
};
use ductape_core::capabilities::Capabilities;
use ductape_core::compiler::{
    Action, Atomicity, Compiler, Context, DataJob, Direction, Effect, Mark, Reconciled, Refusal,
    Step, Target,
};
use ductape_core::difference::{Difference, DifferenceKind, between};

use ductape_core::schema::{Constraint, DefaultValue, Field, Index, IndexKey, Rule};
use ductape_core::{Collection, Name, Operation, Resolved, Risk, RiskKind, Statement};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// DynamoDB, with what the names of its tables begin with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DynamoDb {
    /// Put before the name of every collection: `prod_` makes the table `prod_users`.
    pub prefix: String,
}

impl DynamoDb {
    /// DynamoDB, with what the names of its tables begin with.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// The name of a collection's table.
    pub fn table(&self, collection: &Name) -> String {
        format!("{}{collection}", self.prefix)
    }
}

impl Compiler for DynamoDb {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    /// The key attributes, the key, and the indexes: DynamoDB knows nothing else of a table.
    fn normalize(&self, collection: &Collection) -> Collection {
        let mut normal = Collection::new(collection.name.clone());
        let own = key(collection);
        let mut attributes: BTreeMap<Name, _> = BTreeMap::new();
        for index in &collection.indexes {
            attributes.extend(index_key(collection, index));
            normal.insert_index(normal_index(index));
        }
        attributes.extend(own.iter().cloned());
        for (name, key_type) in attributes {
            let mut field = Field::new(name, folded_type(key_type));
            field.required = own.iter().any(|(name, _)| *name == field.name);
            normal.fields.push(field);
        }
        normal.insert_constraint(key_constraint(
            &collection.name,
            own.into_iter().map(|(name, _)| name).collect(),
        ));
        normal
    }

    /// Fields that are in no key cannot be seen, nor can what is promised of a field: these the record
    /// alone knows. Keys and indexes are as the database shows them.
    fn reconcile(&self, record: Option<&Collection>, live: Option<&Collection>) -> Reconciled {
        let (record, live) = match (record, live) {
            (Some(record), Some(live)) => (record, live),
            (None, Some(live)) => {
                return Reconciled {
                    collection: Some(live.clone()),
                    differences: Vec::new(),
                };
            }
            (Some(record), None) => {
                return Reconciled {
                    collection: None,
                    differences: vec![Difference::missing_collection(record)],
                };
            }
            (None, None) => return Reconciled::default(),
        };
        let normal = self.normalize(record);
        if normal == *live {
            return Reconciled {
                collection: Some(record.clone()),
                differences: Vec::new(),
            };
        }
        let mut differences = between(&normal, live);
        // A field that is in a key no more, or now is in one, is still there: the key says it.
        differences.retain(|difference| {
            difference.kind == DifferenceKind::Changed || !difference.path.starts_with("fields.")
        });
        let mut merged = record.clone();
        for shown in &live.fields {
            match merged
                .fields
                .iter_mut()
                .find(|field| field.name == shown.name)
            {
                Some(field) if key_type(&field.field_type) == key_type(&shown.field_type) => {}
                Some(field) => field.field_type = shown.field_type.clone(),
                None => merged.fields.push(shown.clone()),
            }
        }
        merged.indexes.clear();
        for shown in &live.indexes {
            let known = shown
                .name
                .as_ref()
                .filter(|name| normal.index(name) == Some(shown))
                .and_then(|name| record.index(name));
            merged.insert_index(known.unwrap_or(shown).clone());
        }
        if normal.primary_key() != live.primary_key() {
            merged
                .constraints
                .retain(|constraint| !matches!(constraint.rule, Rule::PrimaryKey(_)));
            let dynamo = &mut Arc::make_mut(&mut merged.options).dynamo;
            dynamo.partition_key = None;
            dynamo.sort_key = None;
            if let Some(key) = live.primary_key() {
                merged.insert_constraint(key.clone());
            }
        }
        Reconciled {
            collection: Some(merged),
            differences,
        }
    }

    fn compile(
        &self,
        operations: &[Resolved],
        context: &Context,
    ) -> Result<Vec<Step>, Vec<Refusal>> {
        let mut compilation = Compilation {
            dynamo: self,
            direction: context.direction,
            steps: Vec::new(),
            refusals: Vec::new(),
        };
        for (at, resolved) in operations.iter().enumerate() {
            compilation.operation(at, resolved);
        }
        if compilation.refusals.is_empty() {
            Ok(compilation.steps)
        } else {
            Err(compilation.refusals)
        }
    }
}

/// The primary key as it is read back: DynamoDB keeps no name of it.
pub(crate) fn key_constraint(collection: &Name, columns: Vec<Name>) -> Constraint {
    Constraint::named(Name::made("pk", [collection]), Rule::PrimaryKey(columns))
}

fn normal_index(index: &Index) -> Index {
    let keys = index
        .fields
        .iter()
        .filter_map(|key| key.name().cloned())
        .map(IndexKey::field);
    let mut normal = Index::new(keys.collect());
    normal.name.clone_from(&index.name);
    normal.dynamo.projection = projection(index);
    normal
}

struct Compilation<'c> {
    dynamo: &'c DynamoDb,
    direction: Direction,
    steps: Vec<Step>,
    refusals: Vec<Refusal>,
}

impl Compilation<'_> {
    fn operation(&mut self, at: usize, resolved: &Resolved) {
        let operation = &resolved.operation;
        let before = |name: &Name| resolved.before.collection(name);
        let after = |name: &Name| resolved.after.collection(name);
        let refused = match operation {
            Operation::CreateCollection(create) => {
                let Some(collection) = after(&create.name) else {
                    return;
                };
                let refused = create_problems(self.dynamo, operation, collection);
                if refused.is_empty() {
                    self.create(at, collection);
                }
                refused
            }
            Operation::DropCollection(drop) => {
                let table = self.dynamo.table(&drop.name);
                let target = Target::Collection(drop.name.clone());
                self.call(
                    at,
                    "DeleteTable",
                    json!({ "TableName": table }),
                    target,
                    Mark::Present,
                    Mark::Absent,
                );
                Vec::new()
            }
            Operation::AddField(add) => {
                let Some(collection) = before(&add.collection) else {
                    return;
                };
                let mut refused = field_problems(operation, &add.field);
                match self.fill(&add.field) {
                    Ok(Some(value)) if refused.is_empty() => {
                        self.data(at, collection, &add.field.name, Some(value));
                    }
                    Ok(_) => {}
                    Err(problem) => refused.push(problem),
                }
                refused
            }
            Operation::DropField(drop) => {
                let Some(collection) = before(&drop.collection) else {
                    return;
                };
                if key_names(collection).contains(&drop.field) {
                    vec![no(
                        format!("{} is in the key of the table", drop.field),
                        "make another collection and move the items",
                    )]
                } else {
                    self.data(at, collection, &drop.field, None);
                    Vec::new()
                }
            }
            Operation::CreateIndex(create) => {
                let Some((collection, index)) = after(&create.collection).and_then(|collection| {
                    let name = create.index.name.as_ref()?;
                    Some((collection, collection.index(name)?))
                }) else {
                    return;
                };
                let refused = index_problems(operation, collection, index);
                if refused.is_empty() {
                    self.create_index(at, collection, index);
                }
                refused
            }
            Operation::DropIndex(drop) => {
                let input = json!({
                    "TableName": self.dynamo.table(&drop.collection),
                    "GlobalSecondaryIndexUpdates": [{ "Delete": { "IndexName": drop.index } }],
                });
                let target = Target::Index {
                    collection: drop.collection.clone(),
                    index: drop.index.clone(),
                };
                self.call(
                    at,
                    "UpdateTable",
                    input,
                    target,
                    Mark::Present,
                    Mark::Absent,
                );
                Vec::new()
            }
            Operation::AddConstraint(add) => constraint_problem(operation, &add.constraint)
                .into_iter()
                .collect(),
            Operation::DropConstraint(drop) => {
                let key = before(&drop.collection)
                    .and_then(|collection| collection.constraint(&drop.constraint))
                    .is_some_and(|constraint| matches!(constraint.rule, Rule::PrimaryKey(_)));
                key.then(fixed_key).into_iter().collect()
            }
            Operation::ModifyCollection(modify) => {
                match (before(&modify.name), after(&modify.name)) {
                    (Some(old), Some(new)) if old.options.dynamo != new.options.dynamo => vec![no(
                        "options of a table that exists are not changed by this backend",
                        "change them with the AWS tools",
                    )],
                    // A comment, or another database's options: on record.
                    _ => Vec::new(),
                }
            }
            Operation::ModifyField(modify) => {
                let field = |collection: Option<&Arc<Collection>>| {
                    collection.and_then(|c| c.field(&modify.field)).cloned()
                };
                match (
                    field(before(&modify.collection)),
                    field(after(&modify.collection)),
                ) {
                    (Some(mut old), Some(new)) => {
                        old.required = new.required;
                        old.default.clone_from(&new.default);
                        old.comment.clone_from(&new.comment);
                        // What DynamoDB does not know is on record; the rest is in the items.
                        (old != new)
                            .then(|| {
                                no(
                                    "this backend does not change the values of items",
                                    "add a field of the new type, move the values with a program, and drop the old field",
                                )
                            })
                            .into_iter()
                            .collect()
                    }
                    _ => Vec::new(),
                }
            }
            Operation::RenameCollection(_) => vec![no(
                "DynamoDB cannot rename a table",
                "make another collection and move the items",
            )],
            Operation::RenameField(_) => vec![no(
                "this backend does not rename attributes of items",
                "add a field, move the values with a program, and drop the old field",
            )],
            Operation::Update(_) => vec![no(
                "this backend does not update items",
                "move the values with a program",
            )],
            Operation::Raw(_) => vec![no(
                "this backend runs no raw requests",
                "make the request with the AWS tools",
            )],
            Operation::Restore(_) => vec![no(
                "DynamoDB has no definitions of its own to restore",
                "leave it out",
            )],
        };
        for (reason, hint) in refused {
            self.refusals
                .push(Refusal::new(at, operation, reason, hint));
        }
    }

    fn call(
        &mut self,
        at: usize,
        action: &str,
        input: Value,
        target: Target,
        before: Mark,
        after: Mark,
    ) {
        let mut step = Step::statement(at..at + 1, Statement::call(action, input));
        step.atomicity = Atomicity::Alone;
        step.effects = vec![Effect {
            target,
            before,
            after,
        }];
        self.steps.push(step);
    }

    fn create(&mut self, at: usize, collection: &Collection) {
        let own = key(collection);
        let index_keys: Vec<_> = collection
            .indexes
            .iter()
            .map(|index| index_key(collection, index))
            .collect();
        let mut input = json!({
            "TableName": self.dynamo.table(&collection.name),
            "AttributeDefinitions": attribute_definitions(std::iter::once(&own).chain(&index_keys)),
            "KeySchema": key_schema(&own),
            "BillingMode": "PAY_PER_REQUEST",
        });
        if !collection.indexes.is_empty()
            && let Some(input) = input.as_object_mut()
        {
            let indexes = collection
                .indexes
                .iter()
                .map(|index| index_input(collection, index))
                .collect();
            input.insert("GlobalSecondaryIndexes".to_owned(), indexes);
        }
        let after = Mark::Like(shape_of(collection));
        let target = Target::Collection(collection.name.clone());
        self.call(at, "CreateTable", input, target, Mark::Absent, after);
        let promised = collection
            .constraints
            .iter()
            .filter(|constraint| !matches!(constraint.rule, Rule::PrimaryKey(_)))
            .filter_map(|constraint| constraint.name.as_ref());
        let risks: Vec<Risk> = promised
            .map(|name| {
                Risk::new(
                    RiskKind::NotEnforced,
                    format!("DynamoDB does not keep the promise of {name}"),
                )
            })
            .collect();
        if let Some(step) = self.steps.last_mut() {
            step.risks = risks;
        }
    }

    fn create_index(&mut self, at: usize, collection: &Collection, index: &Index) {
        let Some(name) = &index.name else {
            return;
        };
        let keys = [key(collection), index_key(collection, index)];
        let input = json!({
            "TableName": self.dynamo.table(&collection.name),
            "AttributeDefinitions": attribute_definitions(&keys),
            "GlobalSecondaryIndexUpdates": [{ "Create": index_input(collection, index) }],
        });
        let target = Target::Index {
            collection: collection.name.clone(),
            index: name.clone(),
        };
        let after = Mark::Like(shape_of_index(collection, index));
        self.call(at, "UpdateTable", input, target, Mark::Absent, after);
    }

    /// What items that exist get in a new field; nothing if nothing.
    fn fill(&self, field: &Field) -> Result<Option<Value>, Problem> {
        match &field.default {
            Some(DefaultValue::Value(Value::Null)) => Ok(None),
            Some(DefaultValue::Value(value)) => Ok(Some(attribute(&field.field_type, value))),
            Some(_) if self.direction == Direction::Up => Err(no(
                format!("this backend fills {} only with a value", field.name),
                "give the field a value as default, or none",
            )),
            _ if self.direction == Direction::Down && field.required => {
                let neutral = field.field_type.neutral_value();
                Ok(Some(attribute(&field.field_type, &neutral)))
            }
            _ => Ok(None),
        }
    }

    /// Fills a field in all items, or takes it away.
    fn data(&mut self, at: usize, collection: &Collection, field: &Name, value: Option<Value>) {
        let table = self.dynamo.table(&collection.name);
        let key = key_names(collection);
        let (update, condition) = match &value {
            Some(_) => (
                "SET #f = :value",
                "attribute_exists(#pk) AND attribute_not_exists(#f)",
            ),
            None => (
                "REMOVE #f",
                "attribute_exists(#pk) AND attribute_exists(#f)",
            ),
        };
        let names = json!({ "#pk": key.first(), "#f": field });
        let (work, input) = match value {
            Some(value) => (
                json!({ "table": table, "key": key, "field": field, "value": value }),
                json!({
                    "TableName": table,
                    "UpdateExpression": update,
                    "ConditionExpression": condition,
                    "ExpressionAttributeNames": names,
                    "ExpressionAttributeValues": { ":value": value },
                }),
            ),
            None => (
                json!({ "table": table, "key": key, "field": field }),
                json!({
                    "TableName": table,
                    "UpdateExpression": update,
                    "ConditionExpression": condition,
                    "ExpressionAttributeNames": names,
                }),
            ),
        };
        let mut step = Step::statement(at..at + 1, Statement::call("UpdateItem", Value::Null));
        step.atomicity = Atomicity::Alone;
        step.effects = vec![Effect {
            target: Target::Data {
                collection: collection.name.clone(),
            },
            before: Mark::Present,
            after: Mark::Present,
        }];
        step.action = Action::Data(Box::new(DataJob {
            collection: collection.name.clone(),
            statement: Statement::call("UpdateItem", input),
            work,
        }));
        self.steps.push(step);
    }
}
