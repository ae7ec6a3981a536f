//! Tells the linker where the memory map is.

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the manifest is");
    println!("cargo:rustc-link-search={here}");
    println!("cargo:rerun-if-changed=memory.x");
}
