//! Runes as machine code, for devices that take it.

use rune_abi::image::{Containment, Target};
use rune_aot::{Built, Compiler};
use rune_catalogue::Image;
use rune_codegen::{Options, Output, Simd};

use crate::{
    Compilation,
    driver::{self, Checked},
};

/// The processor of a device that takes machine code.
pub fn target(device: &Image) -> Option<Target> {
    match device.short_name() {
        "portenta-h7" | "mps2-an500" => Some(Target::CortexM7),
        _ => None,
    }
}

/// The form of a rune that C is made of: constants apart, and on a Cortex-M7 without vectors of 128 bits, which it
/// does not have.
pub fn form(device: Option<&Image>, options: &Options) -> Options {
    let is_m7 = device.and_then(|image| image.cpu.as_deref()) == Some("cortex-m7");
    Options {
        flash: true,
        simd: if is_m7 { Simd::Dsp } else { options.simd },
        ..options.clone()
    }
}

/// What images are made with.
#[derive(Debug)]
pub struct Machine {
    /// The processor.
    pub target: Target,
    /// What keeps a rune within its memory.
    pub containment: Containment,
    compiler: Compiler,
}

impl Machine {
    /// Finds a compiler.
    ///
    /// # Errors
    /// One sentence: the device takes no images, or there is no compiler.
    pub fn new(device: &Image, containment: Containment) -> Result<Self, String> {
        let target = target(device).ok_or_else(|| {
            let name = device.short_name();
            format!("{name} takes no machine code; portenta-h7 and mps2-an500 do")
        })?;
        let compiler = Compiler::find().map_err(|error| error.to_string())?;
        Ok(Self {
            target,
            containment,
            compiler,
        })
    }

    /// Makes the image of a rune. `code` is the [`form`] of it that C is made of.
    ///
    /// # Errors
    /// One sentence on why there is none.
    pub fn image(&self, rune: &Output, code: &Output) -> Result<Built, String> {
        rune_aot::image(
            &rune.wasm,
            &code.wasm,
            self.target,
            self.containment,
            &self.compiler,
        )
        .map_err(|error| error.to_string())
    }
}

/// Compiles what has been checked to what a device is given: its image, where there is a machine, and otherwise the rune.
///
/// # Errors
/// The rune compiles, and no image can be made of it: one sentence why.
pub fn generate(
    checked: Checked,
    options: &Options,
    machine: Option<(&Image, &Machine)>,
) -> Compilation<Result<Vec<u8>, String>> {
    let code = machine
        .zip(checked.verified())
        .map(|((device, _), verified)| {
            driver::build(verified, &form(Some(device), options)).map_err(|fault| fault.message)
        });
    let Compilation {
        sources,
        diagnostics,
        output,
    } = driver::generate(checked, options);
    let output = output.map(|rune| match (machine, code) {
        (Some((_, machine)), Some(code)) => Ok(machine.image(&rune, &code?)?.bytes),
        _ => Ok(rune.wasm),
    });
    Compilation {
        sources,
        diagnostics,
        output,
    }
}
