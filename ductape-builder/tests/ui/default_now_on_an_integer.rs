use ductape_builder::integer;

fn main() {
    let _ = integer("n").default_now();
}
