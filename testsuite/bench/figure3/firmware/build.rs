//! Links the applications that the bench has made: in the folder that `FIGURE3_APPS` names, for each application
//! `NAME.wasm`, its samples in `NAME.samples`, and objects with the functions `figure3_NAME_start` and
//! `figure3_NAME_call`.
//! Without the variable there are none, so that the firmware can be linted by itself.

use std::{env, fmt::Write as _, fs, path::PathBuf};

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the manifest is");
    println!("cargo:rustc-link-search={here}");
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rerun-if-env-changed=FIGURE3_APPS");
    let mut names = vec![];
    let folder = env::var_os("FIGURE3_APPS").map(PathBuf::from);
    if let Some(folder) = &folder {
        println!("cargo:rerun-if-changed={}", folder.display());
        let entries = fs::read_dir(folder).expect("the folder of applications can be read");
        for entry in entries {
            let path = entry.expect("its entries too").path();
            match path.extension().and_then(|kind| kind.to_str()) {
                Some("wasm") => {
                    names.extend(path.file_stem().and_then(|s| s.to_str()).map(str::to_owned))
                }
                Some("o") => println!("cargo:rustc-link-arg-bins={}", path.display()),
                Some(_) | None => {}
            }
        }
        names.sort();
    }
    let mut apps = String::from("unsafe extern \"C\" {\n");
    for name in &names {
        let put = write!(
            apps,
            "fn figure3_{name}_start();\nfn figure3_{name}_call() -> i32;\n"
        );
        put.expect("a string takes everything");
    }
    apps += "}\npub(crate) static APPS: &[App] = &[\n";
    for name in &names {
        let file = |kind: &str| {
            folder
                .clone()
                .unwrap_or_default()
                .join(format!("{name}.{kind}"))
        };
        let put = write!(
            apps,
            "App {{ name: {name:?}, rune: include_bytes!({:?}), samples: include_bytes!({:?}), \
             native: Native {{ start: figure3_{name}_start, call: figure3_{name}_call }} }},\n",
            file("wasm"),
            file("samples")
        );
        put.expect("a string takes everything");
    }
    apps += "];\n";
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .expect("cargo says where output goes");
    fs::write(out.join("apps.rs"), apps).expect("the output folder can be written");
}
