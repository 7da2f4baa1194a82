//! The law on a real SQLite.
#![allow(missing_docs, reason = "tests")]

use ductape::ErrorKind;
use ductape_tests::generate::Profile;
use ductape_tests::served::{self, Served};

#[test]
fn what_is_applied_is_what_the_database_shows_and_the_way_back_leads_back() {
    served::what_is_applied_is_what_the_database_shows_and_the_way_back_leads_back(&Served {
        profile: Profile::sqlite(),
        cases: 500,
        url: |_| "sqlite::memory:".to_owned(),
        // A type that nothing turns into the other.
        may_refuse: |_, error| {
            error.kind() == ErrorKind::Unsupported
                && error.details().message.contains("nothing turns")
        },
    });
}
