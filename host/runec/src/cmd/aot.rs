//! What `runec build --aot` writes: a rune as machine code for a microcontroller.

use std::path::Path;

use rune_abi::image::Containment;
use rune_codegen::Output;

use crate::{device::count, machine::Machine, write};

/// The containment of a name on the command line.
pub(crate) fn containment(name: &str) -> Result<Containment, String> {
    Containment::from_name(name).ok_or_else(|| {
        let names = Containment::ALL.map(Containment::name);
        format!("there are {}", names.join(", "))
    })
}

/// Writes `NAME.img` beside where the rune goes, of the form of it that C is made of, and says what it is.
///
/// # Errors
/// One sentence on why there is no image.
pub(crate) fn write(
    machine: &Machine,
    path: &Path,
    rune: &Output,
    code: &Output,
) -> Result<String, String> {
    let image = path.with_extension("img");
    let built = machine
        .image(rune, code)
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
        machine.target.name(),
        machine.containment.name(),
    ))
}
