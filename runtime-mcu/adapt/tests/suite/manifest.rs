//! Sources planned for a capability by way of a manifest; the benchmark has this file too.

use rune_abi::{
    Capability, CapabilityKind, Dim, ElementType, Manifest, ManifestView, Param, TensorType, Value,
    Version, WasmFeatures,
};
use rune_adapt::{Plan, Refusal, Source, plan};

/// Plans a source for a capability of this kind, type and parameters, by way of a manifest.
pub(crate) fn plan_for(
    kind: CapabilityKind,
    element: ElementType,
    dims: &[u32],
    params: &[(&str, Value)],
    source: &Source,
) -> Result<Plan, Refusal> {
    let dims: Vec<Dim> = dims.iter().map(|d| Dim::Exact(*d)).collect();
    let param = |(name, value): &(&str, Value)| Param {
        name: (*name).to_owned(),
        value: value.clone(),
    };
    let manifest = Manifest {
        abi_version: rune_abi::ABI_VERSION,
        features: WasmFeatures(0),
        security_counter: 0,
        memory_bytes: 0,
        stack_bytes: 0,
        name: "test".to_owned(),
        version: Version::default(),
        bases: vec![],
        capabilities: vec![Capability {
            kind,
            name: "sensor".to_owned(),
            ty: TensorType::new(element, &dims).unwrap(),
            params: params.iter().map(param).collect(),
        }],
        outputs: vec![],
        models: vec![],
        stages: vec![],
    };
    let bytes = manifest.to_bytes().unwrap();
    let view = ManifestView::parse(&bytes).unwrap();
    plan(&view.capabilities.get(0).unwrap(), source)
}
