use super::{
    Allow, DropCollection, Naming, Operation, SchemaError, constraint_name, without_natives,
};
use crate::difference::{self, DifferenceKind};
use crate::inverse::{Inverse, Irreversible};
use crate::json::{Node, Reader, is_default};
use crate::name::Name;
use crate::risk::Risk;
use crate::schema::options::OPTION_KEYS;
use crate::schema::{
    Collection, Constraint, DefaultValue, Field, FieldType, Index, List, Options, References, Rule,
    Schema,
};
use std::sync::Arc;

/// Makes a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateCollection {
    /// Its name.
    pub name: Name,
    /// Its fields.
    pub fields: List<Field>,
    /// Adds `created_at` and `updated_at`: required timestamps with the present as default.
    pub timestamps: bool,
    /// A note for people.
    pub comment: Option<String>,
    /// Indexes made with it.
    pub indexes: List<Index>,
    /// Constraints made with it.
    pub constraints: List<Constraint>,
    /// Options that only some databases know.
    pub options: Arc<Options>,
    /// What it may do that is refused without being asked for.
    pub allow: Vec<Allow>,
}

impl CreateCollection {
    /// A collection with these fields and nothing else said.
    pub fn new(name: Name, fields: impl Into<List<Field>>) -> Self {
        Self {
            name,
            fields: fields.into(),
            timestamps: false,
            comment: None,
            indexes: List::new(),
            constraints: List::new(),
            options: Options::none(),
            allow: Vec::new(),
        }
    }

    /// The operation that makes a collection of the model.
    pub fn of(collection: &Collection) -> Self {
        Self {
            name: collection.name.clone(),
            fields: collection.fields.clone(),
            timestamps: false,
            comment: collection.comment.clone(),
            indexes: collection.indexes.clone(),
            constraints: collection.constraints.clone(),
            options: collection.options.clone(),
            allow: Vec::new(),
        }
    }

    pub(super) fn subject(&self) -> Option<&Name> {
        Some(&self.name)
    }

    pub(super) fn spell_out(
        &self,
        before: &Schema,
        naming: &Naming,
    ) -> Result<Option<Vec<Operation>>, SchemaError> {
        let collection = self.collection(before, naming)?;
        if let Some(existing) = before.collection(&self.name) {
            let same = **existing == collection;
            if same && self.options.sql.if_not_exists {
                return Ok(Some(Vec::new()));
            }
            let how = match same {
                true => "just as it would be made".to_owned(),
                false => format!("and is another one{}", unlike(&collection, existing)),
            };
            let error = SchemaError::exists(
                same,
                format!("the collection {:?} already exists, {how}", self.name),
            );
            return Err(if same {
                error.hint("ifNotExists makes this nothing to do")
            } else {
                error
            });
        }
        let mut spelled = Self::of(&collection);
        spelled.allow.clone_from(&self.allow);
        Ok(Some(vec![spelled.into()]))
    }

    /// The collection that it makes, with all names made.
    ///
    /// # Errors
    /// If it contradicts itself.
    pub fn made(&self, before: &Schema, naming: &Naming) -> Result<Collection, SchemaError> {
        self.collection(before, naming)
    }

