//! The ledger's tables.

use super::super::dialect::sql;
use super::place::Place;

/// The statements that make the ledger.
pub(super) fn make(place: &Place) -> Vec<String> {
    let names = &place.names;
    let table = |name| names.table(sql().words("CREATE TABLE IF NOT EXISTS "), name);
    let mut statements = Vec::with_capacity(4);
    if let (Some(schema), false) = (&place.schema, place.has_schema) {
        statements.push(sql().words("CREATE SCHEMA ").name(schema).finish());
    }
    statements.push(
        table(&names.migrations)
            .words(" (seq bigint PRIMARY KEY, tag text NOT NULL UNIQUE, name text NOT NULL, description text, checksum text NOT NULL, status text NOT NULL, migration text NOT NULL, down text NOT NULL, plan text, progress text NOT NULL, steps_done integer NOT NULL, steps_total integer NOT NULL, applied_at text NOT NULL, duration_ms bigint NOT NULL, applied_by text NOT NULL, tool_version text NOT NULL)")
            .finish(),
    );
    statements.push(
        table(&names.log)
            .words(" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at text NOT NULL, action text NOT NULL, tag text NOT NULL, actor text NOT NULL, host text NOT NULL, duration_ms bigint NOT NULL, detail text)")
            .finish(),
    );
    statements.push(
        table(&names.state)
            .words(" (key text COLLATE \"C\" PRIMARY KEY, value text NOT NULL)")
            .finish(),
    );
    statements
}
