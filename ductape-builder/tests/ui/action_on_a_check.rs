use ductape_builder::{Cascade, check};

fn main() {
    let _ = check("price > 0").on_delete(Cascade);
}