    /// The collection of the model that it makes.
    fn collection(&self, before: &Schema, naming: &Naming) -> Result<Collection, SchemaError> {
        let mut collection = Collection::new(self.name.clone());
        collection.comment.clone_from(&self.comment);
        collection.options = self.options.clone();
        if self.options.sql.if_not_exists {
            Arc::make_mut(&mut collection.options).sql.if_not_exists = false;
        }
        collection.fields = self.fields_with_timestamps()?;
        if collection.fields.is_empty() {
            return Err(SchemaError::invalid(format!(
                "the collection {:?} has no fields",
                self.name
            ))
            .hint("give it at least one, best a primary key"));
        }
        for (index, field) in collection.fields.iter().enumerate() {
            if collection
                .fields
                .iter()
                .take(index)
                .any(|f| f.name == field.name)
            {
                return Err(SchemaError::invalid(format!(
                    "the field {:?} stands twice in {:?}",
                    field.name, self.name
                )));
            }
        }
        let mut constraints = self.constraints.clone();
        let flagged: Vec<Name> = collection
            .fields
            .iter()
            .filter(|field| field.primary_key)
            .map(|field| field.name.clone())
            .collect();
        let mut keys = constraints
            .iter()
            .filter(|c| matches!(c.rule, Rule::PrimaryKey(_)));
        match (keys.next(), keys.next()) {
            (Some(_), Some(_)) => {
                return Err(SchemaError::invalid(format!(
                    "the collection {:?} has two primary keys",
                    self.name
                )));
            }
            (Some(key), None) if !flagged.is_empty() && key.columns() != flagged => {
                return Err(SchemaError::invalid(format!(
                    "the primary key of {:?} is said twice, and differently",
                    self.name
                )));
            }
            (None, _) if !flagged.is_empty() => {
                constraints.push(Constraint::new(Rule::PrimaryKey(flagged)));
            }
            _ => {}
        }
        for field in collection.fields.iter().filter(|field| field.unique) {
            let unique = Constraint::new(Rule::Unique(vec![field.name.clone()]));
            let name = constraint_name(&collection, &unique, naming);
            let said = constraints.iter().any(|said| {
                let same_name = said.name.as_ref().is_none_or(|said| *said == name);
                said.rule == unique.rule && same_name
            });
            let is_key = field.primary_key && is_only_key(&constraints, &field.name);
            if !(said || is_key) {
                constraints.push(unique);
            }
        }
        collection.fields.change(
            |field| field.unique || field.primary_key,
            |field| {
                field.unique = false;
                field.primary_key = false;
            },
        );
        for mut constraint in constraints {
            let name = constraint_name(&collection, &constraint, naming);
            if collection.constraint(&name).is_some() {
                return Err(SchemaError::invalid(format!(
                    "the constraint {name:?} stands twice in {:?}",
                    self.name
                )));
            }
            check_constraint(&collection, &constraint, before)?;
            require_key(&mut collection, &constraint);
            constraint.name = Some(name);
            collection.insert_constraint(constraint);
        }
        for index in self.indexes.shared() {
            let name = index
                .name
                .clone()
                .unwrap_or_else(|| naming.fit(index.made_name(&self.name)));
            if collection.index(&name).is_some() {
                return Err(SchemaError::invalid(format!(
                    "the index {name:?} stands twice in {:?}",
                    self.name
                )));
            }
            check_index(&collection, index)?;
            collection.insert_index(Index::settled(index, &name));
        }
        for constraint in &collection.constraints {
            check_own_key(&collection, constraint, before)?;
        }
        Ok(collection)
    }

    fn fields_with_timestamps(&self) -> Result<List<Field>, SchemaError> {
        let mut fields = self.fields.clone();
        if self.timestamps {
            for name in TIMESTAMPS {
                let mut field = Field::new(Name::made(name, []), FieldType::Timestamp);
                field.required = true;
                field.default = Some(DefaultValue::Now);
                match fields.iter().find(|f| f.name == field.name) {
                    None => fields.push(field),
                    Some(own) if *own == field => {}
                    Some(_) => {
                        return Err(SchemaError::invalid(format!(
                            "timestamps makes a field {name:?}, and {:?} has another one of that name",
                            self.name
                        ))
                        .hint("leave out timestamps, or the field"));
                    }
                }
            }
        }
        Ok(fields)
    }

    pub(super) fn apply(&self, schema: &mut Schema) -> Result<(), SchemaError> {
        if let Some(existing) = schema.collection(&self.name) {
            return Err(SchemaError::exists(
                **existing == self.as_collection(),
                format!("the collection {:?} already exists", self.name),
            ));
        }
        schema.put(self.as_collection());
        Ok(())
    }

    /// The spelled operation as the collection that it makes.
    pub fn as_collection(&self) -> Collection {
        Collection {
            name: self.name.clone(),
            fields: self.fields.clone(),
            indexes: self.indexes.clone(),
            constraints: self.constraints.clone(),
            comment: self.comment.clone(),
            options: self.options.clone(),
        }
    }

    pub(super) fn inverse(&self, before: &Schema) -> Result<Inverse, Irreversible> {
        let drop = DropCollection::new(self.name.clone()).into();
        // What names the collection before it is there means something else (a field of that name in a
        // view), and would be taken for a dependant: it stands aside and comes back.
        Ok(Inverse::lossless(
            match without_natives(before, before.natives_about(&self.name)) {
                None => vec![drop],
                Some(aside) => {
                    let again = aside.inverse_spelled(before)?;
                    [vec![aside, drop], again.operations].concat()
                }
            },
        ))
    }

    pub(super) fn risks(&self, _: &Schema) -> Vec<Risk> {
        Vec::new()
    }

