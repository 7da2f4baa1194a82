use ductape_builder::migration;

fn main() {
    let _ = migration("empty").build();
}
