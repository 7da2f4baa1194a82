use ductape_builder::text;

fn main() {
    let _ = text("id").auto_increment();
}