    pub(super) fn describe(&self) -> String {
        let fields: Vec<&str> = self
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        format!("create collection {} ({})", self.name, fields.join(", "))
    }
}

/// The fields that `timestamps` makes.
const TIMESTAMPS: [&str; 2] = ["created_at", "updated_at"];

/// Notes every index and constraint over a field that the collection does not have.
fn check_known(
    known: impl Fn(&Name) -> bool,
    indexes: &List<Index>,
    constraints: &List<Constraint>,
    reader: &mut Reader,
) {
    let mut note = |list: &str, index: usize, key: &str, name: &Name| {
        reader.within(list, |reader| {
            reader.at(index, |reader| {
                reader.within(key, |reader| {
                    reader.problem(format!("the collection has no field {name:?}"));
                });
            });
        });
    };
    for (number, index) in indexes.iter().enumerate() {
        let keys = index.fields.iter().filter_map(|key| key.name());
        keys.filter(|name| !known(name))
            .for_each(|name| note("indexes", number, "fields", name));
        let included = index.include.iter();
        included
            .filter(|name| !known(name))
            .for_each(|name| note("indexes", number, "include", name));
    }
    for (number, constraint) in constraints.iter().enumerate() {
        let columns = constraint.columns().iter();
        columns
            .filter(|name| !known(name))
            .for_each(|name| note("constraints", number, "columns", name));
    }
}

fn is_only_key(constraints: &List<Constraint>, field: &Name) -> bool {
    constraints.iter().any(|constraint| {
        matches!(constraint.rule, Rule::PrimaryKey(_))
            && constraint.columns() == std::slice::from_ref(field)
    })
}

/// The fields of a primary key are required.
pub(super) fn require_key(collection: &mut Collection, constraint: &Constraint) {
    if let Rule::PrimaryKey(columns) = &constraint.rule {
        collection.fields.change(
            |field| !field.required && columns.contains(&field.name),
            |field| field.required = true,
        );
    }
}

/// Whether a constraint fits its collection and what it points at.
pub(super) fn check_constraint(
    collection: &Collection,
    constraint: &Constraint,
    before: &Schema,
) -> Result<(), SchemaError> {
    for column in constraint.columns() {
        if collection.field(column).is_none() {
            return Err(SchemaError::missing(format!(
                "the {} constraint is over the field {column:?}, which {:?} does not have",
                constraint.constraint_type(),
                collection.name
            )));
        }
    }
    let Some(references) = constraint.references() else {
        return Ok(());
    };
    if before.is_way_back() {
        return Ok(());
    }
    let target = if references.table == collection.name {
        collection
    } else {
        before.collection(&references.table).ok_or_else(|| {
            SchemaError::missing(format!(
                "the foreign key points at the collection {:?}, which does not exist",
                references.table
            ))
        })?
    };
    check_target(target, collection, constraint.columns(), references)
}

fn check_target(
    target: &Collection,
    collection: &Collection,
    columns: &[Name],
    references: &References,
) -> Result<(), SchemaError> {
    for column in &references.columns {
        if target.field(column).is_none() {
            return Err(SchemaError::missing(format!(
                "the foreign key points at {}.{column}, which does not exist",
                target.name
            )));
        }
    }
    if columns.len() != references.columns.len() {
        return Err(SchemaError::invalid(format!(
            "the foreign key of {:?} has {} columns and points at {}",
            collection.name,
            columns.len(),
            references.columns.len()
        )));
    }
    // A key of the same collection may be spelled out after the foreign key that points at it.
    if target.name == collection.name {
        return Ok(());
    }
    check_key(target, references)
}

/// Whether a foreign key that points at its own collection points at a key.
pub(super) fn check_own_key(
    collection: &Collection,
    constraint: &Constraint,
    before: &Schema,
) -> Result<(), SchemaError> {
    match constraint.references() {
        Some(references) if references.table == collection.name && !before.is_way_back() => {
            check_key(collection, references)
        }
        _ => Ok(()),
    }
}

fn check_key(target: &Collection, references: &References) -> Result<(), SchemaError> {
    if has_key(target, &references.columns) {
        return Ok(());
    }
    let columns: Vec<&str> = references.columns.iter().map(Name::as_str).collect();
    Err(SchemaError::invalid(format!(
        "the foreign key points at {} ({}), which is no primary or unique key",
        target.name,
        columns.join(", ")
    ))
    .hint("point at the primary key, or make these fields unique first"))
}

