use ductape_builder::prelude::*;

fn main() {
    let _ = migration("drop").drop_field("users", "phone").cascade();
}
