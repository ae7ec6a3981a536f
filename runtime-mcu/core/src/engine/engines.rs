//! Two engines as one: one for modules, one for images.

use rune_abi::WasmFeatures;

use super::{Engine, Host, Instance, Lent, Limits, StartError, Stopped};
use crate::Checked;

/// An engine that runs modules on `M` and images on `I`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engines<M, I> {
    /// For modules.
    pub modules: M,
    /// For images.
    pub images: I,
}

/// A rune on one of two engines.
pub enum Either<M, I> {
    /// A module.
    Module(M),
    /// An image.
    Image(I),
}

impl<M: Engine, I: Engine> Engine for Engines<M, I> {
    const FEATURES: WasmFeatures = M::FEATURES;

    type Instance<H: Host + 'static> = Either<M::Instance<H>, I::Instance<H>>;

    fn start<H: Host + 'static>(
        &self,
        rune: &Checked<'static>,
        limits: &Limits,
    ) -> Result<Self::Instance<H>, StartError> {
        if rune.image().is_some() {
            self.images.start(rune, limits).map(Either::Image)
        } else {
            self.modules.start(rune, limits).map(Either::Module)
        }
    }
}

impl<H, M: Instance<H>, I: Instance<H>> Instance<H> for Either<M, I> {
    fn call(&mut self, host: &mut Lent<H>, deadline_ns: u64) -> Result<i32, Stopped> {
        match self {
            Self::Module(module) => module.call(host, deadline_ns),
            Self::Image(image) => image.call(host, deadline_ns),
        }
    }

    fn reset(&mut self, host: &mut Lent<H>, deadline_ns: u64) -> Result<(), Stopped> {
        match self {
            Self::Module(module) => module.reset(host, deadline_ns),
            Self::Image(image) => image.reset(host, deadline_ns),
        }
    }
}
