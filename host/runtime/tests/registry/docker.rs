//! Against docker's registry, with skopeo as second reader, where they are installed.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::support::{Place, with_base};

/// The line of a file of passwords for `me`, `open sesame`.
const HTPASSWD: &str = "me:$2b$04$3pFiBBR0hxu6fbeYeb/hguMFxhX6a38ZqgDH5hj71DQG6lfCAEsGa\n";
/// The same two, as docker keeps them.
const AUTH: &str = "bWU6b3BlbiBzZXNhbWU=";

/// Whether these programs are installed; if not, that the test is skipped.
fn are_there(programs: &[(&str, &str)]) -> bool {
    programs.iter().all(|(program, package)| {
        let there = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|folder| folder.join(program).is_file());
        if !there {
            eprintln!("skipped: no {program}; `apt install {package}`");
        }
        there
    })
}

/// A registry that is running.
struct Registry {
    child: Child,
    host: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    /// Starts one; `more` is put into its configuration under `http` and below it.
    fn start(place: &Place, more: &str) -> Self {
        // Somebody else may take the port between this and the start.
        for _ in 0..5 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let root = place.folder.join("registry");
            let config = format!(
                "version: 0.1\nlog:\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
                 http:\n  addr: 127.0.0.1:{port}\n{more}",
                root.display()
            );
            place.put("config.yml", config);
            let mut child = Command::new("docker-registry")
                .args(["serve", "config.yml"])
                .current_dir(&place.folder)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            while child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self {
                        child,
                        host: format!("localhost:{port}"),
                    };
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("docker-registry does not start");
    }
}

/// Runs a program that must end well: what it printed.
#[track_caller]
fn done(place: &Place, program: &str, args: &[&str]) -> String {
    let (status, printed, said) = place.run(program, args);
    assert_eq!(status, 0, "{program} {args:?}: {said}");
    printed
}

/// Pushes, pulls and builds on what is there, in a place whose registry may want a name, with these arguments more.
fn all_of_it(place: &Place, host: &str, more: &[&str]) {
    let name = format!("{host}/acme/gesture");
    let reference = format!("{name}:1.2");
    let with = |args: &[&str]| place.done(&[args, more].concat());
    let printed = with(&["push", "base.rune", &reference]);
    with(&["push", "base.rune", &reference]);
    fs::remove_dir_all(place.folder.join("store")).unwrap();
    assert_eq!(with(&["pull", &reference, "-o", "x.rune"]), printed);
    assert_eq!(place.read("x.rune"), place.read("plain.rune"));
    with(&["tag", &reference, "stable"]);
    assert_eq!(with(&["ls", &name]), "1.2\nstable\n");
}

#[test]
fn docker_registry_and_skopeo_take_what_we_push() {
    if !are_there(&[("docker-registry", "docker-registry"), ("skopeo", "skopeo")]) {
        return;
    }
    let place = with_base("docker-plain");
    let registry = Registry::start(&place, "");
    all_of_it(&place, &registry.host, &[]);
    let reference = format!("{}/acme/gesture:1.2", registry.host);
    let remote = format!("docker://{reference}");
    let raw = done(
        &place,
        "skopeo",
        &["inspect", "--tls-verify=false", "--raw", &remote],
    );
    assert!(
        raw.contains("application/vnd.rune.v1") && raw.contains("application/wasm"),
        "{raw}"
    );
    // It reads the registry into a layout, and our store as one.
    done(
        &place,
        "skopeo",
        &["copy", "--src-tls-verify=false", &remote, "oci:theirs:x"],
    );
    let rune = place.read("plain.rune");
    let digest = rune_registry::Digest::of(&rune).hex();
    assert_eq!(place.read(&format!("theirs/blobs/sha256/{digest}")), rune);
    let ours = format!("oci:store:{reference}");
    assert_eq!(done(&place, "skopeo", &["inspect", "--raw", &ours]), raw);
    // And what it copies into a registry, we pull.
    let copy = format!("docker://{}/acme/copy:1", registry.host);
    done(
        &place,
        "skopeo",
        &["copy", "--dest-tls-verify=false", &ours, &copy],
    );
    fs::remove_dir_all(place.folder.join("store")).unwrap();
    place.done(&[
        "pull",
        &format!("{}/acme/copy:1", registry.host),
        "-o",
        "y.rune",
    ]);
    assert_eq!(place.read("y.rune"), rune);
    // To build on.
    place.put(
        "top/Runefile",
        format!("FROM {reference}\nLABEL name=top\n"),
    );
    place.done(&["build", "top", "-o", "top.rune"]);
    place.put("flat/Runefile", "FROM ../base.rune\nLABEL name=top\n");
    place.done(&["build", "flat", "-o", "flat.rune"]);
    assert_eq!(place.read("top.rune"), place.read("flat.rune"));
}

