//! `runec model`: what is in a model file.

use std::{fmt::Write as _, path::PathBuf};

use rune_codegen::{
    Options,
    model::{self, Footprint},
};
use rune_models::{Outline, OutlineTensor};
use serde_json::{Value, json};

use crate::{
    cli,
    cmd::{self, complain, print},
    picture,
    world::read_named,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 shown, 1 not a model or a damaged one, 2 wrong usage or a file that cannot be read.

Work counts multiplications with addition (MACs). A model that compiles is compiled by itself: its arena is
the memory that its tensors share, and no arena is smaller than what is in use at once.

Examples:
  runec model keyword.tflite
  runec model keyword.tflite -o memory.svg    where each tensor lies, and when
  runec model --json keyword.tflite | jq .macs";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A TensorFlow Lite file.
    file: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
    /// Where to write a picture (SVG) of where the tensors of the compiled model lie, and when.
    #[arg(short, long, value_name = "FILE", visible_alias = "svg")]
    output: Option<PathBuf>,
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
    let imported = rune_models::import(&bytes).map_err(|error| error.to_string());
    let compiled = imported.and_then(|graph| {
        model::footprint(&graph, &Options::default()).map_err(|error| error.to_string())
    });
    let model = Model {
        name: shown.to_string(),
        bytes: bytes.len(),
        digest: rune_ir::digest(&bytes),
        outline,
        compiled,
    };
    if let Some(path) = &args.output {
        let status = match &model.compiled {
            Ok(footprint) => cmd::put(
                &picture::memory::draw(&model.title(), footprint),
                Some(path),
            ),
            Err(reason) => {
                complain(&format!("cannot draw {shown}: {reason}"));
                cli::ERRORS
            }
        };
        if status != cli::OK {
            return status;
        }
    }
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
    /// What it needs once compiled, or why the compiler does not take it.
    compiled: Result<Footprint, String>,
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
        fact(&mut out, "sha256", hex(&self.digest));
        match &self.compiled {
            Ok(footprint) => {
                fact(&mut out, "compiles", "yes".to_owned());
                let bytes = |n: u64| format!("{} bytes", grouped(n));
                fact(&mut out, "arena", arena(footprint));
                fact(&mut out, "constants", bytes(footprint.constants));
                if footprint.state > 0 {
                    fact(&mut out, "state", bytes(footprint.state));
                }
                fact(&mut out, "memory", bytes(footprint.memory()));
                fact(&mut out, "code", bytes(footprint.code));
            }
            Err(reason) => {
                let memory = outline.activation_bytes().map_or_else(
                    || "more than 4 GiB between operators".to_owned(),
                    |n| format!("{} bytes between operators", grouped(n)),
                );
                fact(&mut out, "memory", memory);
                fact(&mut out, "compiles", format!("no: {reason}"));
            }
        }
        out
    }

    /// The name of the file without its folder.
    fn title(&self) -> String {
        let name = self.name.rsplit('/').next().unwrap_or(&self.name);
        name.to_owned()
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
            "compiles": self.compiled.is_ok(),
            "refused": self.compiled.as_ref().err(),
            "compiled": self.compiled.as_ref().ok().map(compiled),
        })
    }
}

/// How large the arena is, and whether it could be smaller.
fn arena(footprint: &Footprint) -> String {
    let Footprint { arena, bound, .. } = footprint;
    let bytes = grouped(*arena);
    if arena == bound {
        return format!("{bytes} bytes, no more than are in use at once");
    }
    let optimum = if footprint.is_least {
        ", the optimum"
    } else {
        ""
    };
    let ratio = *arena as f64 / (*bound).max(1) as f64;
    format!(
        "{bytes} bytes{optimum}; {} are in use at once (ratio {ratio:.3})",
        grouped(*bound)
    )
}

/// What a model needs once compiled.
fn compiled(footprint: &Footprint) -> Value {
    let tensors = footprint.tensors.iter().map(|t| {
        json!({
            "name": t.name,
            "offset": t.offset,
            "bytes": t.bytes,
            "first_step": t.first,
            "last_step": t.last,
        })
    });
    json!({
        "arena_bytes": footprint.arena,
        "in_use_bytes": footprint.bound,
        "is_optimum": footprint.is_least,
        "constant_bytes": footprint.constants,
        "state_bytes": footprint.state,
        "memory_bytes": footprint.memory(),
        "code_bytes": footprint.code,
        "steps": footprint.steps,
        "tensors": tensors.collect::<Vec<_>>(),
    })
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
