//! What PostgreSQL cannot keep, said before anything is touched.

use super::capabilities::CAPABILITIES;
use super::compiler::Compilation;
use super::enum_type::{enum_type_name, owned_values};
use super::index::cannot;
use super::types::{enum_values, is_serial, server_spelling};
use ductape_core::compiler::{Direction, Step};
use ductape_core::expression::{Token, check, tokens};
use ductape_core::operation::DropConstraint;
use ductape_core::schema::{
    Constraint, DefaultValue, Field, FieldType, Index, IndexTarget, NativeDefinition, References,
    Rule,
};
use ductape_core::{BackendName, Collection, Name, Risk, RiskKind, Schema};
use serde_json::Value;
use std::sync::Arc;

/// The longest VARCHAR (datatype-character).
const LONGEST_STRING: u32 = 10_485_760;
/// The longest value of an enum, in bytes (datatype-enum).
const LONGEST_LABEL: usize = 63;
/// The most columns of an index (limits).
const INDEX_COLUMNS: usize = 32;
/// The most columns of a table (limits).
const TABLE_COLUMNS: usize = 1600;

impl Compilation<'_> {
    pub(super) fn check_collection(&mut self, at: usize, collection: &Collection, before: &Schema) {
        self.check_relation_name(at, &collection.name, before, &collection.name);
        if collection.fields.len() > TABLE_COLUMNS {
            self.refuse(
                at,
                format!("a table of PostgreSQL has at most {TABLE_COLUMNS} columns"),
                "spread the fields over several collections",
            );
        }
        for field in &collection.fields {
            self.check_field(at, field);
            self.check_enum_type_name(at, &collection.name, field, before);
        }
        for constraint in &collection.constraints {
            self.check_constraint(at, collection, constraint, before);
        }
        for index in &collection.indexes {
            self.check_index(at, &collection.name, index, before);
        }
    }

    /// The server would cut a longer name, and say so only in a notice.
    pub(super) fn check_name(&mut self, at: usize, name: &Name) {
        if let Some((limit, unit)) = CAPABILITIES.name_limit
            && unit.measure(name.as_str()) > limit
        {
            self.refuse(
                at,
                format!(
                    "a name has at most {limit} bytes in PostgreSQL, and {name} has {}",
                    unit.measure(name.as_str())
                ),
                "choose a shorter name",
            );
        }
    }

    fn no_expression(&mut self, at: usize, of: &str) {
        self.refuse(
            at,
            format!("{of} has no expression for PostgreSQL"),
            "add one under \"postgresql\"",
        );
    }

    /// Tables, indexes and keys are relations, and their names are of one space in a schema.
    pub(super) fn check_relation_name(
        &mut self,
        at: usize,
        name: &Name,
        before: &Schema,
        own: &Name,
    ) {
        self.check_name(at, name);
        let other = |owner: &&Arc<Collection>| owner.name != *own;
        let of_it = |owner: &Arc<Collection>| match owner.constraint(name) {
            Some(constraint) if constraint.is_key() => Some("a key"),
            _ => owner.index(name).map(|_| "an index"),
        };
        let taken = match before.collection(name).filter(other) {
            Some(_) => Some("a collection"),
            None => before.relation_owners(name).filter(other).find_map(of_it),
        };
        let mut views = ["view", "materialized view"].into_iter();
        let view = views.any(|kind| before.native_by_itself(kind, name).is_some());
        if let Some(what) = taken.or(view.then_some("a view")) {
            self.refuse(
                at,
                format!(
                    "the name {name} is taken by {what}: PostgreSQL has one space of names for tables, views, indexes and keys"
                ),
                "choose another name",
            );
        }
    }

    /// A table is a type of its name, too.
    pub(super) fn check_enum_type_name(
        &mut self,
        at: usize,
        own: &Name,
        field: &Field,
        before: &Schema,
    ) {
        if owned_values(field).is_none() {
            return;
        }
        let type_name = enum_type_name(own, &field.name);
        if before.collection(&type_name).is_some() || type_name == *own {
            self.refuse(
                at,
                format!(
                    "the enum type of {own}.{} would be called {type_name}, as a collection is",
                    field.name
                ),
                "give the field another name, or make it a string with a check",
            );
        }
    }

    pub(super) fn check_field(&mut self, at: usize, field: &Field) {
        self.check_name(at, &field.name);
        if let Some(DefaultValue::Expression(expression)) = &field.default
            && expression.text(BackendName::Postgresql).is_none()
        {
            self.no_expression(at, &format!("the default of {}", field.name));
        }
        if let Some(generated) = &field.generated
            && generated.expression.text(BackendName::Postgresql).is_none()
        {
            self.no_expression(at, &format!("the generated field {}", field.name));
        }
        if let Some(DefaultValue::Value(value)) = &field.default
            && matches!(field.field_type, FieldType::Array { .. })
            && shape(value).is_none()
        {
            self.refuse(
                at,
                format!(
                    "the lists in a list have one length in PostgreSQL, and are not empty: the default of {} is another one",
                    field.name
                ),
                "use the type json, or another default",
            );
        }
        match field.native.get(&BackendName::Postgresql) {
            Some(native) => {
                self.check_native(at, native);
                if field.auto_increment && !is_serial(&server_spelling(native)) {
                    self.refuse(
                        at,
                        format!("{} has a type in PostgreSQL's own words, which say whether it counts by itself", field.name),
                        "set autoIncrement to false with it, or leave the type out",
                    );
                }
            }
            None => self.check_type(at, field, &field.field_type),
        }
    }

    fn check_native(&mut self, at: usize, native: &str) {
        let type_words = check(native).is_ok()
            && !server_spelling(native).is_empty()
            && tokens(native).all(|token| match token {
                Token::Word(_) | Token::Number(_) => true,
                Token::Quoted(quoted) => {
                    quoted.starts_with('"') || quoted == "[]" || is_bounds(quoted)
                }
                token => ["(", ")", ",", "-", "+", ".", "[", "]"]
                    .iter()
                    .any(|symbol| token.is_symbol(symbol)),
            });
        if !type_words {
            self.refuse(
                at,
                format!("{native:?} is no type that PostgreSQL could take as it is"),
                "write words, with numbers in brackets if need be",
            );
        }
    }

    fn check_type(&mut self, at: usize, field: &Field, field_type: &FieldType) {
        match field_type {
            FieldType::String { length: Some(n) } if *n > LONGEST_STRING => self.refuse(
                at,
                format!(
                    "a VARCHAR of PostgreSQL has at most {LONGEST_STRING} characters, and {} has {n}",
                    field.name
                ),
                "use the type text",
            ),
            FieldType::Enum { values } => {
                if let Some(long) = values.iter().find(|v| v.len() > LONGEST_LABEL) {
                    self.refuse(
                        at,
                        format!(
                            "a value of an enum has at most {LONGEST_LABEL} bytes in PostgreSQL, and {long:?} has {}",
                            long.len()
                        ),
                        "shorten it, or use a string with a check",
                    );
                }
            }
            FieldType::Array { items } => self.check_type(at, field, items),
            _ => {}
        }
    }

    pub(super) fn check_constraint(
        &mut self,
        at: usize,
        collection: &Collection,
        constraint: &Constraint,
        before: &Schema,
    ) {
        let name = constraint.name.as_ref();
        let shown = name.map_or("", Name::as_str);
        match name {
            Some(name) if constraint.is_key() => {
                self.check_relation_name(at, name, before, &collection.name);
            }
            Some(name) => self.check_name(at, name),
            None => {}
        }
        match &constraint.rule {
            Rule::Check(expression) => {
                if expression.text(BackendName::Postgresql).is_none() {
                    self.no_expression(at, &format!("the check {shown}"));
                }
                if constraint.deferrable.is_some() {
                    self.refuse(
                        at,
                        format!("a check cannot be deferred in PostgreSQL, and {shown} is one"),
                        "leave out deferrable",
                    );
                }
            }
            Rule::ForeignKey(columns, references) => {
                let target = match references.table == collection.name {
                    true => Some(collection),
                    false => before.collection(&references.table).map(|c| c.as_ref()),
                };
                if let Some(target) = target {
                    self.check_comparable(at, collection, columns, target, &references.columns);
                }
                self.check_generated_columns(at, collection, columns, references, shown);
                let unlogged = |c: &Collection| c.options.sql.unlogged;
                if target.is_some_and(|target| unlogged(target) && !unlogged(collection)) {
                    self.refuse(
                        at,
                        format!(
                            "a logged table cannot point at an unlogged one in PostgreSQL, and {} is unlogged",
                            references.table
                        ),
                        "make both logged or both unlogged",
                    );
                }
            }
            Rule::PrimaryKey(columns) | Rule::Unique(columns) => {
                self.check_key_columns(at, columns.len(), shown);
            }
        }
    }

    fn check_key_columns(&mut self, at: usize, count: usize, name: &str) {
        if count > INDEX_COLUMNS {
            self.refuse(
                at,
                format!("an index of PostgreSQL has at most {INDEX_COLUMNS} columns, and {name} has {count}"),
                "leave some out",
            );
        }
    }

    pub(super) fn check_index(&mut self, at: usize, own: &Name, index: &Index, before: &Schema) {
        let name = index.name.as_ref();
        if let Some(name) = name {
            if own == name {
                self.refuse(
                    at,
                    format!("the index {name} is called as its collection is"),
                    "choose another name",
                );
            }
            self.check_relation_name(at, name, before, own);
        }
        let shown = name.map_or("", Name::as_str);
        self.check_key_columns(at, index.fields.len() + index.include.len(), shown);
        if let Some(collection) = before.collection(own) {
            self.check_index_collations(at, collection, index);
        }
        for (reason, hint) in cannot(index) {
            self.refuse(at, reason, hint);
        }
        if index
            .expressions()
            .any(|expression| expression.text(BackendName::Postgresql).is_none())
        {
            self.no_expression(at, &format!("the index {shown}"));
        }
    }

    fn check_index_collations(&mut self, at: usize, collection: &Collection, index: &Index) {
        for key in index.fields.iter().filter(|key| key.collation.is_some()) {
            let IndexTarget::Field(name) = &key.target else {
                continue;
            };
            let field = collection
                .field(name)
                .filter(|field| known_kin(field).is_some_and(|(kin, _)| kin != "text"));
            if let Some(field) = field {
                self.refuse(
                    at,
                    format!(
                        "the type {} of {name} has no collation; texts do",
                        field.field_type
                    ),
                    "leave the collation out",
                );
            }
        }
    }

    /// No foreign key writes what is generated.
    fn check_generated_columns(
        &mut self,
        at: usize,
        collection: &Collection,
        columns: &[Name],
        references: &References,
        name: &str,
    ) {
        use ductape_core::schema::ReferentialAction as A;
        let sets = |action| matches!(action, Some(A::SetNull | A::SetDefault));
        let writes = sets(references.on_delete)
            || sets(references.on_update)
            || references.on_update == Some(A::Cascade);
        let generated = columns.iter().find(|column| {
            let field = collection.field(column);
            field.is_some_and(|field| field.generated.is_some())
        });
        if let Some(field) = generated.filter(|_| writes) {
            self.refuse(
                at,
                format!(
                    "the foreign key {name} writes {field}, and nobody writes a generated field"
                ),
                "drop the foreign key first, or give it other actions",
            );
        }
    }

    /// The same for one in the server's own words.
    pub(super) fn check_native_key(&mut self, at: usize, native: &NativeDefinition) {
        let writes = native.kind == "constraint"
            && native.definition.contains(" FOREIGN KEY (")
            && ["SET NULL", "SET DEFAULT", "ON UPDATE CASCADE"]
                .iter()
                .any(|action| native.definition.contains(action));
        let generated = self
            .operations
            .get(at)
            .zip(native.on.as_ref())
            .and_then(|(resolved, on)| resolved.before.collection(on))
            .and_then(|collection| {
                let (columns, _) = native.definition.split_once(" REFERENCES ")?;
                let mut fields = collection.fields.iter();
                fields.find(|field| {
                    field.generated.is_some()
                        && ductape_core::expression::mentions(columns, &field.name)
                })
            });
        if let Some(field) = generated.filter(|_| writes) {
            self.refuse(
                at,
                format!(
                    "the foreign key {} writes {}, and nobody writes a generated field",
                    native.name, field.name
                ),
                "drop the foreign key first",
            );
        }
    }

    /// The server compares numbers with numbers that are no less wide, texts with texts, and nothing else
    /// with another type.
    fn check_comparable(
        &mut self,
        at: usize,
        own: &Collection,
        columns: &[Name],
        target: &Collection,
        targets: &[Name],
    ) {
        for (mine, theirs) in columns.iter().zip(targets) {
            let (Some(a), Some(b)) = (own.field(mine), target.field(theirs)) else {
                continue;
            };
            if let (Some((kin, width)), Some((other, most))) = (known_kin(a), known_kin(b))
                && (kin != other || width > most)
            {
                self.refuse(
                    at,
                    format!(
                        "{}.{mine} ({}) cannot point at {}.{theirs} ({}): PostgreSQL does not look one up among the other",
                        own.name, a.field_type, target.name, b.field_type
                    ),
                    "give both the same type",
                );
            }
        }
    }

    /// The foreign keys of a field whose type changes, and those that point at it.
    pub(super) fn check_keys_of(
        &mut self,
        at: usize,
        own: &Collection,
        field: &Name,
        after: &Schema,
    ) {
        for constraint in &own.constraints {
            if let Rule::ForeignKey(columns, references) = &constraint.rule
                && columns.contains(field)
                && let Some(target) = after.collection(&references.table)
            {
                self.check_comparable(at, own, columns, target, &references.columns);
            }
        }
        for (other, constraint) in after.foreign_keys_to(&own.name) {
            if let Rule::ForeignKey(columns, references) = &constraint.rule
                && references.columns.contains(field)
                && let Some(other) = after.collection(other)
            {
                self.check_comparable(at, other, columns, own, &references.columns);
            }
        }
    }

    /// A key that a foreign key in the server's own words points at stays while that does.
    pub(super) fn check_key_is_not_pointed_at(
        &mut self,
        at: usize,
        drop: &DropConstraint,
        before: &Schema,
    ) {
        let columns = before
            .collection(&drop.collection)
            .and_then(|collection| collection.constraint(&drop.constraint))
            .and_then(|constraint| match &constraint.rule {
                Rule::PrimaryKey(columns) | Rule::Unique(columns) => Some(columns),
                _ => None,
            });
        let Some(columns) = columns else {
            return;
        };
        // With another key over the same fields it is not told which one the foreign key needs.
        let another = before
            .collection(&drop.collection)
            .is_some_and(|collection| {
                collection.constraints.iter().any(|other| {
                other.name.as_ref() != Some(&drop.constraint)
                    && matches!(&other.rule, Rule::PrimaryKey(c) | Rule::Unique(c) if c == columns)
            })
            });
        if another {
            return;
        }
        let points = before.natives().find(|native| {
            native.kind == "constraint"
                && native
                    .definition
                    .split_once(" REFERENCES ")
                    .is_some_and(|(_, target)| {
                        let mut walk = tokens(target);
                        let names = |token: Token<'_>| token.name();
                        let table: Vec<String> = walk
                            .by_ref()
                            .take_while(|token| !token.is_symbol("("))
                            .filter_map(names)
                            .collect();
                        let keys: Vec<String> = walk
                            .take_while(|token| !token.is_symbol(")"))
                            .filter_map(names)
                            .collect();
                        let is_key = |column: &Name| keys.iter().any(|k| k == column.as_str());
                        table
                            .last()
                            .is_some_and(|name| name == drop.collection.as_str())
                            && keys.len() == columns.len()
                            && columns.iter().all(is_key)
                    })
        });
        if let Some(native) = points {
            self.refuse(
                at,
                format!(
                    "the foreign key {} points at {}, and needs {}",
                    native.name, drop.collection, drop.constraint
                ),
                "drop the foreign key first, with a raw statement",
            );
        }
    }

    /// A name that Ductape makes, as PostgreSQL can hold it.
    pub(super) fn fitting(&self, name: Name) -> Name {
        CAPABILITIES.naming().fit(name)
    }

    /// Tells of what a collection's fields promise and PostgreSQL does not keep.
    pub(super) fn not_kept(fields: &[&Field], step: &mut Step) {
        for field in fields {
            if field.collation.is_some() && enum_values(&field.field_type).is_some() {
                step.risks.push(Risk::new(
                    RiskKind::NotEnforced,
                    format!(
                        "PostgreSQL's enums have an order of their own: the collation of {} is kept on record",
                        field.name
                    ),
                ));
            }
            if let FieldType::Binary { length: Some(n) } = field.field_type
                && !field.native.contains_key(&BackendName::Postgresql)
            {
                step.risks.push(Risk::new(
                    RiskKind::NotEnforced,
                    format!(
                        "PostgreSQL's BYTEA has no length: more than {n} bytes fit in {}",
                        field.name
                    ),
                ));
            }
        }
    }

    /// Whether rows that have no value get the type's neutral one, instead of standing in the way.
    pub(super) fn fills(&self) -> bool {
        self.direction == Direction::Down
    }
}