/// Whether these fields, in any order, are a primary or unique key.
pub(super) fn has_key(collection: &Collection, columns: &[Name]) -> bool {
    let same = |key: Vec<&Name>| {
        key.len() == columns.len() && columns.iter().all(|column| key.contains(&column))
    };
    collection
        .constraints
        .iter()
        .any(|constraint| constraint.is_key() && same(constraint.columns().iter().collect()))
        || collection.indexes.iter().any(|index| {
            index.unique
                && index.predicate.is_none()
                && index.fields.iter().all(|key| key.name().is_some())
                && same(index.fields.iter().filter_map(|key| key.name()).collect())
        })
}

/// Whether an index fits its collection.
pub(super) fn check_index(collection: &Collection, index: &Index) -> Result<(), SchemaError> {
    if index.fields.is_empty() {
        return Err(SchemaError::invalid("an index needs at least one key"));
    }
    let projected = match &index.dynamo.projection {
        crate::schema::Projection::Include(names) => names.as_slice(),
        _ => &[],
    };
    let names = index
        .fields
        .iter()
        .filter_map(|key| key.name())
        .chain(&index.include)
        .chain(projected);
    for name in names {
        if collection.field(name).is_none() {
            return Err(SchemaError::missing(format!(
                "the index is over the field {name:?}, which {:?} does not have",
                collection.name
            )));
        }
    }
    Ok(())
}

impl CreateCollection {
    pub(super) const KEYS: &'static [&'static str] = &[
        "name",
        "fields",
        "timestamps",
        "comment",
        "indexes",
        "constraints",
        OPTION_KEYS[0],
        OPTION_KEYS[1],
        OPTION_KEYS[2],
        OPTION_KEYS[3],
        "allow",
    ];

    pub(super) fn read_entries(entries: &[(String, Node)], reader: &mut Reader) -> Option<Self> {
        let name = reader.required(entries, "name");
        let fields = match entries.iter().find(|(key, _)| key == "fields") {
            Some((_, node)) => reader.within("fields", |reader| {
                let fields = crate::schema::field::read_fields(node, reader)?;
                if fields.is_empty() {
                    reader.problem("at least one field is needed");
                }
                for (index, field) in fields.iter().enumerate() {
                    if fields.iter().take(index).any(|f| f.name == field.name) {
                        reader.at(index, |reader| {
                            reader.problem(format!("the field {:?} stands twice", field.name));
                        });
                    }
                }
                Some(fields)
            }),
            None => {
                reader.problem("the key \"fields\" is missing");
                None
            }
        };
        let timestamps = reader.optional(entries, "timestamps");
        let comment = reader.optional(entries, "comment");
        let indexes: Option<List<Index>> = reader.optional(entries, "indexes");
        let constraints: Option<List<Constraint>> = reader.optional(entries, "constraints");
        let options = Options::read_shared(entries, reader);
        let allow = reader.optional(entries, "allow");
        if let (Some(fields), Some(indexes), Some(constraints)) = (&fields, &indexes, &constraints)
        {
            let made: &[&str] = match timestamps {
                Some(false) => &[],
                _ => &TIMESTAMPS,
            };
            let known = |name: &Name| {
                fields.iter().any(|field| field.name == *name) || made.contains(&name.as_str())
            };
            check_known(known, indexes, constraints, reader);
        }
        Some(Self {
            name: name?,
            fields: fields?,
            timestamps: timestamps?,
            comment: comment?,
            indexes: indexes?,
            constraints: constraints?,
            options: options?,
            allow: allow?,
        })
    }
}

impl serde::Serialize for CreateCollection {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("fields", &self.fields)?;
        if self.timestamps {
            map.serialize_entry("timestamps", &true)?;
        }
        if let Some(comment) = &self.comment {
            map.serialize_entry("comment", comment)?;
        }
        if !is_default(&self.indexes) {
            map.serialize_entry("indexes", &self.indexes)?;
        }
        if !is_default(&self.constraints) {
            map.serialize_entry("constraints", &self.constraints)?;
        }
        self.options.serialize(&mut map)?;
        if !is_default(&self.allow) {
            map.serialize_entry("allow", &self.allow)?;
        }
        map.end()
    }
}

