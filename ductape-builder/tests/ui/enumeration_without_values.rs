use ductape_builder::enumeration;

fn main() {
    let _ = enumeration("status", []);
}
