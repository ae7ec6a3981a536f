//! Two engines as one: one for modules, one for images.

use rune_abi::WasmFeatures;

use super::{Engine, Host, Instance, Limits, StartError, Stop};
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
        host: H,
    ) -> Result<Self::Instance<H>, (StartError, H)> {
        if rune.image().is_some() {
            let image = self.images.start(rune, limits, host);
            image.map(Either::Image)
        } else {
            let module = self.modules.start(rune, limits, host);
            module.map(Either::Module)
        }
    }
}

impl<H, M: Instance<H>, I: Instance<H>> Instance<H> for Either<M, I> {
    fn call(&mut self) -> Result<i32, Stop> {
        match self {
            Self::Module(module) => module.call(),
            Self::Image(image) => image.call(),
        }
    }

    // One look at which it is.
    #[inline]
    fn call_between<R>(
        &mut self,
        before: impl FnOnce(&mut H),
        after: impl FnOnce(&mut H, Result<i32, Stop>) -> R,
    ) -> R {
        match self {
            Self::Module(module) => module.call_between(before, after),
            Self::Image(image) => image.call_between(before, after),
        }
    }

    fn reset(&mut self) -> Result<(), Stop> {
        match self {
            Self::Module(module) => module.reset(),
            Self::Image(image) => image.reset(),
        }
    }

    fn host(&self) -> &H {
        match self {
            Self::Module(module) => module.host(),
            Self::Image(image) => image.host(),
        }
    }

    fn host_mut(&mut self) -> &mut H {
        match self {
            Self::Module(module) => module.host_mut(),
            Self::Image(image) => image.host_mut(),
        }
    }

    fn into_host(self) -> H {
        match self {
            Self::Module(module) => module.into_host(),
            Self::Image(image) => image.into_host(),
        }
    }
}