/// A certificate for `localhost` by an authority of the test, and one by another.
fn certificates(place: &Place) {
    let openssl = |args: &[&str]| drop(done(place, "openssl", args));
    for name in ["ca", "other"] {
        let (key, pem) = (format!("{name}.key.pem"), format!("{name}.pem"));
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=an authority",
            "-keyout",
            &key,
            "-out",
            &pem,
        ]);
    }
    openssl(&[
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "server.key.pem",
        "-out",
        "server.csr",
    ]);
    place.put("ext", "subjectAltName = DNS:localhost\n");
    openssl(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key.pem",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "ext",
        "-out",
        "server.pem",
    ]);
}

#[test]
fn docker_registry_with_tls_and_passwords() {
    let programs = [
        ("docker-registry", "docker-registry"),
        ("openssl", "openssl"),
        ("skopeo", "skopeo"),
    ];
    if !are_there(&programs) {
        return;
    }
    let mut place = with_base("docker-tls");
    certificates(&place);
    place.put("htpasswd", HTPASSWD);
    let registry = Registry::start(
        &place,
        "  tls:\n    certificate: server.pem\n    key: server.key.pem\n\
         auth:\n  htpasswd:\n    realm: x\n    path: htpasswd\n",
    );
    let reference = format!("{}/acme/gesture:1.2", registry.host);
    let push = ["push", "plain.rune", &reference];
    // Nobody who is trusted here vouches for it.
    for others in [&["--ca-file", "other.pem"][..], &[]] {
        let said = place.fails(2, &[&push[..], others].concat());
        assert!(
            said.contains("its certificate is not one that is trusted here"),
            "{said}"
        );
    }
    let ours = ["--ca-file", "ca.pem"];
    let said = place.fails(2, &[&push[..], &ours].concat());
    assert!(said.contains("it wants to know who asks"), "{said}");
    let config = |auth: &str| {
        let text = format!(
            "{{\"auths\": {{\"{}\": {{\"auth\": \"{auth}\"}}}}}}",
            registry.host
        );
        place.put("docker/config.json", text);
    };
    config("bWU6b3BlbiBiYXJsZXk=");
    let said = place.fails(2, &[&push[..], &ours].concat());
    assert!(said.contains("docker login"), "{said}");
    config(AUTH);
    all_of_it(&place, &registry.host, &ours);
    // By the variable that others go by too, also where the compiler has it fetched.
    let ca = Path::new(&place.folder)
        .join("ca.pem")
        .display()
        .to_string();
    place.environment.push(("SSL_CERT_FILE".to_owned(), ca));
    place.put(
        "top/Runefile",
        format!("FROM {reference}\nLABEL name=top\n"),
    );
    fs::remove_dir_all(place.folder.join("store")).unwrap();
    place.done(&["build", "top", "-o", "top.rune"]);
    let remote = format!("docker://{reference}");
    let credentials = [
        "inspect",
        "--raw",
        "--creds",
        "me:open sesame",
        "--cert-dir",
        "certs",
        &remote,
    ];
    fs::create_dir_all(place.folder.join("certs")).unwrap();
    fs::copy(
        place.folder.join("ca.pem"),
        place.folder.join("certs/ca.crt"),
    )
    .unwrap();
    let raw = done(&place, "skopeo", &credentials);
    assert!(raw.contains("application/vnd.rune.v1"), "{raw}");
}
