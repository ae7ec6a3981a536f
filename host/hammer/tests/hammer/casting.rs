//! What `hmr targets cast` takes: files, Runefiles and what registries have.

use std::{fs, path::Path, process::Command};

use rune_abi::{WasmFeatures, image::ImageView};
use rune_hammer::source::{Form, Packages, Source, Talk};
use rune_registry::{Artifact, Client, Options, Reference, Store};

use crate::{
    devices::{Device, rune},
    registry::{Fault, Server},
    support::{folder, hmr},
};

/// Casts something to a device, with a store of the folder's own: exit status, standard output, standard error.
fn cast(folder: &Path, device: &Device, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hmr"))
        .args(["targets", "cast", "--udp", &device.address])
        .args(args)
        .current_dir(folder)
        .env("RUNE_STORE", folder.join("store"))
        .env("DOCKER_CONFIG", folder)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap();
    (status, text(output.stdout), text(output.stderr))
}

#[test]
fn a_runefile_is_built_for_the_device() {
    let folder = folder("cast-runefile");
    let device = Device::new(&folder, 30, &[]);
    rune(&folder, 1);
    let (status, printed, said) = cast(&folder, &device, &["1.Runefile"]);
    assert_eq!(status, 0, "{said}");
    assert!(
        printed.starts_with("Deploying 1.Runefile to target "),
        "{printed}"
    );
    assert!(printed.contains("Rune noise is healthy after"), "{printed}");

    // One with an error is shown with its place, and nothing reaches the device.
    let text = fs::read_to_string(folder.join("1.Runefile")).unwrap();
    fs::write(
        folder.join("wrong.Runefile"),
        text.replace("RUN noise", "RUN nois"),
    )
    .unwrap();
    let (status, printed, said) = cast(&folder, &device, &["wrong.Runefile"]);
    assert_eq!((status, printed.as_str()), (1, ""));
    assert!(said.contains("wrong.Runefile:5"), "{said}");
    assert!(said.contains("wrong.Runefile does not compile"), "{said}");

    let (status, printed, said) = cast(&folder, &device, &["1.Runefile", "--form", "mpu"]);
    assert_eq!((status, printed.as_str()), (2, ""));
    assert!(said.contains("linux takes no machine code"), "{said}");
}

#[test]
fn what_a_registry_has_is_pulled_for_the_device() {
    let folder = folder("cast-registry");
    let device = Device::new(&folder, 31, &[]);
    let server = Server::start(Fault::None);
    let reference: Reference = format!("127.0.0.1:{}/noise:1", server.port)
        .parse()
        .unwrap();
    let artifact = Artifact {
        name: ("noise".to_owned(), "1.0.0".to_owned()),
        rune: fs::read(rune(&folder, 1)).unwrap(),
        ..Artifact::default()
    };
    let store = Store::at(folder.join("pushed"));
    let root = artifact.put(&store).unwrap();
    Client::new(&reference, &Options::default())
        .unwrap()
        .push(&reference, &root, &store, &mut |_| ())
        .unwrap();

    let (status, printed, said) = cast(&folder, &device, &[&reference.to_string()]);
    assert_eq!(status, 0, "{said}");
    assert!(printed.contains("Rune noise is healthy after"), "{printed}");
    let missing = reference.to_string().replace(":1", ":2");
    let (status, printed, said) = cast(&folder, &device, &[&missing]);
    assert_eq!((status, printed.as_str()), (2, ""));
    assert!(said.contains(&missing), "{said}");
    // What came altered is not passed on.
    fs::remove_dir_all(folder.join("store")).unwrap();
    server.set(Fault::Altered);
    let (status, printed, said) = cast(&folder, &device, &[&reference.to_string()]);
    assert_eq!((status, printed.as_str()), (2, ""), "{said}");
}

#[test]
fn a_board_that_takes_machine_code_is_given_an_image() {
    let folder = folder("cast-image");
    rune(&folder, 1);
    let path = folder.join("1.Runefile");
    let source = Source::open(path.to_str().unwrap()).unwrap();
    let boards = ["mps2-an500", "linux", "mps2-an500", "a board of tomorrow"];
    let packages = |form| Packages::new(&source, boards.into_iter(), form, &Talk::default());
    let is_image = |packages: &Packages, board| {
        let package = packages.of(board).unwrap();
        assert_eq!(package.name, "noise");
        ImageView::is_one(package.bytes())
    };
    let plain = packages(Some(Form::Rune)).unwrap();
    assert!(boards.iter().all(|board| !is_image(&plain, board)));
    // A board interprets what any firmware takes.
    let features = |board| {
        let package = plain.of(board).unwrap();
        rune_core::check(package.bytes())
            .unwrap()
            .manifest()
            .features
    };
    assert_eq!(features("mps2-an500"), WasmFeatures(0));
    assert_ne!(features("linux"), WasmFeatures(0));
    if rune_aot::Compiler::all().is_empty() {
        eprintln!("skipped: there is no compiler for microcontrollers");
        return;
    }
    let own = packages(None).unwrap();
    assert_eq!(
        boards.map(|board| is_image(&own, board)),
        [true, false, true, false]
    );
}

#[test]
fn what_is_neither_a_file_nor_a_reference_is_said() {
    let folder = folder("cast-nothing");
    let (status, _, said) = hmr(&folder, &["targets", "cast", "nothing.rune", "--all"]);
    assert_eq!(status, 2);
    assert!(said.contains("nothing.rune"), "{said}");
}
