//! Statements in SQLite's own words.

use super::compiler::Compilation;
use ductape_core::compiler::{Atomicity, Effect};
use ductape_core::expression::{Token, tokens};
use ductape_core::operation::Raw;
use ductape_core::{Risk, RiskKind};

impl<'r> Compilation<'r> {
    pub(super) fn raw(&mut self, at: usize, raw: &Raw) {
        let Some(text) = raw.statement.as_text() else {
            self.refuse(
                at,
                "SQLite takes an SQL text, and this is a document",
                "write the statement as a text",
            );
            return;
        };
        let found = statements(text);
        if let Some(word) = found.ends_transaction {
            self.refuse(
                at,
                format!("{word} would begin or end the transaction that the statement stands in"),
                "leave it out; Ductape begins and ends transactions",
            );
            return;
        }
        let alone = match raw.transactional {
            Some(transactional) => !transactional,
            None => found.alone,
        };
        let step = self.step(at, text.to_owned());
        step.effects.push(Effect::of_raw(text));
        if alone {
            step.atomicity = Atomicity::Alone;
            step.risks.push(Risk::new(
                RiskKind::NotTransactional,
                "the statement cannot stand in a transaction",
            ));
        } else {
            // As any client runs it: with foreign keys on.
            step.atomicity = Atomicity::Joins {
                setting: Some(Default::default()),
            };
        }
    }
}

/// What the statements of a raw text are.
struct Found {
    ends_transaction: Option<&'static str>,
    alone: bool,
}

fn statements(text: &str) -> Found {
    const TRANSACTION: [&str; 6] = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];
    const ALONE: [&str; 3] = ["VACUUM", "ATTACH", "DETACH"];
    let mut found = Found {
        ends_transaction: None,
        alone: false,
    };
    let mut start = true;
    let mut trigger = false;
    let mut words = 0;
    for token in tokens(text) {
        if start {
            let is = |word: &&&str| token.is_word(word);
            if !trigger {
                found.ends_transaction = found
                    .ends_transaction
                    .or(TRANSACTION.iter().find(is).copied());
                found.alone |= ALONE.iter().any(|word| token.is_word(word));
            } else if token.is_word("END") {
                // The end of a trigger's body, and of its statement.
                trigger = false;
            }
            start = false;
            words = 0;
        }
        if token.is_symbol(";") {
            start = true;
        } else if matches!(token, Token::Word(_)) {
            words += 1;
            trigger |= words <= 3 && token.is_word("TRIGGER");
        }
    }
    found
}
