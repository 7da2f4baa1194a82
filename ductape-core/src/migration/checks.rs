//! What can be checked of operations without a database.

use super::Sketch;
use crate::data::Filter;
use crate::json::{self, Node, Read, Reader};
use crate::name::Name;
use crate::operation::Operation;

/// Notes operations that could not be read again once they are kept.
pub(super) fn check_depth(key: &str, operations: &Node, reader: &mut Reader) {
    if operations.depth() >= json::DEEPEST {
        reader.within(key, |reader| {
            reader.problem_with_hint(
                format!(
                    "more than {} objects and lists inside each other",
                    json::DEEPEST
                ),
                "write it flatter",
            );
        });
    }
}

/// Checks the operations of a file as far as they can be read, so that one that cannot hides nothing
/// that is wrong with the others.
pub(super) fn check_readable(file: &Node, reader: &mut Reader) {
    for key in ["up", "down"] {
        let Some(Node::List(nodes)) = file.get(key) else {
            continue;
        };
        let operations: Vec<Option<Operation>> = nodes.iter().map(readable).collect();
        check_operations(key, operations.iter().map(Option::as_ref), reader);
    }
}

/// An operation, if nothing is wrong with how it is written.
fn readable(node: &Node) -> Option<Operation> {
    let mut reader = Reader::new();
    Operation::read(node, &mut reader).filter(|_| reader.count() == 0)
}

/// Checks operations beyond how they are written; those that are not known are `None`.
pub(super) fn check_operations<'o>(
    key: &str,
    operations: impl Iterator<Item = Option<&'o Operation>>,
    reader: &mut Reader,
) {
    let mut sketch = (key == "up").then(Sketch::default);
    reader.within(key, |reader| {
        for (index, operation) in operations.enumerate() {
            reader.at(index, |reader| match operation {
                Some(operation) => check_operation(operation, sketch.as_mut(), reader),
                // What follows may rest on what it would have done.
                None => sketch = None,
            });
        }
    });
}

fn check_operation(operation: &Operation, sketch: Option<&mut Sketch>, reader: &mut Reader) {
    let before = reader.count();
    check_names(operation, reader);
    check_words(operation, reader);
    if reader.count() > before {
        return;
    }
    if let Some(Err(problem)) = sketch.map(|sketch| sketch.apply(operation)) {
        match problem.hint {
            Some(hint) => reader.problem_with_hint(problem.message, hint),
            None => reader.problem(problem.message),
        }
    }
}

/// What an operation says in other languages than JSON.
fn check_words(operation: &Operation, reader: &mut Reader) {
    match operation {
        Operation::Raw(raw) => raw.check(reader),
        Operation::ModifyField(modify) => modify.check_using(reader),
        Operation::Update(update) => {
            let mut fields = Vec::new();
            update.filter.fields(&mut fields);
            if let Some(inverse) = &update.inverse {
                inverse.filter.fields(&mut fields);
            }
            for field in fields {
                if Filter::WORDS.contains(&field.as_str()) {
                    reader.problem_with_hint(
                        format!("a filter cannot be about a field called {field:?}"),
                        "and, or and not join filters; use raw, or rename the field",
                    );
                }
            }
        }
        _ => {}
    }
}

/// Names that are kept for Ductape.
fn check_names(operation: &Operation, reader: &mut Reader) {
    let mut names: Vec<&Name> = operation.collection().into_iter().collect();
    match operation {
        Operation::CreateCollection(create) => {
            names.extend(create.fields.iter().map(|field| &field.name));
            names.extend(create.indexes.iter().filter_map(|i| i.name.as_ref()));
            names.extend(create.constraints.iter().filter_map(|c| c.name.as_ref()));
            names.extend(
                create
                    .constraints
                    .iter()
                    .filter_map(|c| c.references().map(|r| &r.table)),
            );
        }
        Operation::RenameCollection(rename) => names.push(&rename.to),
        Operation::AddField(add) => names.push(&add.field.name),
        Operation::RenameField(rename) => names.push(&rename.to),
        Operation::CreateIndex(create) => names.extend(&create.index.name),
        Operation::AddConstraint(add) => {
            names.extend(&add.constraint.name);
            names.extend(add.constraint.references().map(|r| &r.table));
        }
        _ => {}
    }
    for name in names {
        if name.is_reserved() {
            reader.problem_with_hint(
                format!("the name {name:?} is kept for Ductape itself"),
                "names that begin with ductape_ are its own",
            );
        }
    }
}
