use ductape_builder::{foreign_key, migration};

fn main() {
    let _ = migration("point").add_constraint("posts", foreign_key(["author_id"]));
}
