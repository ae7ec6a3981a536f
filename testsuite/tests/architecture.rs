//! The invariants of `docs/ARCHITECTURE.md` that a compiler does not check.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use rune_testsuite::root;
use toml::{Table, Value};

/// The folders of the crates whose work is pure.
const CORE: &[&str] = &[
    "ir",
    "frontend/runefile",
    "frontend/models",
    "frontend/blocks",
    "codegen",
    "codegen/c",
];

#[test]
fn front_and_back_meet_only_in_ir() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("rune-abi", &[][..]),
        ("rune-catalogue", &[]),
        ("rune-adapt", &["rune-abi"]),
        ("rune-ble", &["rune-smp"]),
        ("rune-core", &["rune-abi", "rune-adapt", "rune-saga"]),
        ("rune-discovery", &[]),
        (
            "rune-firmware",
            &[
                "rune-abi",
                "rune-adapt",
                "rune-ble",
                "rune-core",
                "rune-install",
                "rune-link",
                "rune-saga",
                "rune-smp",
            ],
        ),
        ("rune-install", &[]),
        ("rune-link", &["rune-adapt", "rune-install"]),
        ("rune-ir", &["rune-abi"]),
        ("rune-runefile", &["rune-abi", "rune-ir"]),
        ("rune-models", &["rune-ir"]),
        ("rune-blocks", &["rune-abi", "rune-ir"]),
        ("rune-codegen", &["rune-abi", "rune-c", "rune-ir"]),
        ("rune-c", &[]),
        ("rune-aot", &["rune-abi", "rune-c", "rune-ir"]),
        (
            "runec",
            &[
                "rune-abi",
                "rune-aot",
                "rune-ir",
                "rune-runefile",
                "rune-models",
                "rune-blocks",
                "rune-codegen",
                "rune-aot",
                "rune-c",
                "rune-catalogue",
                "rune-registry",
                "rune-terminal",
            ],
        ),
        (
            "rune-runtime",
            &[
                "rune-abi",
                "rune-adapt",
                "rune-ble",
                "rune-core",
                "rune-discovery",
                "rune-exporters",
                "rune-install",
                "rune-registry",
                "rune-saga",
                "rune-smp",
                "rune-terminal",
                "rune-trust",
                "runec",
            ],
        ),
        (
            "rune-capi",
            &["rune-abi", "rune-exporters", "rune-runtime", "rune-saga"],
        ),
        (
            "rune-hammer",
            &[
                "rune-abi",
                "rune-catalogue",
                "rune-core",
                "rune-exporters",
                "rune-registry",
                "rune-smp",
                "rune-terminal",
                "rune-trust",
                "runec",
            ],
        ),
        ("rune-registry", &[]),
        ("rune-smp", &[]),
        ("rune-terminal", &[]),
        ("rune-trust", &["rune-abi", "rune-terminal"]),
        ("rune-saga", &["rune-abi"]),
        ("rune-smp", &["rune-abi", "rune-install"]),
        ("rune-exporters", &["rune-saga"]),
    ]);
    for (folder, manifest) in manifests() {
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        let Some(allowed) = allowed.get(name.as_str()) else {
            let tests = ["rune-testsuite", "rune-opinion"].contains(&name.as_str());
            assert!(tests, "{folder} needs a row here");
            continue;
        };
        for dependency in names(&manifest, "dependencies")
            .into_iter()
            .filter(|d| d.starts_with("rune"))
        {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn every_outside_package_has_the_owners_it_names() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let section = text
        .split("[workspace.dependencies]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in section
        .lines()
        .filter(|l| l.contains('=') && !l.starts_with('#') && !l.contains("path ="))
    {
        let (declaration, comment) = line
            .split_once(" # ")
            .unwrap_or_else(|| panic!("no owner: {line}"));
        let name = declaration.split('=').next().unwrap().trim().to_owned();
        let list = comment
            .split(',')
            .map(|o| o.split_whitespace().next().unwrap_or_default().to_owned());
        owners.insert(name, list.collect());
    }
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, manifest) in manifests() {
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for dependency in names(&manifest, table)
                .into_iter()
                .filter(|d| !d.starts_with("rune-") && d != "runec")
            {
                users.entry(dependency).or_default().insert(name.clone());
            }
        }
    }
    assert_eq!(
        owners, users,
        "left: the comments of the root Cargo.toml; right: the manifests"
    );
}

#[test]
fn the_core_may_not_touch_the_world() {
    let clippy = |folder: &str| -> Value {
        let text = fs::read_to_string(root().join(folder).join("clippy.toml"))
            .unwrap_or_else(|_| panic!("{folder} has no clippy.toml"));
        text.parse::<Table>().unwrap()["disallowed-methods"].clone()
    };
    let reference = clippy("ir");
    let paths: Vec<&str> = reference
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["path"].as_str().unwrap())
        .collect();
    for needed in ["std::fs::read", "std::env::var", "std::time::Instant::now"] {
        assert!(paths.contains(&needed), "{needed} is not forbidden");
    }
    for folder in CORE {
        assert_eq!(clippy(folder), reference, "{folder}");
    }
}

#[test]
fn ir_knows_no_formats_and_abi_nothing_at_all() {
    let manifests: BTreeMap<String, Table> = manifests().into_iter().collect();
    assert_eq!(
        names(&manifests["ir"], "dependencies"),
        ["libm", "rune-abi", "sha2"]
    );
    assert!(names(&manifests["stdlib/abi"], "dependencies").is_empty());
    let abi = fs::read_to_string(root().join("stdlib/abi/src/lib.rs")).unwrap();
    assert!(abi.contains("#![no_std]"));
}