/// The kin of a field's type, unless it is in the server's own words.
fn known_kin(field: &Field) -> Option<(&'static str, u8)> {
    match field.native.get(&BackendName::Postgresql) {
        Some(native) if !is_serial(&server_spelling(native)) => None,
        _ => kin(&field.field_type),
    }
}

/// Types of the same kin can be compared with each other; nothing for one that has none but itself. A key
/// of one is looked up among those of one that is as wide or wider (ATAddForeignKeyConstraint: the one is
/// turned into the other where that needs no saying).
fn kin(field_type: &FieldType) -> Option<(&'static str, u8)> {
    Some(match field_type {
        FieldType::Smallint | FieldType::Integer | FieldType::Bigint => ("number", 0),
        FieldType::Decimal { .. } => ("number", 1),
        FieldType::Float | FieldType::Double => ("number", 2),
        FieldType::String { .. } | FieldType::Text => ("text", 0),
        FieldType::Boolean => ("boolean", 0),
        FieldType::Uuid => ("uuid", 0),
        FieldType::Json => ("json", 0),
        FieldType::Date | FieldType::Datetime | FieldType::Timestamp => ("moment", 0),
        FieldType::Binary { .. } | FieldType::Blob => ("bytes", 0),
        _ => return None,
    })
}

/// The length of each dimension of lists in lists, if PostgreSQL can hold them (arrays, 8.15.2).
fn shape(value: &Value) -> Option<Vec<usize>> {
    let Value::Array(items) = value else {
        return Some(Vec::new());
    };
    let mut shapes = items.iter().map(shape);
    let inner = match shapes.next() {
        Some(first) => first?,
        None => Vec::new(),
    };
    let same = shapes.all(|other| other.as_ref() == Some(&inner));
    (same && !inner.contains(&0)).then(|| [vec![items.len()], inner].concat())
}

/// The `[3]` of an array's type.
fn is_bounds(quoted: &str) -> bool {
    quoted
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .is_some_and(|inner| inner.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::shape;
    use serde_json::json;

    #[test]
    fn only_full_and_even_lists_of_lists_can_be_held() {
        for value in [json!([]), json!([1, 2]), json!([[1], [2]])] {
            assert!(shape(&value).is_some(), "{value}");
        }
        for value in [json!([[], []]), json!([[1], [1, 2]]), json!([[1], [[1]]])] {
            assert!(shape(&value).is_none(), "{value}");
        }
    }
}
