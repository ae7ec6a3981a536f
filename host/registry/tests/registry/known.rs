//! Registries that want to know who asks.

use std::{fs, path::PathBuf};

use rune_registry::{Client, Error, Options, Platform, Store};

use crate::support::{Fault, KNOWN, Server, artifact, folder, options, push};

/// Docker's configuration with a name and a password for a registry.
fn config(name: &str, server: &Server, auth: &str) -> PathBuf {
    let path = folder(name).join("config.json");
    let text = format!(
        "{{\"auths\": {{\"127.0.0.1:{}\": {{\"auth\": \"{auth}\"}}}}}}",
        server.port
    );
    fs::write(&path, text).unwrap();
    path
}

/// Pulls, with a configuration or without; and then pushes.
fn both(server: &Server, store: &Store, docker_config: Option<PathBuf>) -> Result<(), Error> {
    let reference = server.reference("x:1");
    let options = Options {
        docker_config,
        ..options()
    };
    let mut client = Client::new(&reference, &options)?;
    let resolved = client.resolve(&reference)?;
    client.pull(&reference, &resolved, &Platform::wasm(), store, &mut |_| {})?;
    let root = artifact(true).put(store)?;
    client.push(&server.reference("x:2"), &root, store, &mut |_| {})
}

#[test]
fn names_and_passwords_are_those_of_docker() {
    for (name, fault) in [("basic", Fault::Basic), ("bearer", Fault::Bearer)] {
        let server = Server::start(Fault::None);
        let store = Store::at(folder(&format!("{name}-store")));
        push(&server, &store, "x:1", &artifact(false)).unwrap();
        server.set(fault);
        let right = KNOWN.strip_prefix("Basic ").unwrap();
        let path = config(name, &server, right);
        both(&server, &store, Some(path)).unwrap();
        for auth in ["", "eA==", "bWU6b3BlbiBiYXJsZXk="] {
            let path = config(name, &server, auth);
            let error = both(&server, &store, Some(path)).unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{error}");
            assert!(
                error.to_string().contains("docker login 127.0.0.1:"),
                "{error}"
            );
        }
        let nowhere = folder(name).join("nothing");
        for path in [None, Some(nowhere)] {
            let error = both(&server, &store, path).unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{error}");
        }
        let path = config(name, &server, right);
        fs::write(&path, "{").unwrap();
        let error = both(&server, &store, Some(path)).unwrap_err().to_string();
        assert!(error.contains("config.json is no JSON"), "{error}");
    }
}

#[test]
fn nobody_is_told_who_asks_but_the_registry() {
    let (server, other) = (Server::start(Fault::None), Server::start(Fault::None));
    let store = Store::at(folder("elsewhere-store"));
    server.set(Fault::Basic);
    let right = KNOWN.strip_prefix("Basic ").unwrap();
    let options = Options {
        docker_config: Some(config("elsewhere", &server, right)),
        ..options()
    };
    let reference = server.reference("x:1");
    let mut client = Client::new(&reference, &options).unwrap();
    let root = artifact(false).put(&store).unwrap();
    // It is known from now on, and is then sent to another place with what it pushes.
    client.push(&reference, &root, &store, &mut |_| {}).unwrap();
    server.set(Fault::Elsewhere(other.port));
    server.state().blobs.clear();
    client.push(&reference, &root, &store, &mut |_| {}).unwrap();
    let state = other.state();
    assert!(!state.seen.is_empty());
    assert!(
        state
            .seen
            .iter()
            .all(|(_, _, headers)| !headers.contains_key("authorization"))
    );
    assert!(!state.blobs.is_empty());
}

#[test]
fn a_registry_cannot_send_us_anywhere() {
    let server = Server::start(Fault::OddRealm);
    let store = Store::at(folder("odd"));
    let error = both(&server, &store, None).unwrap_err().to_string();
    assert!(error.contains("which is not where we go"), "{error}");
    server.set(Fault::Forbidden);
    let error = both(&server, &store, None).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("(DENIED: no)"), "{error}");
}
