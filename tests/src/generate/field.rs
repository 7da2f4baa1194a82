//! Fields: added, dropped, renamed, modified.

use super::draw::{Draw, FIELDS, WORDS};
use ductape_core::operation::{AddField, DropField, ModifyField, RenameField};
use ductape_core::schema::{Change, FieldChanges, Generated, Rule, TypeAttributes, TypeName};
use ductape_core::{BackendName, Collection, Expression, Field, FieldType, Name, Operation};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Draw<'_> {
    pub(super) fn field_type(&mut self, name: TypeName, depth: usize) -> Option<FieldType> {
        let mut attributes = TypeAttributes::default();
        match name {
            TypeName::String | TypeName::Binary => {
                attributes.length = self.maybe(2, |draw| draw.of(&[20, 1, 255, 70_000]).copied());
            }
            TypeName::Decimal => {
                attributes.precision = self.maybe(2, |draw| draw.of(&[10, 1, 38]).copied());
                if attributes.precision.is_some() {
                    attributes.scale = self.maybe(2, |draw| draw.of(&[1, 0]).copied());
                }
            }
            TypeName::Enum => {
                let count = 1 + self.below(4);
                let values = WORDS.iter().take(count).map(|w| (*w).to_owned()).collect();
                attributes.enum_values = Some(values);
            }
            TypeName::Array => {
                let of = self.of(TypeName::ALL).copied()?;
                let of = if of == TypeName::Array && depth > 1 {
                    TypeName::Text
                } else {
                    of
                };
                attributes.items = Some(Box::new(self.field_type(of, depth + 1)?));
            }
            _ => {}
        }
        FieldType::from_parts(name, attributes).ok()
    }

    /// A field that the collection does not have; in the key or unique once in `flags` times.
    pub(super) fn field(&mut self, collection: &Collection, flags: usize) -> Option<Field> {
        let called = self.free(FIELDS, |name| collection.field(name).is_some())?;
        let types = self.profile.types.clone();
        let word = *self.of(&types)?;
        let mut field = Field::new(called, self.field_type(word, 0)?);
        field.primary_key = self.once_in(flags);
        field.unique = self.once_in(6);
        field.required = !field.primary_key && self.once_in(3);
        field.comment = self.comment();
        match self.below(5) {
            3 if self.profile.generated => {
                field.generated = self.generated(collection, &field.field_type);
                field.primary_key &= self.profile.any_words;
            }
            4 => {
                let only_key = !self.profile.only_the_key_counts || field.primary_key;
                let counts = [TypeName::Integer, TypeName::Bigint, TypeName::Smallint];
                field.auto_increment = only_key && counts.contains(&word);
            }
            1 | 2 => field.default = self.default(collection, &field.field_type),
            _ => {}
        }
        if has_collation(word) && !(self.profile.typed && word == TypeName::Enum) {
            field.collation = self.collation();
        }
        if self.profile.native_types && self.once_in(8) {
            field
                .native
                .insert(BackendName::Postgresql, "citext".to_owned());
        }
        Some(field)
    }

    pub(super) fn collation(&mut self) -> Option<String> {
        let collations = self.profile.collations.clone();
        self.maybe(5, |draw| draw.of(&collations).map(|c| (*c).to_owned()))
    }

    pub(super) fn generated(
        &mut self,
        collection: &Collection,
        of: &FieldType,
    ) -> Option<Generated> {
        if self.profile.typed {
            return self.typed_generated(collection, of);
        }
        let from = self.of(&collection.fields)?.name.clone();
        let from = self.spell(&from);
        let templates: &[&str] = if self.profile.any_words {
            &[
                "lower({a})",
                "{a} || 'F'",
                "EXTRACT(year FROM {a})",
                "({a})::date",
            ]
        } else {
            &["lower({a})", "{a} || 'F'", "length({a}) + 1"]
        };
        let text = self.of(templates)?.replace("{a}", &from);
        Some(Generated {
            expression: Expression::new(text),
            stored: self.once_in(2),
        })
    }

    /// A generated field whose expression is of its type, from a field that is none itself.
    pub(super) fn typed_generated(
        &mut self,
        collection: &Collection,
        of: &FieldType,
    ) -> Option<Generated> {
        let templates: &[&str] = match of.name() {
            TypeName::Text => &["lower({a})", "{a} || 'F'"],
            TypeName::Integer | TypeName::Bigint => &["length({a}) + 1"],
            _ => return None,
        };
        let texts: Vec<&Field> = collection
            .fields
            .iter()
            .filter(|field| is_text(&field.field_type) && field.generated.is_none())
            .collect();
        let from = self.of(&texts)?.name.clone();
        let text = self.of(templates)?.replace("{a}", &self.spell(&from));
        Some(Generated {
            expression: Expression::new(text),
            stored: true,
        })
    }

    /// A field's name as it stands in an expression.
    pub(super) fn spell(&mut self, field: &Name) -> String {
        let text = field.as_str();
        let double = format!("\"{}\"", text.replace('"', "\"\""));
        if !self.profile.any_words {
            return double;
        }
        let plain = ductape_core::expression::is_plain(text);
        match self.below(5) {
            0 | 1 if plain => text.to_owned(),
            2 if plain => text.to_uppercase(),
            3 => format!("`{}`", text.replace('`', "``")),
            4 if plain => format!("[{text}]"),
            _ => double,
        }
    }

    pub(super) fn some_fields(&mut self, collection: &Collection, most: usize) -> Vec<Name> {
        let mut names: Vec<Name> = Vec::new();
        for _ in 0..1 + self.below(most) {
            if let Some(field) = self.of(&collection.fields)
                && !names.contains(&field.name)
            {
                names.push(field.name.clone());
            }
        }
        names
    }

    pub(super) fn add_field(&mut self) -> Option<AddField> {
        let collection = self.collection()?;
        let flags = if collection.key().is_empty() { 3 } else { 200 };
        let field = self.field(&collection, flags)?;
        let mut add = AddField::new(collection.name.clone(), field);
        add.allow = self.allow();
        Some(add)
    }

    /// A field that can go, or else any.
    pub(super) fn drop_field(&mut self) -> Option<DropField> {
        let collection = self.collection()?;
        let start = self.below(collection.fields.len());
        let count = collection.fields.len();
        let mut drop = (0..count)
            .filter_map(|step| collection.fields.get((start + step) % count))
            .map(|field| DropField::new(collection.name.clone(), field.name.clone()))
            .find(|drop| {
                Operation::from(drop.clone())
                    .apply(&mut self.schema.clone())
                    .is_ok()
            })?;
        drop.allow = self.allow();
        Some(drop)
    }

    pub(super) fn rename_field(&mut self) -> Option<RenameField> {
        let mut collection = self.collection()?;
        let mut from = self.of(&collection.fields)?.name.clone();
        if !self.next().is_multiple_of(3) {
            // One that others point at: this is where a renaming goes wrong.
            let schema = self.schema;
            let pointed: Vec<(Arc<Collection>, Name)> = schema
                .collections()
                .flat_map(|target| {
                    schema
                        .foreign_keys_to(&target.name)
                        .filter_map(|(_, key)| key.references())
                        .flat_map(|references| &references.columns)
                        .map(|column| (target.clone(), column.clone()))
                })
                .collect();
            if let Some(other) = self.of(&pointed) {
                (collection, from) = other.clone();
            }
        }
        let to = self.free(FIELDS, |name| collection.field(name).is_some())?;
        let mut rename = RenameField::new(collection.name.clone(), from, to);
        rename.allow = self.allow();
        Some(rename)
    }

    pub(super) fn modify_field(&mut self) -> Option<ModifyField> {
        let collection = self.collection()?;
        let field = self.of(&collection.fields)?.clone();
        let mut changes = FieldChanges::default();
        for _ in 0..1 + self.below(3) {
            self.change(&collection, &field, &mut changes);
        }
        // What no longer fits is taken away with it.
        if let Err(wrong) = changes.apply_to(&field) {
            for (key, _) in wrong {
                match key {
                    "default" => changes.default = Change::Remove,
                    "autoIncrement" => changes.auto_increment = Some(false),
                    "collation" => changes.collation = Change::Remove,
                    _ => {}
                }
            }
        }
        if changes.is_empty() {
            return None;
        }
        let mut modify = ModifyField::new(collection.name.clone(), field.name.clone(), changes);
        if self.profile.any_words && self.once_in(8) {
            let text = format!("lower({})", self.spell(&field.name));
            modify.using.insert(BackendName::Postgresql, text);
        }
        modify.allow = self.allow();
        Some(modify)
    }

    pub(super) fn change(
        &mut self,
        collection: &Collection,
        field: &Field,
        changes: &mut FieldChanges,
    ) {
        let after = changes.apply_to(field).unwrap_or_else(|_| field.clone());
        let now = after.field_type.clone();
        let only = std::slice::from_ref(&field.name);
        let has = |rule: fn(&Rule) -> bool| {
            collection
                .constraints
                .iter()
                .any(|c| rule(&c.rule) && c.columns() == only)
        };
        match self.below(14) {
            0 => changes.required = Some(!after.required),
            1 => {
                let there = has(|rule| matches!(rule, Rule::Unique(_)));
                changes.unique = Some(if self.once_in(8) { there } else { !there });
            }
            2 => {
                let there = has(|rule| matches!(rule, Rule::PrimaryKey(_)));
                changes.primary_key = Some(!there);
                if there && self.once_in(2) {
                    changes.required = Some(false);
                }
            }
            3 | 4 => {
                changes.default = match self.default(collection, &now) {
                    Some(default) if after.generated.is_none() => Change::Set(default),
                    _ => Change::Remove,
                }
            }
            5 => changes.default = Change::Remove,
            6 => {
                changes.comment = match self.of(WORDS) {
                    Some(word) if after.comment.is_none() || self.once_in(2) => {
                        Change::Set((*word).to_owned())
                    }
                    _ => Change::Remove,
                }
            }
            7..=9 => {
                let types = self.profile.types.clone();
                let word = self.of(&types).copied().unwrap_or(TypeName::Text);
                if let Some(new) = self.field_type(word, 0) {
                    changes.field_type = Some(word);
                    changes.length = Change::Keep;
                    changes.precision = Change::Keep;
                    changes.scale = Change::Keep;
                    changes.enum_values = Change::Keep;
                    changes.items = Change::Keep;
                    set_attributes(&new, changes);
                }
            }
            10 => {
                // Other attributes of the same type.
                let word = now.name();
                if let Some(new) = self.field_type(word, 0) {
                    set_attributes(&new, changes);
                    if new.attributes().length.is_none() && word.attributes().contains(&"length") {
                        changes.length = Change::Remove;
                    }
                    if new.attributes().precision.is_none() && word == TypeName::Decimal {
                        changes.precision = Change::Remove;
                    }
                }
            }
            11 => {
                changes.collation = match self.profile.collations.first() {
                    Some(collation)
                        if after.collation.is_none()
                            && has_collation(now.name())
                            && !(self.profile.typed && now.name() == TypeName::Enum) =>
                    {
                        Change::Set((*collation).to_owned())
                    }
                    _ => Change::Remove,
                }
            }
            12 if self.profile.generated => {
                let mut others = collection.clone();
                others.fields.retain(|other| {
                    other.name != field.name
                        && !other.expressions().any(|e| e.mentions(&field.name))
                });
                changes.generated = match self.generated(&others, &now) {
                    Some(generated) if after.generated.is_none() => {
                        changes.default = Change::Remove;
                        Change::Set(generated)
                    }
                    _ => Change::Remove,
                };
            }
            13 if self.profile.native_types => {
                changes.native = match self.below(3) {
                    0 => Change::Set(BTreeMap::from([(
                        BackendName::Mysql,
                        "MEDIUMINT UNSIGNED".to_owned(),
                    )])),
                    1 => Change::Set(BTreeMap::new()),
                    _ => Change::Remove,
                }
            }
            _ => {
                let counts = matches!(
                    now,
                    FieldType::Integer | FieldType::Bigint | FieldType::Smallint
                );
                if after.auto_increment || counts {
                    changes.auto_increment = Some(!after.auto_increment);
                } else {
                    changes.required = Some(!after.required);
                }
            }
        }
    }

    // ---- indexes
}

pub(super) fn is_text(field_type: &FieldType) -> bool {
    matches!(field_type, FieldType::Text | FieldType::String { .. })
}

pub(super) fn has_collation(word: TypeName) -> bool {
    matches!(word, TypeName::String | TypeName::Text | TypeName::Enum)
}

pub(super) fn set_attributes(to: &FieldType, changes: &mut FieldChanges) {
    let attributes = to.attributes();
    if let Some(length) = attributes.length {
        changes.length = Change::Set(length);
    }
    if let Some(precision) = attributes.precision {
        changes.precision = Change::Set(precision);
        changes.scale = attributes.scale.map_or(Change::Remove, Change::Set);
    }
    if let Some(values) = attributes.enum_values {
        changes.enum_values = Change::Set(values);
    }
    if let Some(items) = attributes.items {
        changes.items = Change::Set(items);
    }
}
