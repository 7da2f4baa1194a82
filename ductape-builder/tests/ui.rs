//! What makes no sense does not compile.

#[test]
fn nonsense_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
