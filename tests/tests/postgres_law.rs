//! The law on a real PostgreSQL.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use ductape::{Error, ErrorKind};
use ductape_core::Operation;
use ductape_tests::generate::Profile;
use ductape_tests::served::{self, Served};
use ductape_tests::servers;

/// What only the server can know of an expression and a type: that a function or an operator is not for
/// it, that it does not turn into another, that something of it is in use.
fn does_not_fit(operation: &Operation, error: &Error) -> bool {
    let retyped = matches!(operation, Operation::ModifyField(_));
    let code = error.details().code.as_deref();
    match error.kind() {
        ErrorKind::Unsupported => retyped || error.details().message.contains("lists in a list"),
        ErrorKind::Refused => {
            retyped && matches!(code, Some("42883" | "42804" | "0A000" | "42P16" | "42846"))
        }
        _ => false,
    }
}

#[test]
fn what_is_applied_is_what_the_database_shows_and_the_way_back_leads_back() {
    served::what_is_applied_is_what_the_database_shows_and_the_way_back_leads_back(&Served {
        profile: Profile::postgres(),
        cases: 100,
        url: |number| {
            let server = servers::postgres().unwrap();
            format!("{}?schema=law_{}_{number}", server.url, std::process::id())
        },
        may_refuse: does_not_fit,
    });
}
