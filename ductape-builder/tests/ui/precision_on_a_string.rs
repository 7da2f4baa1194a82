use ductape_builder::string;

fn main() {
    let _ = string("name").precision(10);
}
