//! What files and sensors give, made into what a rune asks for by `rune-adapt`.

use rune_abi::{Capability, CapabilityView, Manifest, ManifestView, Version, WasmFeatures};
use rune_adapt::{Plan, Source, Stream, StreamPlan};

use super::{OpenError, describe};

/// Frames of a recording that are taken out at once.
const FRAMES: u32 = 4096;

/// How a source feeds a capability.
///
/// # Errors
/// That it cannot, with every reason; `name` is what messages call the source.
pub(super) fn plan(
    capability: &Capability,
    name: &str,
    source: &Source,
) -> Result<Plan, OpenError> {
    with_view(capability, |view| {
        rune_adapt::plan(view, source).map_err(|refusal| {
            let shown = describe(capability);
            let reasons = refusal.reasons();
            let reasons = reasons.map(|reason| format!("{name} cannot feed {shown}: {reason}"));
            OpenError::Refused(reasons.collect())
        })
    })
}

/// The same for what gives a stream.
pub(super) fn stream_plan(
    capability: &Capability,
    name: &str,
    source: &Source,
) -> Result<StreamPlan, OpenError> {
    match plan(capability, name, source)? {
        Plan::Stream(plan) => Ok(plan),
        Plan::Image(_) => unreachable!("sound and readings are streams"),
    }
}

/// A stream with memory of its own.
pub(super) fn stream(plan: StreamPlan) -> Stream<Vec<f32>, Vec<u8>> {
    let (words, ring) = (vec![0.0; plan.words()], vec![0; plan.ring_bytes()]);
    Stream::new(plan, words, ring).expect("the memory is as large as the plan says")
}

/// A whole recording as the rune will see it: every frame, in order.
pub(super) fn recording(plan: StreamPlan, bytes: &[u8]) -> Vec<u8> {
    let plan = plan.frame_by_frame().with_backlog(FRAMES);
    let mut stream = stream(plan);
    let mut frame = vec![0; plan.window_bytes()];
    let mut all = vec![];
    let mut rest = bytes;
    loop {
        let taken = stream.feed(rest, None);
        rest = &rest[taken..];
        let is_out = rest.is_empty() && stream.finish();
        while stream.read(&mut frame).is_ok_and(|window| window.is_some()) {
            all.extend_from_slice(&frame);
        }
        if is_out {
            return all;
        }
    }
}

/// Lends a capability in the form of a manifest that was read in place.
fn with_view<T>(capability: &Capability, then: impl FnOnce(&CapabilityView<'_>) -> T) -> T {
    let manifest = Manifest {
        abi_version: rune_abi::ABI_VERSION,
        features: WasmFeatures::default(),
        security_counter: 0,
        memory_bytes: 0,
        stack_bytes: 0,
        name: "one".to_owned(),
        version: Version::default(),
        bases: vec![],
        capabilities: vec![capability.clone()],
        outputs: vec![],
        models: vec![],
        stages: vec![],
    };
    let bytes = manifest.to_bytes().expect("it came out of a manifest");
    let view = ManifestView::parse(&bytes).expect("it was written a moment ago");
    let first = view.capabilities.get(0).expect("it has one capability");
    then(&first)
}
