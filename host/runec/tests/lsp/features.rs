//! Each thing an editor may ask, asked once or more.

use serde_json::{Value, json};

use crate::client::Client;

/// A Runefile that every feature has something to say about.
const SINE: &str = "\
# Computes sines.
FROM runicos/base AS base
LABEL name=sine
CAPABILITY<F32[1]> RAND x --max 6.28
MODEL ./sine.tflite sine
OUT SERIAL
RUN x sine serial
";

fn sine(name: &str) -> Client {
    let client = Client::new(name, &[]);
    client.copy("examples/sine/sine.tflite", "sine.tflite");
    client
}

/// What is said about the marked place of a text.
fn hover(client: &mut Client, text: &str) -> String {
    let place = client.open("Runefile", text);
    let answer = client.request("textDocument/hover", place).unwrap();
    let text = answer["contents"]["value"].as_str();
    text.unwrap_or_default().to_owned()
}

#[test]
fn says_what_is_wrong_while_one_types() {
    let mut client = sine("diagnostics");
    client.open("Runefile", &SINE.replace("F32[1]", "F32[2]"));
    let found = client.expect_codes("Runefile", &["R0302"]);
    let text = client.text("Runefile").to_owned();
    let first = &found[0];
    assert_eq!(first["severity"], 1);
    assert_eq!(first["source"], "runec");
    assert_eq!(first["data"]["name"], "shape-mismatch");
    assert_eq!(client.slice(&text, &first["range"]), "sine");
    let related = first["relatedInformation"].as_array().unwrap();
    assert_eq!(
        client.slice(&text, &related[0]["location"]["range"]),
        "F32[2]"
    );
    client.replace("Runefile", "F32[2]", "F32[1]");
    client.expect_codes("Runefile", &[]);
    client.replace("Runefile", "RUN x", "RUN y");
    let found = client.expect_codes("Runefile", &["R0101"]);
    assert!(
        found[0]["message"]
            .as_str()
            .unwrap()
            .contains("Can't find \"y\"")
    );
    assert_eq!(client.quit(), 0);
}

#[test]
fn marks_what_is_unused_and_what_is_old() {
    let mut client = sine("tags");
    client.open(
        "Runefile",
        &SINE.replace(
            "OUT SERIAL",
            "CAPABILITY spare RAND --samples 3\nOUT SERIAL",
        ),
    );
    let found = client.diagnostics("Runefile");
    let tags = |code: &str| {
        let of = found.iter().find(|d| d["code"] == code);
        of.map_or(Value::Null, |d| d["tags"].clone())
    };
    assert_eq!(tags("R0110"), json!([2]));
    assert_eq!(tags("R0405"), json!([1]));
}

#[test]
fn tells_what_words_mean() {
    let mut client = sine("hover");
    let cases = [
        ("CAPABILITY<F32[1]> RA‸ND", "**RAND** (capability)"),
        ("CAPA‸BILITY<F32", "A source of data"),
        ("RAND x --m‸ax", "`--max`: a number"),
        ("RAND x --max 6‸.28", "Floats stay below this."),
        ("MODEL ./si‸ne.tflite", "Operators: 3 FULLY_CONNECTED"),
        ("tflite si‸ne\n", "F32[1, 1]"),
        ("RUN ‸x", "F32[1]"),
        ("RUN x sine seri‸al", "output SERIAL"),
        ("<F3‸2[1]>", "Output 0 of `x`: `F32[1]`, 4 bytes"),
        ("FROM runicos/b‸ase", "**runicos/base**"),
        ("LABEL na‸me", "The name of the rune."),
        ("AS ba‸se", "(layer)"),
    ];
    for (place, expected) in cases {
        let plain = place.replace('‸', "");
        assert!(SINE.contains(&plain), "{plain}");
        let said = hover(&mut client, &SINE.replacen(&plain, place, 1));
        assert!(said.contains(expected), "{place}: {said}");
    }
    assert_eq!(hover(&mut client, &format!("{SINE}\n‸\n")), "");
    let block = "FROM runicos/base\nPROC_BLOCK runicos/la‸bel label --labels a,b";
    assert!(hover(&mut client, block).contains("`--labels`"));
    let wrong = hover(&mut client, &SINE.replace("RUN x", "RUN ‸y"));
    assert!(wrong.contains("R0101 `unknown-stage`"), "{wrong}");
}

