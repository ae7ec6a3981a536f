//! What no editor should do, and random typing.

use serde_json::{Value, json};

use crate::client::Client;

#[test]
fn strange_messages_get_an_error_and_the_next_an_answer() {
    let mut client = Client::new("strange", &[]);
    let place = client.open("Runefile", "FROM run‸icos/base\n");
    let code = |answer: Result<Value, Value>| answer.unwrap_err()["code"].clone();
    assert_eq!(code(client.request("no/such", json!({}))), -32601);
    assert_eq!(
        code(client.request("textDocument/hover", json!({ "x": 1 }))),
        -32602
    );
    assert_eq!(
        code(client.request("textDocument/hover", Value::Null)),
        -32602
    );
    let closed = json!({ "textDocument": { "uri": "file:///no/such" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(code(client.request("textDocument/hover", closed)), -32602);
    client.notify("textDocument/didChange", json!({ "nonsense": true }));
    client.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": "file:///no/such" } }),
    );
    client.notify("$/no/such", Value::Null);
    client.notify("$/cancelRequest", json!({ "id": 4711 }));
    client.notify("$/cancelRequest", json!({}));
    let mut far = place.clone();
    far["position"] = json!({ "line": 4_000_000_000_u32, "character": 4_000_000_000_u32 });
    for method in [
        "hover",
        "definition",
        "completion",
        "documentHighlight",
        "prepareRename",
    ] {
        client
            .request(&format!("textDocument/{method}"), far.clone())
            .unwrap();
    }
    let answer = client.request("textDocument/hover", place).unwrap();
    assert!(
        answer["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("runicos/base")
    );
    assert!(
        client.logs.iter().any(|log| log.contains("didChange")),
        "{:?}",
        client.logs
    );
    assert_eq!(code_after_shutdown(client), 0);
}

/// A request after `shutdown` is refused; `exit` then ends well.
fn code_after_shutdown(mut client: Client) -> u8 {
    client.request("shutdown", Value::Null).unwrap();
    let refused = client.request("textDocument/hover", json!({})).unwrap_err();
    assert_eq!(refused["code"], -32600);
    client.leave()
}

#[test]
fn going_without_a_word_is_no_good_end() {
    assert_eq!(Client::new("leave", &[]).leave(), 1);
}

#[test]
fn a_request_that_is_cancelled_in_time_is_not_answered() {
    let mut client = Client::new("cancel", &[]);
    let place = client.open(
        "Runefile",
        &"PROC_BLOCK runicos/label x --labels a,b\n".repeat(2000),
    );
    // While the first is worked on, the others wait.
    let first = client.ask("textDocument/hover", place.clone());
    let ids: Vec<i32> = (0..20)
        .map(|_| client.ask("textDocument/completion", place.clone()))
        .collect();
    let last = *ids.last().unwrap();
    client.notify("$/cancelRequest", json!({ "id": last }));
    client.answer(first).unwrap();
    match client.answer(last) {
        Err(error) => assert_eq!(error["code"], -32800),
        Ok(answer) => panic!("{answer}"),
    }
    client.request("textDocument/hover", place).unwrap();
}

struct Random(u32);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % n
    }
}

const PIECES: [&str; 28] = [
    "FROM runicos/base\n",
    "FROM ",
    "CAPABILITY",
    "<F32[1]>",
    " RAND",
    " x",
    " --max 1",
    "\n",
    "MODEL ./sine.tflite sine\n",
    "OUT SERIAL\n",
    "RUN x sine serial\n",
    "\\\n",
    "# é𝄞\n",
    "\r\n",
    "\r",
    "\"",
    "PROC_BLOCK runicos/label label --labels a,b\n",
    "$x",
    "RESOURCE a b\n",
    "𝄞",
    "\u{feff}",
    "SET x --max 2\n",
    "REPLACE ",
    "[x, y].1",
    "'",
    ",",
    "LABEL a=b\n",
    "FOR runicos/web\n",
];

const METHODS: [&str; 15] = [
    "hover",
    "completion",
    "definition",
    "references",
    "documentHighlight",
    "prepareRename",
    "rename",
    "documentSymbol",
    "codeAction",
    "formatting",
    "foldingRange",
    "selectionRange",
    "semanticTokens/full",
    "semanticTokens/range",
    "inlayHint",
];

/// Random typing and random questions: every question is answered, none ends the server, and the text stays the
/// editor's.
#[test]
fn random_typing() {
    for (seed, encodings) in [(1, &["utf-16"][..]), (2, &["utf-8"])] {
        let mut random = Random(seed * 77_777);
        let mut client = Client::with(&format!("random{seed}"), &[], encodings);
        client.copy("examples/sine/sine.tflite", "sine.tflite");
        client.open("Runefile", "FROM runicos/base\nCAPABILITY<F32[1]> RAND x\nMODEL ./sine.tflite sine\nOUT SERIAL\nRUN x sine serial\n");
        let rounds = 400;
        for round in 0..rounds {
            let text = client.text("Runefile").to_owned();
            let mut boundary = || {
                let at = random.below(text.len() + 1);
                (0..=at)
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap()
            };
            let (a, b) = (boundary(), boundary());
            let far = text.len() < 200 || b.abs_diff(a) < 40;
            let (start, end) = if far && random.below(3) == 0 {
                (a.min(b), a.max(b))
            } else {
                (a, a)
            };
            let new = match random.below(4) {
                0 => "",
                _ => PIECES[random.below(PIECES.len())],
            };
            // A position between the two bytes of a line's end is no place to type at.
            let splits = |at: usize| {
                at > 0
                    && text.as_bytes().get(at) == Some(&b'\n')
                    && text.as_bytes()[at - 1] == b'\r'
            };
            if !splits(start) && !splits(end) {
                client.edit("Runefile", start..end, new);
            }
            let method = METHODS[random.below(METHODS.len())];
            let position = json!({ "line": random.below(12), "character": random.below(30) });
            let other = json!({ "line": random.below(12), "character": random.below(30) });
            let params = json!({
                "textDocument": { "uri": client.uri("Runefile") },
                "position": position,
                "positions": [position],
                "range": { "start": position, "end": other },
                "context": { "includeDeclaration": true, "diagnostics": [], "triggerKind": 1 },
                "newName": "other",
                "options": { "tabSize": 4, "insertSpaces": true },
            });
            let answer = client.request(&format!("textDocument/{method}"), params);
            if let Err(error) = answer {
                assert_eq!(error["code"], -32803, "round {round}, {method}: {error}");
            }
            if round % 20 == 0 {
                same_text(&mut client);
            }
        }
        assert_eq!(client.logs, [""; 0]);
        assert_eq!(client.quit(), 0);
    }
}

/// Asks the server for the whole range of the text, which it knows only from the edits.
fn same_text(client: &mut Client) {
    let text = client.text("Runefile").to_owned();
    let uri = client.uri("Runefile");
    let params =
        json!({ "textDocument": { "uri": uri }, "positions": [{ "line": 0, "character": 0 }] });
    let mut selection = client
        .request("textDocument/selectionRange", params)
        .unwrap()[0]
        .clone();
    while selection["parent"].is_object() {
        selection = selection["parent"].clone();
    }
    let end = client.position(&text, text.len());
    assert_eq!(selection["range"]["end"], end, "{text:?}");
}