#[cfg(feature = "json-schema")]
impl schemars::JsonSchema for CreateCollection {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CreateCollection".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        use crate::schema::{CassandraOptions, DynamoOptions, MongoOptions, SqlOptions};
        let name = generator.subschema_for::<Name>();
        let field = generator.subschema_for::<Field>();
        let field_type = generator.subschema_for::<FieldType>();
        // The key says the name, which the field may repeat.
        let mut named = Field::json_schema(generator);
        named.insert("required".into(), serde_json::json!(["type"]));
        let indexes = generator.subschema_for::<Vec<Index>>();
        let constraints = generator.subschema_for::<Vec<Constraint>>();
        let sql = generator.subschema_for::<SqlOptions>();
        let mongo = generator.subschema_for::<MongoOptions>();
        let dynamo = generator.subschema_for::<DynamoOptions>();
        let cassandra = generator.subschema_for::<CassandraOptions>();
        let allow = generator.subschema_for::<Vec<Allow>>();
        schemars::json_schema!({
            "description": "Makes a collection.",
            "type": "object",
            "properties": {
                "name": name,
                "fields": {
                    "anyOf": [
                        { "type": "array", "items": field, "minItems": 1 },
                        {
                            "type": "object",
                            "propertyNames": name,
                            "additionalProperties": {
                                "if": { "type": "object" }, "then": named, "else": field_type
                            },
                            "minProperties": 1
                        }
                    ]
                },
                "timestamps": { "type": "boolean" },
                "comment": { "type": "string" },
                "indexes": indexes,
                "constraints": constraints,
                "sqlOptions": sql,
                "mongoOptions": mongo,
                "dynamoOptions": dynamo,
                "cassandraOptions": cassandra,
                "allow": allow
            },
            "required": ["name", "fields"],
            "additionalProperties": false
        })
    }
}

/// Where the collection that is there is not as the one that would be made, for people.
fn unlike(made: &Collection, existing: &Collection) -> String {
    const SHOWN: usize = 3;
    let differences = difference::between(made, existing);
    let mut told: Vec<String> = differences
        .iter()
        .take(SHOWN)
        .map(|found| match found.kind {
            DifferenceKind::Missing => format!("it has no {}", found.path),
            DifferenceKind::Unexpected => format!("it has {}, {}", found.path, found.live),
            _ => format!(
                "{} is {} there, and would be {}",
                found.path, found.live, found.recorded
            ),
        })
        .collect();
    if differences.len() > SHOWN {
        told.push(format!("and {} more", differences.len() - SHOWN));
    }
    match told.is_empty() {
        true => String::new(),
        false => format!(": {}", told.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{made, operation, there_and_back};
    use super::{CreateCollection, Operation};

    #[test]
    fn the_way_back_keeps_a_view_that_only_uses_the_same_word() {
        there_and_back(
            r#"[{"type": "createCollection", "name": "t", "fields": {"orders": "integer"}},
                {"type": "restore", "backend": "sqlite", "definitions": [
                    {"kind": "view", "name": "v", "definition": "SELECT orders FROM t"}]}]"#,
            r#"{"type": "createCollection", "name": "orders", "fields": {"a": "integer"}}"#,
        );
    }

    #[test]
    fn a_foreign_key_to_its_own_collection_needs_a_key_there_too() {
        let create = |unique: bool| {
            operation(&format!(
                r#"{{"type": "createCollection", "name": "t", "fields": {{"a": "integer", "b": {{"type": "integer", "unique": {unique}}}}},
                    "constraints": [{{"type": "foreignKey", "columns": ["a"], "references": {{"table": "t", "columns": ["b"]}}}}]}}"#
            ))
        };
        assert!(create(true).apply(&mut made("[]")).is_ok());
        assert!(create(false).apply(&mut made("[]")).is_err());
        let mut schema = made(
            r#"[{"type": "createCollection", "name": "t", "fields": {"a": "integer", "b": "integer"}}]"#,
        );
        let add = operation(
            r#"{"type": "addConstraint", "collection": "t", "constraint":
                {"type": "foreignKey", "columns": ["a"], "references": {"table": "t", "columns": ["b"]}}}"#,
        );
        assert!(add.apply(&mut schema).is_err());
    }

    #[test]
    fn a_written_collection_makes_the_same_again() {
        let schema = made(
            r#"[{"type": "createCollection", "name": "t", "fields": [
                    {"name": "a", "type": "integer", "primaryKey": true}, {"name": "b", "type": "integer", "unique": true}]},
                {"type": "addConstraint", "collection": "t", "constraint": {"type": "unique", "columns": ["a"]}}]"#,
        );
        let mut again = made("[]");
        for collection in schema.collections() {
            let create = Operation::from(CreateCollection::of(&collection.written()));
            assert!(create.apply(&mut again).is_ok());
        }
        assert_eq!(again, schema);
    }
}
