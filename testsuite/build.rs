//! Compiles the tree-sitter grammar of the editors, as an editor does, for `tests/editors.rs`.

fn main() {
    let sources = "../editors/tree-sitter/src";
    println!("cargo::rerun-if-changed={sources}");
    cc::Build::new()
        .include(sources)
        .file(format!("{sources}/parser.c"))
        .file(format!("{sources}/scanner.c"))
        .std("c11")
        .warnings(true)
        .flag_if_supported("-Wno-unused-but-set-variable")
        .warnings_into_errors(true)
        .cargo_metadata(true)
        .compile("tree-sitter-runefile");
}
