use ductape_builder::{integer, migration, uuid};

fn main() {
    let _ = migration("things")
        .create_collection("things", [uuid("id").primary_key(), integer("n").length(5)]);
}
