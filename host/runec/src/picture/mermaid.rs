//! A picture in the language of Mermaid: <https://mermaid.js.org/syntax/flowchart.html>.

use std::fmt::Write as _;

use super::{Picture, Role};

pub(super) fn draw(picture: &Picture) -> String {
    let mut out = String::from("flowchart TB\n");
    for (index, node) in picture.nodes.iter().enumerate() {
        let [open, close] = match node.role {
            Role::Capability => ["([", "])"],
            Role::Block => ["[", "]"],
            Role::Model => ["[[", "]]"],
            Role::Output => ["[/", "/]"],
        };
        let mut label = format!("<b>{}</b><br>{}", escaped(&node.name), escaped(&node.what));
        if !node.arguments.is_empty() {
            label += "<br>";
            label += &escaped(&node.arguments);
        }
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "  n{index}{open}\"{label}\"{close}:::{}",
            node.role.name()
        );
    }
    for edge in &picture.edges {
        let label = escaped(&edge.label);
        let _ = writeln!(out, "  n{} -->|\"{label}\"| n{}", edge.from, edge.to);
    }
    for role in Role::ALL {
        let [fill, line, ..] = role.colours();
        // The fill is light on every page, so the text on it is dark on every page.
        let name = role.name();
        let _ = writeln!(
            out,
            "  classDef {name} fill:{fill},stroke:{line},color:#1b1f24"
        );
    }
    out
}

/// What the language or HTML would take for its own is written by number.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '"' | '<' | '>' | '&' | '#' | '`' | '\\') {
            let _ = write!(out, "#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::tests::sample, *};

    #[test]
    fn every_stage_and_tensor_is_drawn() {
        let text = draw(&sample());
        for part in [
            "flowchart TB\n",
            "n0([\"<b>audio</b><br>SOUND<br>hz 16000\"]):::capability",
            "n3[[\"<b>net</b><br>key#34;word#60;1#62;.tflite\"]]:::model",
            "n3 -->|\"I8[#60;=6]\"| n4",
            "classDef output fill:",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert_eq!(text.matches(" -->|").count(), 5);
    }
}
