//! Links the applications that the bench has made: in the folder that `FIGURE3_APPS` names, for each application
//! `NAME.wasm`, its samples in `NAME.samples`, and objects with the functions `figure3_NAME_start` and
//! `figure3_NAME_call`. Without the variable there are none, so that the firmware can be linted by itself.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the manifest is");
    println!("cargo:rustc-link-search={here}");
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-env-changed=FIGURE3_APPS");
    let folder = env::var_os("FIGURE3_APPS").map(PathBuf::from);
    let apps = folder.as_deref().map(apps).unwrap_or_default();
    let out = env::var_os("OUT_DIR").expect("cargo says where output goes");
    fs::write(Path::new(&out).join("apps.rs"), table(&apps)).expect("the folder can be written");
}

/// Links what is in a folder. Gives its applications, as paths without an extension.
fn apps(folder: &Path) -> Vec<PathBuf> {
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut apps = vec![];
    for entry in fs::read_dir(folder).expect("the folder of applications can be read") {
        let path = entry.expect("its entries too").path();
        match path.extension().and_then(|kind| kind.to_str()) {
            Some("wasm") => apps.push(path.with_extension("")),
            Some("o") => println!("cargo:rustc-link-arg-bins={}", path.display()),
            Some(_) | None => {}
        }
    }
    apps.sort();
    apps
}

/// An image as Rust: aligned to the next power of two, which is as much as it has for itself.
fn slot(app: &Path, containment: &str) -> String {
    let path = app.with_extension(containment);
    let length = fs::read(&path)
        .expect("an application is an image too")
        .len();
    let (bytes, path) = (length.next_power_of_two(), path.display());
    format!(
        "{{ #[repr(C, align({bytes}))] struct Aligned([u8; {length}]); static IMAGE: Aligned = \
         Aligned(*include_bytes!(\"{path}\")); Slot {{ image: &IMAGE.0, bytes: {bytes} }} }}"
    )
}

/// The table of applications, as Rust.
fn table(apps: &[PathBuf]) -> String {
    let (mut functions, mut rows) = (String::new(), String::new());
    for app in apps {
        let text = app.to_str().expect("the paths are text");
        let name = app.file_name().and_then(|name| name.to_str());
        let name = name.expect("an application has a name");
        let functions = writeln!(
            functions,
            "fn figure3_{name}_start();\nfn figure3_{name}_call() -> i32;"
        );
        let images = ["mpu", "bounds", "mask"].map(|containment| slot(app, containment));
        let rows = writeln!(
            rows,
            "App {{ name: {name:?}, rune: include_bytes!(\"{text}.wasm\"), samples: \
             include_bytes!(\"{text}.samples\"), images: [{}], native: Native {{ start: figure3_{name}_start, \
             call: figure3_{name}_call }} }},",
            images.join(", ")
        );
        functions.and(rows).expect("a string takes everything");
    }
    format!(
        "unsafe extern \"C\" {{\n{functions}}}\npub(crate) static APPS: &[App] = &[\n{rows}];\n"
    )
}
