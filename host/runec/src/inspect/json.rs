//! A rune as programs read it; `docs/book/inspecting.md` says what the fields mean.

use rune_abi::{Param, TensorType, Value as ParamValue};
use rune_codegen::report::Cost;
use serde_json::{Map, Value, json};

use super::{Rune, hex};
use crate::device;

/// What `runec inspect --json` prints.
pub(crate) fn json(rune: &Rune) -> Value {
    let manifest = &rune.manifest;
    let capabilities: Vec<Value> = manifest
        .capabilities
        .iter()
        .map(|c| {
            json!({
                "name": c.name,
                "kind": c.kind.spec().name,
                "type": c.ty.to_string(),
                "parameters": params(&c.params),
            })
        })
        .collect();
    let outputs: Vec<Value> = manifest
        .outputs
        .iter()
        .map(|o| {
            let tensors = o.tensors.iter();
            let tensors = tensors.map(|t| json!({ "from": t.from, "type": t.ty.to_string() }));
            json!({
                "name": o.name,
                "kind": o.kind.spec().name,
                "tensors": tensors.collect::<Vec<_>>(),
                "parameters": params(&o.params),
            })
        })
        .collect();
    let models: Vec<Value> = manifest
        .models
        .iter()
        .map(|m| {
            json!({
                "name": m.name,
                "sha256": hex(&m.sha256),
                "inputs": types(&m.inputs),
                "outputs": types(&m.outputs),
            })
        })
        .collect();
    let bases = manifest.bases.iter();
    let bases = bases.map(|b| json!({ "name": b.name, "version": b.version.to_string() }));
    let parts: Map<String, Value> = rune
        .parts
        .iter()
        .map(|p| (p.name.clone(), p.bytes.into()))
        .collect();
    let devices: Vec<Value> = rune_catalogue::images()
        .map(|image| {
            let reasons = device::misfits(image, manifest, rune.deployed_bytes());
            json!({ "image": image.name, "fits": reasons.is_empty(), "reasons": reasons })
        })
        .collect();
    json!({
        "version": 1,
        "name": manifest.name,
        "rune_version": manifest.version.to_string(),
        "security_counter": manifest.security_counter,
        "sha256": hex(&rune.digest),
        "bases": bases.collect::<Vec<_>>(),
        "features": manifest.features.names().collect::<Vec<_>>(),
        "imports": rune.imports,
        "has_source": rune.has_source,
        "capabilities": capabilities,
        "outputs": outputs,
        "models": models,
        "memory": memory(rune),
        "file": { "bytes": rune.file_bytes, "functions": rune.functions, "parts": parts },
        "stages": stages(rune),
        "devices": devices,
    })
}

fn params(params: &[Param]) -> Map<String, Value> {
    let values = params.iter().map(|p| {
        let value = match &p.value {
            ParamValue::Integer(n) => json!(n),
            ParamValue::Float(x) => json!(x),
            ParamValue::Text(text) => json!(text),
        };
        (p.name.clone(), value)
    });
    values.collect()
}

fn types(types: &[TensorType]) -> Vec<String> {
    types.iter().map(ToString::to_string).collect()
}

fn memory(rune: &Rune) -> Value {
    let mut regions = Map::new();
    let mut peak = Value::Null;
    if let Ok(graph) = &rune.graph {
        let all = graph.report.memory.iter();
        regions.extend(all.map(|r| (r.kind.name().to_owned(), r.bytes.into())));
        peak = graph.report.peak.stage.clone().into();
    }
    json!({
        "bytes": rune.manifest.memory_bytes,
        "pages": rune.pages,
        "stack_bytes": rune.manifest.stack_bytes,
        "regions": regions,
        "peak_stage": peak,
    })
}

/// A list of stages, or null where `rune.graph` does not tell.
fn stages(rune: &Rune) -> Value {
    let Ok(graph) = &rune.graph else {
        return Value::Null;
    };
    let stages = graph.stages.iter().zip(&graph.report.stages);
    stages
        .map(|(stage, cost)| {
            let pairs = |pairs: &[(String, String)], keys: [&str; 2]| {
                let pairs = pairs.iter();
                pairs
                    .map(|(a, b)| json!({ keys[0]: a, keys[1]: b }))
                    .collect::<Vec<_>>()
            };
            let bytes = Cost::NAMES.into_iter().zip(cost.cost.parts());
            let bytes: Map<String, Value> = bytes.map(|(n, b)| (n.to_owned(), b.into())).collect();
            json!({
                "name": stage.name,
                "kind": stage.kind,
                "what": stage.what,
                "arguments": pairs(&stage.args, ["name", "value"]),
                "inputs": pairs(&stage.inputs, ["from", "type"]),
                "outputs": stage.outputs,
                "bytes": bytes,
            })
        })
        .collect()
}
