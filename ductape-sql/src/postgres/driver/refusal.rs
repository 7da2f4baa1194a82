//! What the server alone can foresee: rows that no expression converts, and what stands on a field and
//! does not fit its new type.

use ductape_core::Step;
use ductape_core::compiler::{Guard, Target};
use ductape_engine::DbError;

/// The error of a step. Where the server kept Ductape's own statement from breaking something, it is a
/// refusal; what a raw statement does is its author's.
pub(super) fn told(step: &Step, error: DbError) -> DbError {
    let mut effects = step.effects.iter();
    let converts = effects.any(|effect| matches!(effect.target, Target::Field { .. }));
    match error.code.as_deref() {
        _ if step.is_raw() => error,
        // So the types of extensions, hstore among them, tell of a text that is none of theirs.
        Some("XX000") if converts => error.refused(MEND_ROWS),
        code => match code.and_then(hint) {
            Some(hint) => error.refused(hint),
            None => error,
        },
    }
}

/// What to do about rows in the way.
const MEND_ROWS: &str =
    "mend the rows with an update before it, or say with using how they convert";

/// The error of a question about rows: what the server cannot even count stands in the way, too.
pub(super) fn asked(guard: &Guard, error: DbError) -> DbError {
    match error.code.as_deref().and_then(hint) {
        Some(hint) => error.refused(hint).statement(guard.question.to_string()),
        None => error,
    }
}

/// What to do about what the server says (errcodes-appendix).
fn hint(code: &str) -> Option<&'static str> {
    match code {
        // Data exceptions, and violations of constraints.
        code if code.starts_with("22") || code.starts_with("23") => Some(MEND_ROWS),
        // Types that differ, and an operator, function or cast that is not there for them; dependent
        // objects; a table that would be none; a feature that is not there.
        "42704" | "42804" | "42883" | "42846" | "42725" | "42P16" | "42P17" | "2BP01" | "0A000" => {
            Some(
                "what the statement makes or names does not fit the change: take it away with raw before it, and make it again afterwards in words that do",
            )
        }
        _ => None,
    }
}
