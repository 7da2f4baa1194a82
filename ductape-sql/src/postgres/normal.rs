//! A collection as PostgreSQL can hold it and give it back.

use super::defaults::{default_text, read_default};
use super::index::{nulls_by_default, without_implied_collations};
use super::types::{collation, enum_values, is_serial, read_type, server_spelling};
use ductape_core::BackendName;
use ductape_core::schema::{
    Collection, Constraint, DefaultValue, Field, FieldType, Index, IndexTarget, Method,
    ReferentialAction, Rule,
};
use std::sync::Arc;

/// The collection's normal form.
pub(crate) fn normal_collection(collection: &Collection) -> Collection {
    let mut normal = Collection::new(collection.name.clone());
    normal.comment = collection.comment.clone().filter(|c| !c.is_empty());
    if collection.options.sql.unlogged {
        Arc::make_mut(&mut normal.options).sql.unlogged = true;
    }
    normal.fields = collection.fields.iter().map(normal_field).collect();
    for index in &collection.indexes {
        let mut index = normal_index(index);
        without_implied_collations(&mut index, collection);
        normal.insert_index(index);
    }
    for constraint in &collection.constraints {
        normal.insert_constraint(normal_constraint(constraint));
    }
    normal
}

fn normal_field(field: &Field) -> Field {
    let mut normal = field.clone();
    normal.comment = field.comment.clone().filter(|c| !c.is_empty());
    let native = field
        .native
        .get(&BackendName::Postgresql)
        .map(|native| server_spelling(native));
    normal.native.clear();
    match native {
        None => normal.field_type = normal_type(&field.field_type),
        Some(native) => {
            let (field_type, words) = read_type(&native);
            // The values of an enum are the catalog's to tell.
            if enum_values(&field.field_type).is_none() {
                normal.field_type = field_type;
            }
            if let Some(words) = words {
                normal.auto_increment |= is_serial(&words);
                normal.native.insert(BackendName::Postgresql, words);
            }
        }
    }
    // What counts by itself is never null.
    normal.required |= normal.auto_increment;
    normal.default = field
        .default
        .as_ref()
        .and_then(|default| normal_default(default, &field.field_type, &normal.field_type));
    if let Some(generated) = &mut normal.generated {
        // Generated columns are stored, up to version 17 all of them.
        generated.stored = true;
        if let Some(folded) = generated.expression.folded(BackendName::Postgresql) {
            generated.expression = folded;
        }
    }
    normal.collation = collation(field).map(|name| name.as_str().to_owned());
    normal
}

/// The type as the catalog tells it.
fn normal_type(field_type: &FieldType) -> FieldType {
    match field_type {
        // A column of bytes has no length.
        FieldType::Binary { .. } => FieldType::Blob,
        FieldType::Array { items } => match normal_type(items) {
            // The number of dimensions is not part of a type.
            inner @ FieldType::Array { .. } => inner,
            inner => FieldType::Array {
                items: Box::new(inner),
            },
        },
        other => other.clone(),
    }
}

fn normal_default(
    default: &DefaultValue,
    written: &FieldType,
    normal: &FieldType,
) -> Option<DefaultValue> {
    if let DefaultValue::Expression(expression) = default
        && let Some(adopted) = expression.adopted()
    {
        // What was an expression for one type may be the moment for another.
        if let Some(DefaultValue::Now) = read_default(adopted, normal) {
            return Some(DefaultValue::Now);
        }
        return expression
            .folded(BackendName::Postgresql)
            .map(DefaultValue::Expression);
    }
    read_default(&default_text(default, written)?, normal)
}

fn normal_index(index: &Index) -> Index {
    let mut normal = index.clone();
    normal.method = index.method.filter(|method| *method != Method::Btree);
    normal.comment = index.comment.clone().filter(|c| !c.is_empty());
    normal.mongo = Default::default();
    normal.dynamo = Default::default();
    if let Some(predicate) = &mut normal.predicate
        && let Some(folded) = predicate.folded(BackendName::Postgresql)
    {
        *predicate = folded;
    }
    for key in &mut normal.fields {
        if let IndexTarget::Expression(expression) = &mut key.target
            && let Some(folded) = expression.folded(BackendName::Postgresql)
        {
            *expression = folded;
        }
        key.nulls = key
            .nulls
            .filter(|nulls| *nulls != nulls_by_default(key.descending));
    }
    normal
}

fn normal_constraint(constraint: &Constraint) -> Constraint {
    let mut normal = constraint.clone();
    match &mut normal.rule {
        Rule::Check(expression) => {
            if let Some(folded) = expression.folded(BackendName::Postgresql) {
                *expression = folded;
            }
        }
        Rule::ForeignKey(_, references) => {
            for action in [&mut references.on_delete, &mut references.on_update] {
                *action = action.filter(|action| *action != ReferentialAction::NoAction);
            }
        }
        _ => {}
    }
    normal
}