#[test]
fn what_devices_share_needs_no_std() {
    let crates = manifests().into_iter().map(|(folder, _)| folder);
    for folder in crates.filter(|f| f.starts_with("runtime-mcu/")) {
        let path = root().join(&folder).join("src/lib.rs");
        let text = fs::read_to_string(path).unwrap();
        // Tests inside of a crate may have it.
        let forms = ["#![no_std]", "#![cfg_attr(not(test), no_std)]"];
        let is_one = forms.iter().any(|form| text.contains(form));
        assert!(is_one, "{folder}");
    }
}

#[test]
fn the_compiler_needs_no_heavy_trees() {
    let lock = fs::read_to_string(root().join("Cargo.lock"))
        .unwrap()
        .parse::<Table>()
        .unwrap();
    // The lock has what tests need, too, which is not needed to compile.
    let members: BTreeMap<String, Vec<String>> = manifests()
        .iter()
        .map(|(_, manifest)| {
            let name = manifest["package"]["name"].as_str().unwrap().to_owned();
            let tables = ["dependencies", "build-dependencies"];
            let all = tables.iter().flat_map(|table| names(manifest, table));
            (name, all.collect())
        })
        .collect();
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in lock["package"].as_array().unwrap() {
        let list = package
            .get("dependencies")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let name = package["name"].as_str().unwrap();
        let member = members.get(name);
        let list = list.iter().filter_map(|d| d.as_str()?.split(' ').next());
        let list = list.filter(|d| member.is_none_or(|m| m.iter().any(|name| name == d)));
        needs.entry(name).or_default().extend(list);
    }
    let mut seen = BTreeSet::new();
    let mut work = vec!["runec"];
    while let Some(name) = work.pop() {
        if seen.insert(name) {
            work.extend(&needs[name]);
        }
    }
    for heavy in ["wasmtime", "cranelift-codegen", "tokio", "image"] {
        assert!(!seen.contains(heavy), "runec must not depend on {heavy}");
    }
}

#[test]
fn every_file_says_what_it_is_for_and_is_not_too_long() {
    for path in files(root(), &["rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        assert!(
            text.starts_with("//!"),
            "{shown} does not say what it is for"
        );
        assert!(text.lines().count() <= 900, "{shown} is too long");
    }
    for path in files(&root().join("testsuite"), &["snap"]) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines <= 120,
            "{} has {lines} lines: a golden is for reading",
            path.display()
        );
    }
}

#[test]
fn the_catalogue_records_the_digests_of_its_blocks() {
    for entry in rune_catalogue::entries() {
        let digest = rune_ir::digest(entry.bytes);
        let hex = digest.map(|b| format!("{b:02x}")).concat();
        assert_eq!(
            hex, entry.sha256,
            "{}: run `cargo xtask blocks`",
            entry.name
        );
    }
}

/// The folders of `proc-blocks` that are no block.
const SHARED: &[&str] = &["c", "dsp", "native", "sdk", "tensor", "vectors"];

#[test]
fn every_block_is_in_the_catalogue_and_has_an_oracle() {
    let mut blocks: Vec<String> = Vec::new();
    for entry in fs::read_dir(root().join("proc-blocks")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if !folder.join("Cargo.toml").is_file() || SHARED.contains(&name.as_str()) {
            continue;
        }
        for file in ["block.toml", "src/lib.rs", "oracle.py", "vectors.json"] {
            assert!(folder.join(file).is_file(), "{name} has no {file}");
        }
        let sources = files(&folder.join("src"), &["rs"]);
        let sources = sources.iter().map(|path| fs::read_to_string(path).unwrap());
        let sources: String = sources.collect();
        for part in ["forbid(unsafe_code)", "rune_block_vectors::check("] {
            assert!(sources.contains(part), "{name} has no {part}");
        }
        blocks.push(format!("runicos/{name}"));
    }
    blocks.sort();
    assert_eq!(blocks, rune_catalogue::blocks().collect::<Vec<_>>());
}

/// The manifests of the workspace's members, by folder.
fn manifests() -> Vec<(String, Table)> {
    let read = |folder: &str| {
        fs::read_to_string(root().join(folder).join("Cargo.toml"))
            .unwrap()
            .parse::<Table>()
            .unwrap()
    };
    let workspace = read("");
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members
        .iter()
        .map(|m| m.as_str().unwrap().to_owned())
        .map(|folder| (folder.clone(), read(&folder)))
        .collect()
}

/// The names in a table of dependencies, also those of some systems alone, sorted.
fn names(manifest: &Table, table: &str) -> Vec<String> {
    let systems = manifest.get("target").and_then(Value::as_table);
    let systems = systems.into_iter().flat_map(Table::values);
    let tables = systems.filter_map(|system| system.get(table));
    let mut names: Vec<String> = tables
        .chain(manifest.get(table))
        .filter_map(Value::as_table)
        .flat_map(|table| table.keys().cloned())
        .collect();
    names.sort();
    names
}

/// Every file below `folder` with one of these extensions, without what is built.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, extensions));
        } else if path
            .extension()
            .is_some_and(|e| extensions.iter().any(|x| e == *x))
        {
            found.push(path);
        }
    }
    found.sort();
    found
}
