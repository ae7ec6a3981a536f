//! What `runec build --aot` writes: a rune as machine code for a microcontroller.

use std::path::Path;

use rune_abi::image::{Containment, Target};
use rune_aot::Compiler;
use rune_codegen::Output;

use crate::{device::count, write};

/// The containment of a name on the command line.
pub(crate) fn containment(name: &str) -> Result<Containment, String> {
    Containment::from_name(name).ok_or_else(|| {
        let names = Containment::ALL.map(Containment::name);
        format!("there are {}", names.join(", "))
    })
}

/// The processor of a device that takes images.
fn target(device: &rune_catalogue::Image) -> Result<Target, String> {
    match device.short_name() {
        "portenta-h7" | "mps2-an500" => Ok(Target::CortexM7),
        other => Err(format!(
            "{other} takes no machine code; portenta-h7 and mps2-an500 do"
        )),
    }
}

/// What images are made with.
pub(crate) struct Machine {
    target: Target,
    containment: Containment,
    compiler: Compiler,
}

impl Machine {
    /// Nothing where no image is asked for.
    ///
    /// # Errors
    /// One sentence: the device takes none, or there is no compiler.
    pub(crate) fn new(
        device: Option<&rune_catalogue::Image>,
        containment: Option<Containment>,
    ) -> Result<Option<Self>, String> {
        let Some(containment) = containment else {
            return Ok(None);
        };
        let device = device.ok_or("--aot needs --for and a microcontroller")?;
        Ok(Some(Self {
            target: target(device)?,
            containment,
            compiler: Compiler::find().map_err(|error| error.to_string())?,
        }))
    }

    /// Writes `NAME.img` beside where the rune goes, of the form of it that C is made of, and says what it is.
    ///
    /// # Errors
    /// One sentence on why there is no image.
    pub(crate) fn write(
        &self,
        path: &Path,
        rune: &Output,
        code: &Output,
    ) -> Result<String, String> {
        let image = path.with_extension("img");
        let built = rune_aot::image(
            &rune.wasm,
            &code.wasm,
            self.target,
            self.containment,
            &self.compiler,
        )
        .map_err(|error| format!("{} cannot be made: {error}", image.display()))?;
        write::whole(&image, &built.bytes)?;
        let sizes = [
            built.bytes.len() as u32,
            built.code_bytes,
            built.constant_bytes,
            built.block_bytes,
            built.stack_bytes,
        ];
        let [all, code, constants, block, stack] = sizes.map(|n| count(n.into()));
        Ok(format!(
            "built {} for {}, {} ({all} bytes: {code} of code, {constants} of constants; of RAM {block} bytes and {stack} of stack)",
            image.display(),
            self.target.name(),
            self.containment.name(),
        ))
    }
}
