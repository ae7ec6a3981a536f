//! Typing does no work twice: no model is imported and no block run that is known, and none is waited for.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;

/// A model, a block of the catalogue and a block of our own.
const TEXT: &str = "\
FROM runicos/base
LABEL name=memo
CAPABILITY<U8[4]> RAW bytes
PROC_BLOCK ./faulty.wasm faulty --rule 2
CAPABILITY<F32[1]> RAND x
MODEL ./sine.tflite sine
PROC_BLOCK runicos/modulo modulo --modulus 3
OUT SERIAL
OUT SERIAL second
RUN bytes faulty serial
RUN x sine modulo second
";

fn client(name: &str) -> Client {
    let mut client = Client::new(name, &[]);
    client.copy("examples/sine/sine.tflite", "sine.tflite");
    client.copy("frontend/blocks/tests/fixtures/faulty.wasm", "faulty.wasm");
    client.open("Runefile", TEXT);
    client.expect_codes("Runefile", &[]);
    client.wait_runs(2);
    client
}

/// One letter in a line that is not about any block, and an answer that shows it was read.
fn keystroke(client: &mut Client, number: usize) {
    let at = client.text("Runefile").find("memo").unwrap() + 4;
    client.edit("Runefile", at..at, &(number % 10).to_string());
    let params = json!({ "textDocument": { "uri": client.uri("Runefile") } });
    let symbols = client
        .request("textDocument/documentSymbol", params)
        .unwrap();
    assert!(symbols.as_array().unwrap().len() >= 8);
}

#[test]
fn other_lines_cause_no_import_and_no_run() {
    let mut client = client("no-work");
    let before = client.memo.counts();
    assert_eq!((before.models, before.blocks, before.runs), (1, 2, 2));
    for number in 0..50 {
        keystroke(&mut client, number);
    }
    client.expect_codes("Runefile", &[]);
    let after = client.memo.counts();
    assert_eq!((after.models, after.blocks, after.runs), (1, 2, 2));
    assert_eq!(after.digests, before.digests);
    assert_eq!(after.stopped, 0);
}

#[test]
fn an_argument_of_a_block_causes_one_run() {
    let mut client = client("one-run");
    client.replace("Runefile", "--modulus 3", "--modulus 4");
    client.expect_codes("Runefile", &[]);
    client.wait_runs(3);
    // Back again: that is known.
    client.replace("Runefile", "--modulus 4", "--modulus 3");
    client.expect_codes("Runefile", &[]);
    let counts = client.memo.counts();
    assert_eq!((counts.models, counts.runs), (1, 3));
}

#[test]
fn what_a_block_says_comes_when_it_has_run() {
    let mut client = client("late");
    client.replace("Runefile", "--rule 2", "--rule 7");
    let found = client.expect_codes("Runefile", &["R0601"]);
    assert!(found[0]["message"].as_str().unwrap().contains("trapped"));
    client.replace("Runefile", "--rule 7", "--rule 2");
    client.expect_codes("Runefile", &[]);
}

#[test]
fn an_endless_block_holds_nobody_up() {
    let mut client = client("endless");
    client.replace("Runefile", "--rule 2", "--rule 6");
    client.diagnostics("Runefile");
    let begin = Instant::now();
    for number in 0..50 {
        keystroke(&mut client, number);
    }
    // Its steps alone take longer than this.
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
    client.replace("Runefile", "--rule 6", "--rule 2");
    client.expect_codes("Runefile", &[]);
    let counts = client.memo.counts();
    assert_eq!(counts.models, 1);
}

#[test]
fn runs_that_nobody_waits_for_are_stopped() {
    let mut client = client("stopped");
    let before = client.memo.counts().runs;
    for modulus in 0..3 {
        client.replace("Runefile", "--rule 2", "--rule 6");
        client.diagnostics("Runefile");
        client.wait(|counts| counts.begun > counts.runs + counts.stopped);
        let old = client.text("Runefile").find("--modulus ").unwrap() + 10;
        client.edit("Runefile", old..old + 1, &(modulus + 4).to_string());
        client.replace("Runefile", "--rule 6", "--rule 2");
        client.diagnostics("Runefile");
    }
    client.wait(|counts| counts.stopped > 0);
    client.wait_runs(before + 1);
    assert_eq!(client.quit(), 0);
}

#[test]
fn a_document_that_closes_stops_what_it_waits_for() {
    let mut client = client("closed");
    client.replace("Runefile", "--rule 2", "--rule 6");
    client.diagnostics("Runefile");
    // A run that has not begun is forgotten, not stopped.
    client.wait(|counts| counts.begun > counts.runs);
    let uri = client.uri("Runefile");
    client.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": uri } }),
    );
    client.wait(|counts| counts.stopped > 0);
}
