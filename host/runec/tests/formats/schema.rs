//! Enough of JSON Schema (draft 7) to judge what `runec` writes, and strict: a property that a schema does not
//! name is a fault, and so is a word of the schema that is not known here.

use serde_json::Value;

/// What is wrong with `value` by `schema`, each with its place; nothing if it is as it should be.
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "$", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let mut fault = |text: String| faults.push(format!("{at}: {text}"));
    for (word, rule) in schema.as_object().expect("a schema is an object") {
        match word.as_str() {
            // Said to people, or taken up by another word.
            "$schema" | "$id" | "title" | "description" | "default" | "definitions" => {}
            "additionalProperties" => {}
            "format" => {
                let text = value.as_str().unwrap_or_default();
                let wrong = match rule.as_str().unwrap() {
                    "uri-reference" => {
                        text.contains([' ', '<', '>', '"', '\\', '{', '}', '|', '^', '`'])
                            || !text.is_ascii()
                            || text.chars().any(char::is_control)
                    }
                    "uri" => !text.contains(':'),
                    other => panic!("{at}: cannot judge format {other}"),
                };
                if wrong {
                    fault(format!("{text:?} is no {rule}"));
                }
            }
            "type" => {
                let fits = match rule.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    other => panic!("{at}: unknown type {other}"),
                };
                if !fits {
                    fault(format!("{value} is no {rule}"));
                }
            }
            "enum" => {
                if !rule.as_array().unwrap().contains(value) {
                    fault(format!("{value} is none of {rule}"));
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.get(name.as_str().unwrap()).is_none() {
                        fault(format!("{name} is missing"));
                    }
                }
            }
            "minimum" => {
                if value.as_f64() < rule.as_f64() {
                    fault(format!("{value} is less than {rule}"));
                }
            }
            "maximum" => {
                if value.as_f64() > rule.as_f64() {
                    fault(format!("{value} is more than {rule}"));
                }
            }
            "minItems" => {
                let items = value.as_array().map_or(0, Vec::len) as u64;
                if items < rule.as_u64().unwrap() {
                    fault(format!("{items} items are too few"));
                }
            }
            "uniqueItems" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                let twice = (1..items.len()).any(|i| items[..i].contains(&items[i]));
                if rule == true && twice {
                    fault("an item comes twice".to_owned());
                }
            }
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                if !matches(rule.as_str().unwrap(), text) {
                    fault(format!("{text:?} does not match {rule}"));
                }
            }
            "properties" | "items" | "$ref" | "anyOf" | "oneOf" => {}
            other => panic!("{at}: cannot judge {other}"),
        }
    }
    if let Some(path) = schema["$ref"].as_str() {
        let target = root.pointer(path.strip_prefix('#').unwrap()).unwrap();
        check(root, target, value, at, faults);
    }
    for (word, wanted) in [("anyOf", 1..=usize::MAX), ("oneOf", 1..=1)] {
        if let Some(choices) = schema[word].as_array() {
            let fits = |choice: &&Value| {
                let mut found = Vec::new();
                // Of a choice, only what it names itself is judged.
                let mut choice = (*choice).clone();
                choice["additionalProperties"] = true.into();
                check(root, &choice, value, at, &mut found);
                found.is_empty()
            };
            let count = choices.iter().filter(fits).count();
            if !wanted.contains(&count) {
                faults.push(format!("{at}: fits {count} of {word}"));
            }
        }
    }
    if let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    {
        for (name, value) in object {
            let at = format!("{at}.{name}");
            let others = &schema["additionalProperties"];
            match properties.get(name) {
                Some(schema) => check(root, schema, value, &at, faults),
                None if others == true => {}
                None if others.is_object() => check(root, others, value, &at, faults),
                None => faults.push(format!("{at}: the schema does not name it")),
            }
        }
    } else if let (Some(object), others) = (value.as_object(), &schema["additionalProperties"])
        && others.is_object()
    {
        for (name, value) in object {
            check(root, others, value, &format!("{at}.{name}"), faults);
        }
    }
    if let (Some(items), true) = (value.as_array(), schema["items"].is_object()) {
        for (i, item) in items.iter().enumerate() {
            check(root, &schema["items"], item, &format!("{at}[{i}]"), faults);
        }
    }
}

/// Whether a text matches one of the patterns that schemas use for what `runec` writes.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "^R[0-9]{4}$" => {
            text.len() == 5
                && text.starts_with('R')
                && text[1..].bytes().all(|b| b.is_ascii_digit())
        }
        "^[a-z0-9]+(-[a-z0-9]+)*$" => text.split('-').all(|part| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            !part.is_empty() && part.bytes().all(plain)
        }),
        other => panic!("cannot judge pattern {other}"),
    }
}
