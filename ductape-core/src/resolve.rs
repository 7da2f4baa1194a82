//! Resolving: names made, dependants spelled out, inverses known, once.

use crate::inverse::{Inverse, Irreversible};
use crate::operation::{Naming, Operation, SchemaError};
use crate::schema::Schema;

/// An operation ready to be compiled.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The position of the authored operation that it comes from.
    pub authored: usize,
    /// The spelled operation.
    pub operation: Operation,
    /// The schema before it.
    pub before: Schema,
    /// The schema after it.
    pub after: Schema,
    /// What undoes it.
    pub inverse: Result<Inverse, Irreversible>,
}

/// An operation that does not fit the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolveError {
    /// The position of the authored operation.
    pub operation: usize,
    /// What it is, for people.
    pub describe: String,
    /// Why it does not fit.
    pub error: SchemaError,
}

/// Resolves operations against a schema, which then is as it will be after them.
///
/// # Errors
/// The first operation that does not fit; the schema is then unchanged.
pub fn resolve(
    operations: &[Operation],
    schema: &mut Schema,
    naming: &Naming,
) -> Result<Vec<Resolved>, ResolveError> {
    let mut at_hand = schema.clone();
    let mut resolved = Vec::with_capacity(operations.len());
    for (authored, operation) in operations.iter().enumerate() {
        let misfit = |error| ResolveError {
            operation: authored,
            describe: operation.describe(),
            error,
        };
        for operation in operation.spell_out(&at_hand, naming).map_err(misfit)? {
            let before = at_hand.clone();
            operation.apply_spelled(&mut at_hand).map_err(misfit)?;
            resolved.push(Resolved {
                authored,
                inverse: operation.inverse_spelled(&before),
                operation,
                before,
                after: at_hand.clone(),
            });
        }
    }
    *schema = at_hand;
    Ok(resolved)
}

/// The way back of resolved operations: their inverses, the last one first.
///
/// # Errors
/// The first operation, from the end, that has no way back.
pub fn way_back(resolved: &[Resolved]) -> Result<Inverse, Irreversible> {
    let mut back = Inverse::lossless(Vec::new());
    for resolved in resolved.iter().rev() {
        let inverse = resolved.inverse.as_ref().map_err(Clone::clone)?;
        back.operations.extend(inverse.operations.iter().cloned());
        back.lost.extend(inverse.lost.iter().cloned());
    }
    Ok(back)
}
