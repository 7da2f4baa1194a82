//! Where a step stands, as the catalog shows it.

use super::super::dialect::sql;
use super::batch::index_name;
use super::session::PostgresSession;
use crate::writer::Sql;
use ductape_core::compiler::{Atomicity, Effect, Mark, Target};
use ductape_core::expression::tokens;
use ductape_core::{Name, Statement, Step};
use ductape_engine::DbError;
use ductape_engine::backend::Standing;
use serde_json::Value;

/// Statements that may be run twice: doing them again changes nothing that was asked for.
const HARMLESS_AGAIN: [&str; 4] = ["VACUUM", "ANALYZE", "REINDEX", "CLUSTER"];

/// How the catalog shows what an effect is about.
enum Shown {
    Absent,
    Present,
    /// An index that is not valid, and whether somebody is building it now.
    Invalid {
        building: bool,
    },
    /// A constraint, and whether it holds for the rows that were there before it.
    Constraint {
        validated: bool,
    },
}

pub(super) async fn standing(
    session: &mut PostgresSession,
    step: &Step,
) -> Result<Standing, DbError> {
    // What shares a transaction with its record was not done if it is not recorded.
    if step.is_transactional() {
        return Ok(Standing::Before);
    }
    let Some(effect) = step.effects.first() else {
        return Ok(Standing::Unknowable);
    };
    let Some(query) = query(session, effect) else {
        return Ok(of_a_text(step.shown()));
    };
    let answers = session.look(&[query]).await?;
    let shown = match answers.last().and_then(|answer| answer.first(0)) {
        None => Shown::Absent,
        Some("invalid") => Shown::Invalid { building: false },
        Some("building") => Shown::Invalid { building: true },
        Some("validated") => Shown::Constraint { validated: true },
        Some("not validated") => Shown::Constraint { validated: false },
        Some(_) => Shown::Present,
    };
    Ok(judge(session, effect, &shown))
}

/// What the catalog has of an effect's target: no row if it is not there.
fn query(session: &PostgresSession, effect: &Effect) -> Option<String> {
    let schema = session.place.schema_name();
    let within = |text: Sql| {
        text.words(" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ")
            .text(schema)
    };
    let of = |text: Sql, name: &Name| within(text).words(" AND c.relname = ").text(name.as_str());
    let text = match &effect.target {
        Target::Collection(name) => of(sql().words("SELECT 'there' FROM pg_class c"), name)
            .words(" AND c.relkind IN ('r', 'p')"),
        Target::Field { collection, field } => of(
            sql().words("SELECT 'there' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"),
            collection,
        )
        .words(" AND NOT a.attisdropped AND a.attname = ")
        .text(field.as_str()),
        Target::Index { index, .. } => of(
            sql().words("SELECT CASE WHEN i.indisvalid THEN 'there' WHEN EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid) THEN 'building' ELSE 'invalid' END FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"),
            index,
        ),
        Target::Constraint {
            collection,
            constraint,
        } => of(
            sql().words("SELECT CASE WHEN k.convalidated THEN 'validated' ELSE 'not validated' END FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"),
            collection,
        )
        .words(" AND k.conname = ")
        .text(constraint.as_str()),
        Target::Options { .. }
        | Target::Native { .. }
        | Target::Data { .. }
        | Target::Anything => return None,
    };
    Some(text.finish())
}

fn judge(session: &PostgresSession, effect: &Effect, shown: &Shown) -> Standing {
    let makes = effect.before == Mark::Absent;
    match (shown, &effect.target) {
        (Shown::Invalid { building: true }, _) => Standing::InProgress,
        // A build that was cut off. It is in the way of another, and never used.
        (Shown::Invalid { .. }, Target::Index { index, .. }) if makes => Standing::Partial {
            clean: vec![drop_concurrently(session, index)],
        },
        // A removal that was cut off goes on where it is asked for again.
        (Shown::Invalid { .. }, _) => Standing::Before,
        (shown, _) => {
            if matches(&effect.after, shown) {
                Standing::After
            } else if matches(&effect.before, shown) {
                Standing::Before
            } else {
                Standing::Foreign {
                    shows: match shown {
                        Shown::Absent => "it is not there".to_owned(),
                        Shown::Constraint { validated: false } => {
                            "a constraint that was not validated".to_owned()
                        }
                        _ => "it is there".to_owned(),
                    },
                }
            }
        }
    }
}

fn matches(mark: &Mark, shown: &Shown) -> bool {
    match mark {
        Mark::Absent => matches!(shown, Shown::Absent),
        Mark::Present | Mark::AsFarAsRowsAllow => !matches!(shown, Shown::Absent),
        Mark::Like(value) => match (shown, value.get("validated")) {
            (Shown::Constraint { validated }, Some(Value::Bool(wanted))) => validated == wanted,
            _ => false,
        },
    }
}

fn drop_concurrently(session: &PostgresSession, index: &Name) -> Step {
    let text = format!(
        "DROP INDEX CONCURRENTLY {}",
        index_name(&session.place, index)
    );
    let mut step = Step::statement(0..0, Statement::Sql(text));
    step.atomicity = Atomicity::Alone;
    step
}

/// A text whose effect is not known: only what may be run twice is.
fn of_a_text(statement: &Statement) -> Standing {
    let first = statement.as_sql().and_then(|text| tokens(text).next());
    match first {
        Some(word) if HARMLESS_AGAIN.iter().any(|known| word.is_word(known)) => Standing::Before,
        _ => Standing::Unknowable,
    }
}
