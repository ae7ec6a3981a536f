//! What a rune says of itself: the manifest, and the typed pipeline for tools.

use std::fmt::Write as _;

use rune_abi as abi;
use rune_ir::{
    args::Bound,
    check::{TypedKind, TypedStage, Verified},
    diag::{Code, Diagnostic},
    ty::TensorType,
};

use crate::Options;

/// Everything of the manifest but memory, stack and features, which the finished code decides.
pub(crate) fn manifest(
    verified: &Verified,
    options: &Options,
) -> Result<abi::Manifest, Box<Diagnostic>> {
    let pipeline = verified.pipeline();
    let mut manifest = abi::Manifest {
        abi_version: abi::ABI_VERSION,
        features: abi::WasmFeatures::default(),
        security_counter: 0,
        memory_bytes: 0,
        stack_bytes: 0,
        name: pipeline.name.clone(),
        version: abi::Version {
            major: 0,
            minor: 0,
            patch: 0,
        },
        bases: options.bases.clone(),
        capabilities: Vec::new(),
        outputs: Vec::new(),
        models: Vec::new(),
        stages: verified.stages().iter().map(|s| s.name.clone()).collect(),
    };
    for (key, value) in &pipeline.labels {
        let wrong = |wants: &str| {
            Box::new(
                Diagnostic::new(
                    Code::BadValue,
                    value.span,
                    format!("label `{}` wants {wants}, not `{}`", key.value, value.value),
                )
                .at(format!("expected {wants}")),
            )
        };
        match key.value.as_str() {
            "version" => {
                manifest.version = value
                    .value
                    .parse()
                    .map_err(|_| wrong("a version such as 1.2.3"))?;
            }
            "security-counter" => {
                manifest.security_counter = value
                    .value
                    .parse()
                    .map_err(|_| wrong("a whole number from 0 to 4294967295"))?;
            }
            _ => {}
        }
    }
    for stage in verified.stages() {
        describe(&mut manifest, verified, stage);
    }
    Ok(manifest)
}

fn describe(manifest: &mut abi::Manifest, verified: &Verified, stage: &TypedStage) {
    let inputs = || stage.inputs.iter().map(|i| tensor(&i.ty));
    match &stage.kind {
        TypedKind::Capability {
            kind,
            params: given,
        } => manifest.capabilities.push(abi::Capability {
            kind: *kind,
            name: stage.name.clone(),
            ty: tensor(&stage.outputs[0]),
            params: params(given),
        }),
        TypedKind::Output {
            kind,
            params: given,
        } => manifest.outputs.push(abi::Output {
            kind: *kind,
            name: stage.name.clone(),
            tensors: stage
                .inputs
                .iter()
                .map(|i| abi::Feed {
                    from: verified.stages()[i.stage].name.clone(),
                    ty: tensor(&i.ty),
                })
                .collect(),
            params: params(given),
        }),
        TypedKind::Model { file, .. } => manifest.models.push(abi::Model {
            name: stage.name.clone(),
            sha256: digest(file),
            inputs: inputs().collect(),
            outputs: stage.outputs.iter().map(tensor).collect(),
        }),
        TypedKind::Block { .. } => {}
    }
}

/// A type as the manifest has it; inference has checked the limits.
fn tensor(ty: &TensorType) -> abi::TensorType {
    abi::TensorType::new(ty.element, &ty.dims)
        .expect("inference keeps tensors within the manifest's limits")
}

fn params(given: &[(String, Bound)]) -> Vec<abi::Param> {
    given
        .iter()
        .filter_map(|(name, value)| {
            let value = match value {
                Bound::Integer(n) => abi::Value::Integer(*n),
                Bound::Float(x) => abi::Value::Float(*x),
                Bound::Text(text) => abi::Value::Text(text.clone()),
                Bound::List(_) | Bound::Bytes(_) => return None,
            };
            Some(abi::Param {
                name: name.clone(),
                value,
            })
        })
        .collect()
}

/// The section `rune.graph`: one line per stage, in execution order.
///
/// `name = kind what (args) : inputs -> outputs`, where an input is `stage.port` with the type the reader
/// sees. Text, because people read it and tools compare it line by line.
pub(crate) fn graph(verified: &Verified) -> String {
    let mut text = String::from("rune-graph 1\n");
    for stage in verified.stages() {
        let what = match &stage.kind {
            TypedKind::Capability { kind, params } => format!(
                "capability {}{}",
                kind.spec().name,
                arguments(params.iter().map(|(n, v)| (n.as_str(), v)))
            ),
            TypedKind::Output { kind, params } => format!(
                "output {}{}",
                kind.spec().name,
                arguments(params.iter().map(|(n, v)| (n.as_str(), v)))
            ),
            TypedKind::Block {
                path,
                block,
                instance,
                ..
            } => {
                let names = block.signature.args.iter().map(|a| a.name.as_str());
                format!(
                    "block {path}@{} {}{}",
                    block.signature.version,
                    hex(&digest(&block.bytes)[..8]),
                    arguments(names.zip(&instance.args))
                )
            }
            TypedKind::Model { file, .. } => format!("model {}", hex(&digest(file)[..8])),
        };
        let inputs: Vec<String> = stage
            .inputs
            .iter()
            .map(|i| format!("{}.{} {}", verified.stages()[i.stage].name, i.port, i.ty))
            .collect();
        let outputs: Vec<String> = stage.outputs.iter().map(ToString::to_string).collect();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{} = {what}: {} -> {}",
            stage.name,
            inputs.join(", "),
            outputs.join(", ")
        );
    }
    text
}

/// ` (name value, ...)`; long values are given by their digest.
fn arguments<'a>(args: impl Iterator<Item = (&'a str, &'a Bound)>) -> String {
    let shown: Vec<String> = args
        .map(|(name, value)| match value {
            Bound::Integer(n) => format!("{name} {n}"),
            Bound::Float(x) => format!("{name} {x:?}"),
            Bound::Text(text) => format!("{name} {}", short(&format!("{text:?}"), text.as_bytes())),
            Bound::List(items) => {
                let text = format!("{items:?}");
                format!("{name} {}", short(&text, text.as_bytes()))
            }
            Bound::Bytes(bytes) => format!("{name} sha256:{}", hex(&digest(bytes)[..8])),
        })
        .collect();
    if shown.is_empty() {
        String::new()
    } else {
        format!(" ({})", shown.join(", "))
    }
}

fn short(text: &str, bytes: &[u8]) -> String {
    if text.len() <= 80 {
        text.to_owned()
    } else {
        format!("sha256:{}", hex(&digest(bytes)[..8]))
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    rune_ir::digest(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