/// What may be written at the mark, in the order offered.
fn complete(client: &mut Client, text: &str) -> Vec<String> {
    let place = client.open("Runefile", text);
    let answer = client.request("textDocument/completion", place).unwrap();
    let items = answer.as_array().unwrap().iter();
    items
        .map(|item| item["textEdit"]["newText"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn offers_what_may_be_written() {
    let mut client = sine("completion");
    std::fs::create_dir(client.folder.join("models")).unwrap();
    std::fs::write(client.folder.join("labels.txt"), "a\nb\n").unwrap();
    let start = "FROM runicos/base\nRESOURCE labels.txt words\nCAPABILITY RAND x --samples 4\n\
                 PROC_BLOCK runicos/split halves --parts 2\n";
    let cases: [(&str, &[&str], &[&str]); 19] = [
        ("CAP‸", &["CAPABILITY", "RUN", "FROM", "REPLACE"], &["RAND"]),
        ("REPLACE ‸", &["MODEL", "OUT"], &["RUN"]),
        ("CAPABILITY ‸", &["RAND", "SOUND", "IMAGE"], &["SERIAL"]),
        ("CAPABILITY<‸", &["F32", "UTF8"], &["RAND"]),
        ("CAPABILITY<U8[2]> IM‸", &["IMAGE"], &["F32"]),
        ("CAPABILITY SOUND ‸", &["sound"], &["--hz"]),
        (
            "CAPABILITY SOUND mic --hz 8000 ‸",
            &["--samples", "--hop"],
            &["--hz"],
        ),
        (
            "CAPABILITY SOUND mic \\\n  --‸ --hop 2",
            &["--samples", "--hz"],
            &["--hop"],
        ),
        (
            "CAPABILITY IMAGE i --pixel-format ‸",
            &["RGB", "GrayScale"],
            &["--width"],
        ),
        (
            "CAPABILITY IMAGE i --pixel-format=Gr‸",
            &["GrayScale"],
            &["--width"],
        ),
        (
            "PROC_BLOCK ‸",
            &["runicos/label", "runicos/fft", "./models/"],
            &["./sine.tflite"],
        ),
        ("PROC_BLOCK label l --‸", &["--labels"], &["--hz"]),
        (
            "PROC_BLOCK runicos/label l --labels ‸",
            &["$words"],
            &["--labels"],
        ),
        (
            "MODEL ./‸",
            &["./sine.tflite", "./models/"],
            &["./labels.txt"],
        ),
        ("MODEL \"./s‸", &["./sine.tflite"], &[]),
        ("RESOURCE ‸", &["./labels.txt", "./sine.tflite"], &[]),
        ("OUT ‸", &["SERIAL"], &["RAND"]),
        ("RUN x ‸", &["x", "halves"], &["words"]),
        ("RUN [x, halves.‸", &["0", "1"], &["x"]),
    ];
    for (line, has, lacks) in cases {
        let offered = complete(&mut client, &format!("{start}{line}\nOUT SERIAL\n"));
        for text in has {
            assert!(offered.iter().any(|o| o == text), "{line}: {offered:?}");
        }
        for text in lacks {
            assert!(!offered.iter().any(|o| o == text), "{line}: {offered:?}");
        }
    }
    for (line, has) in [
        ("FROM ‸", "runicos/base"),
        ("FOR ru‸", "runicos/portenta-h7"),
        ("FROM runicos/base ‸", "AS"),
        ("LABEL ‸", "version="),
    ] {
        assert!(
            complete(&mut client, line).iter().any(|o| o == has),
            "{line}"
        );
    }
    assert_eq!(complete(&mut client, "# RUN ‸"), [""; 0]);
    assert_eq!(complete(&mut client, "NONSENSE ‸"), [""; 0]);
}

#[test]
fn an_offer_takes_the_place_of_what_was_written() {
    let mut client = sine("completion-edit");
    let place = client.open(
        "Runefile",
        "FROM runicos/base\n# ä𝄞\nPROC_BLOCK runicos/lab‸ x\n",
    );
    let answer = client.request("textDocument/completion", place).unwrap();
    let mut items = answer.as_array().unwrap().iter();
    let label = items.find(|item| item["label"] == "runicos/label").unwrap();
    let text = client.text("Runefile").to_owned();
    let edits = json!([label["textEdit"]]);
    assert!(
        client
            .edited(&text, &edits)
            .contains("PROC_BLOCK runicos/label x\n")
    );
    assert_eq!(label["documentation"], Value::Null);
    let resolved = client
        .request("completionItem/resolve", label.clone())
        .unwrap();
    assert!(
        resolved["documentation"]["value"]
            .as_str()
            .unwrap()
            .contains("# label")
    );
}

/// The pieces of text that an answer points at.
fn places(client: &Client, answer: &Value) -> Vec<String> {
    let text = client.text("Runefile");
    let line = |range: &Value| {
        let number = usize::try_from(range["start"]["line"].as_u64().unwrap()).unwrap();
        format!("{number}:{}", client.slice(text, range))
    };
    let all = answer.as_array().unwrap().iter();
    all.map(|place| line(&place["range"])).collect()
}

#[test]
fn goes_to_where_a_name_is_given() {
    let mut client = sine("definition");
    for (place, expected) in [
        ("RUN ‸x", "3:x"),
        ("RUN x ‸sine", "4:sine"),
        ("RUN x sine seri‸al", "5:SERIAL"),
        ("tflite si‸ne", "4:sine"),
    ] {
        let place = client.open(
            "Runefile",
            &SINE.replacen(&place.replace('‸', ""), place, 1),
        );
        let answer = client.request("textDocument/definition", place).unwrap();
        assert_eq!(places(&client, &answer), [expected]);
    }
    let place = client.open("Runefile", &SINE.replace("./sine", "./si‸ne"));
    let answer = client.request("textDocument/definition", place).unwrap();
    assert_eq!(answer[0]["uri"], json!(client.uri("sine.tflite")));
}

#[test]
fn finds_every_use() {
    let mut client = sine("references");
    let mut place = client.open("Runefile", &SINE.replace("RUN x", "RUN ‸x"));
    place["context"] = json!({ "includeDeclaration": true });
    let answer = client
        .request("textDocument/references", place.clone())
        .unwrap();
    assert_eq!(places(&client, &answer), ["3:x", "6:x"]);
    place["context"] = json!({ "includeDeclaration": false });
    let answer = client
        .request("textDocument/references", place.clone())
        .unwrap();
    assert_eq!(places(&client, &answer), ["6:x"]);
    let answer = client
        .request("textDocument/documentHighlight", place)
        .unwrap();
    assert_eq!(places(&client, &answer), ["3:x", "6:x"]);
    assert_eq!(answer[0]["kind"], 3);
}

#[test]
fn renames() {
    let mut client = sine("rename");
    let rename = |client: &mut Client, text: &str, name: &str| {
        let mut place = client.open("Runefile", text);
        place["newName"] = name.into();
        let answer = client.request("textDocument/rename", place);
        answer.map(|edit| {
            let uri = client.uri("Runefile");
            client.edited(client.text("Runefile"), &edit["changes"][&uri])
        })
    };
    let renamed = rename(&mut client, &SINE.replace("RUN x", "RUN ‸x"), "angle").unwrap();
    let expected = SINE
        .replace("RAND x", "RAND angle")
        .replace("RUN x", "RUN angle");
    assert_eq!(renamed, expected);
    let renamed = rename(
        &mut client,
        &SINE.replace("sine serial", "sine ‸serial"),
        "port",
    )
    .unwrap();
    let expected = SINE
        .replace("OUT SERIAL", "OUT SERIAL port")
        .replace("sine serial", "sine port");
    assert_eq!(renamed, expected);
    let resource = "FROM runicos/base\nRESOURCE a words\nPROC_BLOCK label l --labels $wor‸ds\n";
    let renamed = rename(&mut client, resource, "texts").unwrap();
    assert_eq!(renamed, resource.replace('‸', "").replace("words", "texts"));
    for name in ["RUN", "2x", "a b", "", "sine", "_"] {
        let failure = rename(&mut client, &SINE.replace("RUN x", "RUN ‸x"), name).unwrap_err();
        assert_eq!(failure["code"], -32803, "{name}: {failure}");
    }
    let place = client.open("Runefile", &SINE.replace("RUN x", "RUN x‸"));
    let answer = client.request("textDocument/prepareRename", place).unwrap();
    assert_eq!(answer["placeholder"], "x");
    let place = client.open("Runefile", &SINE.replace("FROM", "FR‸OM"));
    assert_eq!(
        client.request("textDocument/prepareRename", place),
        Ok(Value::Null)
    );
}

#[test]
fn writes_fixes() {
    let mut client = sine("actions");
    let place = client.open("Runefile", &SINE.replace("RAND x", "‸x RAND"));
    let params = json!({
        "textDocument": place["textDocument"],
        "range": { "start": place["position"], "end": place["position"] },
        "context": { "diagnostics": [] },
    });
    let actions = client
        .request("textDocument/codeAction", params.clone())
        .unwrap();
    let uri = client.uri("Runefile");
    let result = |kind: &str| {
        let mut all = actions.as_array().unwrap().iter();
        let action = all
            .find(|a| a["kind"] == kind)
            .unwrap_or_else(|| panic!("{kind}: {actions}"));
        client.edited(client.text("Runefile"), &action["edit"]["changes"][&uri])
    };
    assert_eq!(result("quickfix"), SINE);
    assert_eq!(result("source.fixAll"), SINE);
    let mut only = params;
    only["context"]["only"] = json!(["source"]);
    let actions = client.request("textDocument/codeAction", only).unwrap();
    let kinds: Vec<&Value> = actions
        .as_array()
        .unwrap()
        .iter()
        .map(|a| &a["kind"])
        .collect();
    assert_eq!(kinds, ["source.fixAll"]);
}

#[test]
fn writes_the_canonical_form() {
    let mut client = sine("formatting");
    let untidy = SINE
        .replace("RUN x sine", "RUN   x    sine")
        .replace("LABEL name", "LABEL  name");
    let place = client.open("Runefile", &untidy);
    let params = json!({
        "textDocument": place["textDocument"],
        "options": { "tabSize": 4, "insertSpaces": true },
    });
    let edits = client
        .request("textDocument/formatting", params.clone())
        .unwrap();
    let formatted = client.edited(&untidy, &edits);
    assert!(
        formatted.contains("\nLABEL name=sine\n") && formatted.contains("\nRUN x sine serial\n")
    );
    for edit in edits.as_array().unwrap() {
        let lines = edit["range"]["end"]["line"].as_u64().unwrap()
            - edit["range"]["start"]["line"].as_u64().unwrap();
        assert!(lines <= 1, "{edit}");
    }
    client.open("Runefile", &formatted);
    assert_eq!(
        client.request("textDocument/formatting", params.clone()),
        Ok(json!([]))
    );
    client.open("Runefile", "FROM  runicos/base\nrun\n");
    assert_eq!(
        client.request("textDocument/formatting", params),
        Ok(json!([]))
    );
}

#[test]
fn colours_words() {
    let mut client = sine("tokens");
    let legend = client.capabilities["semanticTokensProvider"]["legend"]["tokenTypes"].clone();
    let text = "# é𝄞\nFROM runicos/base\nCAPABILITY<F32[1]> RAND é --max 6.28\nCAPABILITY RAND x --max \\\n  6\nPROC_BLOCK label l --labels a,\\\n  b\n";
    let place = client.open("Runefile", text);
    let params = json!({ "textDocument": place["textDocument"] });
    let answer = client
        .request("textDocument/semanticTokens/full", params)
        .unwrap();
    let words = decode(text, &answer["data"], &legend);
    for expected in [
        "comment # é𝄞",
        "keyword FROM",
        "namespace runicos/base",
        "keyword CAPABILITY",
        "type RAND",
        "variable x",
        "parameter max",
        "number 6",
        "function label",
        "string a,\\",
        "string   b",
    ] {
        assert!(words.iter().any(|w| w == expected), "{expected}: {words:?}");
    }
    let range =
        json!({ "start": { "line": 1, "character": 0 }, "end": { "line": 1, "character": 4 } });
    let params = json!({ "textDocument": place["textDocument"], "range": range });
    let answer = client
        .request("textDocument/semanticTokens/range", params)
        .unwrap();
    assert_eq!(decode(text, &answer["data"], &legend), ["keyword FROM"]);
}

/// Each token's type and text.
fn decode(text: &str, data: &Value, legend: &Value) -> Vec<String> {
    let lines: Vec<Vec<u16>> = text
        .split('\n')
        .map(|l| l.encode_utf16().collect())
        .collect();
    let numbers: Vec<usize> = data
        .as_array()
        .unwrap()
        .iter()
        .map(|n| usize::try_from(n.as_u64().unwrap()).unwrap())
        .collect();
    let (mut line, mut column) = (0, 0);
    let token = |token: &[usize]| {
        column = if token[0] == 0 { column } else { 0 } + token[1];
        line += token[0];
        let word = String::from_utf16(&lines[line][column..column + token[2]]).unwrap();
        format!("{} {word}", legend[token[3]].as_str().unwrap())
    };
    numbers.chunks(5).map(token).collect()
}

#[test]
fn shows_types_that_nobody_wrote() {
    let mut client = sine("hints");
    let place = client.open("Runefile", &SINE.replace("<F32[1]>", ""));
    let range =
        json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let params = json!({ "textDocument": place["textDocument"], "range": range });
    let answer = client.request("textDocument/inlayHint", params).unwrap();
    let shown: Vec<(u64, &str)> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|hint| {
            (
                hint["position"]["line"].as_u64().unwrap(),
                hint["label"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (3, "<F32[1, 1]>"),
            (4, "<F32[1, 1] -> F32[1, 1]>"),
            (6, ": F32[1, 1]"),
            (6, ": F32[1, 1]"),
        ]
    );
}

#[test]
fn gives_an_outline_and_what_folds() {
    let mut client = sine("symbols");
    let text = format!(
        "# one\n# two\n{}",
        SINE.replace("RUN x sine", "RUN x \\\n  sine")
    );
    let place = client.open("Runefile", &text.replace("RAND x", "RAND ‸x"));
    let params = json!({ "textDocument": place["textDocument"] });
    let answer = client
        .request("textDocument/documentSymbol", params.clone())
        .unwrap();
    let names: Vec<String> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            format!(
                "{} {}",
                s["name"].as_str().unwrap(),
                s["detail"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        names,
        [
            "runicos/base FROM",
            "x capability RAND",
            "sine model `./sine.tflite`",
            "serial output SERIAL",
            "RUN x sine serial"
        ]
    );
    let answer = client.request("textDocument/foldingRange", params).unwrap();
    let folds: Vec<(u64, u64)> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            (
                f["startLine"].as_u64().unwrap(),
                f["endLine"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(folds, [(0, 2), (8, 9)]);
    let params = json!({ "textDocument": place["textDocument"], "positions": [place["position"]] });
    let answer = client
        .request("textDocument/selectionRange", params)
        .unwrap();
    let pieces = [
        &answer[0],
        &answer[0]["parent"],
        &answer[0]["parent"]["parent"],
    ]
    .map(|s| client.slice(&text, &s["range"]));
    assert_eq!(pieces, ["x", "CAPABILITY<F32[1]> RAND x --max 6.28", &text]);
}

#[test]
fn reads_the_yaml_form() {
    let mut client = sine("yaml");
    let text = "version: 1\nimage: runicos/base\npipeline:\n  x:\n    capability: RAND\n    outputs:\n      - type: F32\n        dimensions: [1]\n  sine:\n    model: ./sine.tflite\n    inputs:\n      - x\n    outputs:\n      - type: F32\n        dimensions: [1, 1]\n  serial:\n    out: SERIAL\n    inputs:\n      - sine\n";
    client.open("Runefile.yml", text);
    client.expect_codes("Runefile.yml", &[]);
    let place = client.open("Runefile.yml", &text.replace("- sine", "- si‸ne"));
    let answer = client.request("textDocument/hover", place.clone()).unwrap();
    assert!(
        answer["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("model `./sine.tflite`"),
        "{answer}"
    );
    let params = json!({ "textDocument": place["textDocument"] });
    let answer = client
        .request("textDocument/documentSymbol", params)
        .unwrap();
    let names: Vec<&str> = answer
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert!(
        ["x", "sine", "serial"].iter().all(|n| names.contains(n)),
        "{names:?}"
    );
    client.replace("Runefile.yml", "- x", "- y");
    assert!(!client.diagnostics("Runefile.yml").is_empty());
}

#[test]
fn counts_columns_as_the_editor_does() {
    for encodings in [&["utf-16"][..], &["utf-8", "utf-16"]] {
        let mut client = Client::with(&format!("encoding{}", encodings.len()), &[], encodings);
        assert_eq!(client.capabilities["positionEncoding"], encodings[0]);
        client.open(
            "Runefile",
            "FROM runicos/base\nLABEL name=\"𝄞é\" version=1.0.0\nRUN \"𝄞é\" y\n",
        );
        let at = client.text("Runefile").find("\" version").unwrap();
        client.edit("Runefile", at..at, "x");
        let text = client.text("Runefile").to_owned();
        let found = client.diagnostics("Runefile");
        assert!(found.iter().any(|d| d["range"]["start"]["line"] == 2));
        let uri = client.uri("Runefile");
        let at = text.find("version").unwrap() + 2;
        let place = client.position(&text, at);
        let answer = client
            .request(
                "textDocument/hover",
                json!({ "textDocument": { "uri": uri }, "position": place }),
            )
            .unwrap();
        assert_eq!(client.slice(&text, &answer["range"]), "version");
    }
}
