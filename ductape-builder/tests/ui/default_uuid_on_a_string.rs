use ductape_builder::string;

fn main() {
    let _ = string("id").default_uuid();
}
