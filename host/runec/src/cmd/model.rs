//! `runec model`: what is in a model file.

use std::{fmt::Write as _, path::PathBuf};

use rune_models::{Outline, OutlineTensor};
use serde_json::{Value, json};

use crate::{
    cli,
    cmd::{complain, print},
    world::read_named,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 shown, 1 not a model or a damaged one, 2 wrong usage or a file that cannot be read.

Work counts multiplications with addition (MACs). Memory is that of tensors between operators, run as they
stand in the file; what the compiler makes of it needs the same or less.

Examples:
  runec model keyword.tflite
  runec model --json keyword.tflite | jq .macs";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A TensorFlow Lite file.
    file: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> u8 {
    let shown = args.file.display();
    let bytes = match read_named(&args.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            complain(&format!("{shown} cannot be read: {error}"));
            return cli::USAGE;
        }
    };
    let outline = match rune_models::outline(&bytes) {
        Ok(outline) => outline,
        Err(error) => {
            complain(&format!("cannot show {shown}: {error}"));
            return cli::ERRORS;
        }
    };
    let model = Model {
        name: shown.to_string(),
        bytes: bytes.len(),
        digest: rune_ir::digest(&bytes),
        refused: rune_models::import(&bytes).err().map(|e| e.to_string()),
        outline,
    };
    let text = if args.json {
        format!("{:#}\n", model.json())
    } else {
        model.text()
    };
    print(&text)
}

/// A model file and what is known about it.
struct Model {
    name: String,
    bytes: usize,
    digest: [u8; 32],
    outline: Outline,
    /// Why the compiler does not take it.
    refused: Option<String>,
}

impl Model {
    fn text(&self) -> String {
        let outline = &self.outline;
        let mut out = format!("{}: {} bytes", self.name, grouped(self.bytes as u64));
        if !outline.description.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(out, ", {}", outline.description.escape_debug());
        }
        out += "\n\n";
        for (word, ends) in [("input", &outline.inputs), ("output", &outline.outputs)] {
            for tensor in ends.iter().map(|t| &outline.tensors[*t]) {
                let _ = writeln!(out, "{word:8}{}", described(tensor));
            }
        }
        out.push('\n');
        out += &self.table();
        out.push('\n');
        let fact = |out: &mut String, name: &str, value: String| {
            let _ = writeln!(out, "{name:12}{value}");
        };
        fact(&mut out, "parameters", grouped(outline.parameters()));
        let uncounted = outline.operators.iter().any(|o| o.macs.is_none());
        let note = if uncounted {
            " and those of operators marked ?"
        } else {
            ""
        };
        fact(&mut out, "MACs", grouped(outline.macs()) + note);
        let memory = outline.activation_bytes().map_or_else(
            || "more than 4 GiB between operators".to_owned(),
            |n| format!("{} bytes between operators", grouped(n)),
        );
        fact(&mut out, "memory", memory);
        fact(&mut out, "sha256", hex(&self.digest));
        let compiles = match &self.refused {
            None => "yes".to_owned(),
            Some(reason) => format!("no: {reason}"),
        };
        fact(&mut out, "compiles", compiles);
        out
    }

    /// One line per operator.
    fn table(&self) -> String {
        let outline = &self.outline;
        let rows: Vec<[String; 5]> = outline
            .operators
            .iter()
            .enumerate()
            .map(|(index, operator)| {
                let tensor = |t: &usize| ty(&outline.tensors[*t]);
                let output = operator.outputs.first().map(tensor).unwrap_or_default();
                let constants = operator.inputs.iter().map(|t| &outline.tensors[*t]);
                let parameters = constants
                    .filter(|t| t.constant.is_some())
                    .map(OutlineTensor::elements)
                    .fold(0, u64::saturating_add);
                let mark = if operator.known { "" } else { " (unknown)" };
                [
                    index.to_string(),
                    format!("{}{mark}", operator.name.escape_debug()),
                    output,
                    operator.macs.map_or_else(|| "?".to_owned(), grouped),
                    grouped(parameters),
                ]
            })
            .collect();
        let heads = ["", "operator", "gives", "MACs", "parameters"];
        let widths: Vec<usize> = (0..5)
            .map(|c| {
                let cells = rows.iter().map(|r| r[c].chars().count());
                cells.max().unwrap_or(0).max(heads[c].len())
            })
            .collect();
        let mut out = String::new();
        for row in std::iter::once(&heads.map(str::to_owned)).chain(&rows) {
            let _ = writeln!(
                out,
                "{:>a$}  {:b$}  {:c$}  {:>d$}  {:>e$}",
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                a = widths[0],
                b = widths[1],
                c = widths[2],
                d = widths[3],
                e = widths[4]
            );
        }
        out
    }

    fn json(&self) -> Value {
        let outline = &self.outline;
        let tensor = |t: &usize| {
            let tensor = &outline.tensors[*t];
            json!({
                "name": tensor.name,
                "element_type": tensor.element,
                "dimensions": tensor.shape,
                "bytes": tensor.bytes(),
                "quantization": tensor.quantization.map(|(scale, zero_point, scales)| json!({
                    "scale": scale, "zero_point": zero_point, "scales": scales,
                })),
            })
        };
        let operators: Vec<Value> = outline
            .operators
            .iter()
            .map(|o| {
                json!({
                    "name": o.name,
                    "known": o.known,
                    "macs": o.macs,
                    "inputs": o.inputs.iter().map(tensor).collect::<Vec<_>>(),
                    "outputs": o.outputs.iter().map(tensor).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "file": self.name,
            "bytes": self.bytes,
            "sha256": hex(&self.digest),
            "description": outline.description,
            "inputs": outline.inputs.iter().map(tensor).collect::<Vec<_>>(),
            "outputs": outline.outputs.iter().map(tensor).collect::<Vec<_>>(),
            "operators": operators,
            "parameters": outline.parameters(),
            "macs": outline.macs(),
            "activation_bytes": outline.activation_bytes(),
            "compiles": self.refused.is_none(),
            "refused": self.refused,
        })
    }
}

/// A tensor's name, type and quantisation.
fn described(tensor: &OutlineTensor) -> String {
    let mut text = format!("{}  {}", ty(tensor), tensor.name.escape_debug());
    if let Some((scale, zero, scales)) = tensor.quantization {
        // Writing to a string does not fail.
        let _ = if scales == 1 {
            write!(text, "  (scale {scale}, zero point {zero})")
        } else {
            write!(text, "  ({scales} scales)")
        };
    }
    text
}

fn ty(tensor: &OutlineTensor) -> String {
    let dims: Vec<String> = tensor
        .shape
        .iter()
        .take(9)
        .map(|d| match d {
            -1 => "_".to_owned(),
            d => d.to_string(),
        })
        .collect();
    format!("{}[{}]", tensor.element.to_uppercase(), dims.join(", "))
}

/// A number with its thousands apart.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(n), text);
        }
    }
}
