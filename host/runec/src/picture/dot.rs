//! A picture in the language of Graphviz.

use std::fmt::Write as _;

use super::{Picture, Role};

pub(super) fn draw(picture: &Picture) -> String {
    let mut out = format!("digraph {} {{\n", quoted(&picture.title));
    out += "  rankdir=TB;\n";
    out += "  node [fontname=\"Helvetica,Arial,sans-serif\", fontsize=12, style=\"filled,rounded\", shape=box];\n";
    out += "  edge [fontname=\"monospace\", fontsize=10];\n";
    for (index, node) in picture.nodes.iter().enumerate() {
        let [fill, line, ..] = node.role.colours();
        let shape = match node.role {
            Role::Capability | Role::Output => ", shape=cds",
            Role::Block | Role::Model => "",
        };
        let lines = [node.name.as_str(), &node.what, &node.arguments];
        let lines: Vec<&str> = lines.into_iter().filter(|l| !l.is_empty()).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "  n{index} [label={}, fillcolor=\"{fill}\", color=\"{line}\"{shape}];",
            quoted(&lines.join("\n"))
        );
    }
    for edge in &picture.edges {
        let label = quoted(&format!(" {}", edge.label));
        let _ = writeln!(out, "  n{} -> n{} [label={label}];", edge.from, edge.to);
    }
    out + "}\n"
}

/// A string of the language; line breaks become its own.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::{super::tests::sample, *};

    #[test]
    fn every_stage_and_tensor_is_drawn() {
        let text = draw(&sample());
        assert!(text.starts_with("digraph \"a <sample> & \\\"more\\\"\" {\n"));
        for part in [
            r#"n0 [label="audio\nSOUND\nhz 16000","#,
            r#"n3 [label="net\nkey\"word<1>.tflite","#,
            r#"n0 -> n2 [label=" I16[16000]"];"#,
            r#"n3 -> n4 [label=" I8[<=6]"];"#,
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert_eq!(text.matches(" -> ").count(), 5);
    }
}
