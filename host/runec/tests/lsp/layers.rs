//! Runefiles that lie on each other, open at the same time.

use std::fs;

use serde_json::json;

use crate::client::Client;

const BASE: &str = "FROM runicos/base\nCAPABILITY<F32[4]> RAND noise --samples 4\n";
const CHILD: &str = "FROM ../base/Runefile\nOUT SERIAL\nRUN noise serial\n";

fn two(name: &str) -> Client {
    Client::new(name, &[("base/Runefile", BASE), ("child/Runefile", CHILD)])
}

#[test]
fn a_child_sees_its_base_as_it_is_in_the_editor() {
    let mut client = two("overlay");
    client.open("child/Runefile", CHILD);
    client.expect_codes("child/Runefile", &[]);
    client.open("base/Runefile", BASE);
    client.replace("base/Runefile", "noise", "hiss");
    client.expect_codes("child/Runefile", &["R0101"]);
    let uri = client.uri("base/Runefile");
    client.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": uri } }),
    );
    // What is on disk counts again.
    client.expect_codes("child/Runefile", &[]);
}

#[test]
fn what_is_inherited_is_found_in_its_file() {
    let mut client = two("inherited");
    let place = client.open("child/Runefile", &CHILD.replace("noise", "noi‸se"));
    let answer = client.request("textDocument/hover", place.clone()).unwrap();
    assert!(
        answer["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("inherited from")
    );
    let answer = client
        .request("textDocument/definition", place.clone())
        .unwrap();
    assert_eq!(answer[0]["uri"], json!(client.uri("base/Runefile")));
    assert_eq!(client.slice(BASE, &answer[0]["range"]), "noise");
    let mut params = place;
    params["newName"] = "hiss".into();
    let edit = client.request("textDocument/rename", params).unwrap();
    let base = client.edited(BASE, &edit["changes"][client.uri("base/Runefile")]);
    let child = client.edited(CHILD, &edit["changes"][client.uri("child/Runefile")]);
    assert_eq!(
        (base, child),
        (
            BASE.replace("noise", "hiss"),
            CHILD.replace("noise", "hiss")
        )
    );
}

#[test]
fn a_name_changes_in_open_children_too() {
    let mut client = two("children");
    client.open("child/Runefile", CHILD);
    let mut place = client.open("base/Runefile", &BASE.replace("noise", "noi‸se"));
    place["newName"] = "hiss".into();
    let edit = client.request("textDocument/rename", place).unwrap();
    let child = client.edited(CHILD, &edit["changes"][client.uri("child/Runefile")]);
    assert_eq!(child, CHILD.replace("noise", "hiss"));
}

#[test]
fn faults_of_a_base_stand_where_it_is_named() {
    let mut client = two("base-faults");
    let faulty = BASE.replace("--samples 4", "--samples 0");
    fs::write(client.folder.join("base/Runefile"), &faulty).unwrap();
    client.open("child/Runefile", CHILD);
    let found = client.expect_codes("child/Runefile", &["R0204"]);
    assert_eq!(client.slice(CHILD, &found[0]["range"]), "../base/Runefile");
    let related = &found[0]["relatedInformation"][0]["location"];
    assert_eq!(related["uri"], json!(client.uri("base/Runefile")));
    assert!(client.slice(&faulty, &related["range"]).contains('0'));
}

#[test]
fn a_file_that_changes_on_disk_is_read_again() {
    let mut client = two("watched");
    client.open("child/Runefile", CHILD);
    client.expect_codes("child/Runefile", &[]);
    fs::write(
        client.folder.join("base/Runefile"),
        BASE.replace("noise", "hiss"),
    )
    .unwrap();
    let changes = json!({ "changes": [{ "uri": client.uri("base/Runefile"), "type": 2 }] });
    client.notify("workspace/didChangeWatchedFiles", changes);
    client.expect_codes("child/Runefile", &["R0101"]);
}
