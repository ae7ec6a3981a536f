//! What a rune says of itself to its runtime: the manifest.

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
            sha256: rune_ir::digest(file),
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
