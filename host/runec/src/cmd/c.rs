//! What `runec build --emit c` writes: a rune as C99, its header, and an example of how firmware calls it.

use std::{fmt::Write as _, path::Path};

use rune_c::{Mode, Options};
use rune_codegen::Output;

use crate::write;

/// Writes `NAME.c`, `NAME.h` and `NAME_main.c` beside where the rune goes.
///
/// # Errors
/// One sentence on why it cannot be translated or written.
pub(crate) fn write(rune: &Path, output: &Output) -> Result<(), String> {
    let name = identifier(&rune.file_stem().unwrap_or_default().to_string_lossy());
    let options = Options {
        name: name.clone(),
        mode: Mode::Bounds,
        memory_bytes: Some(output.manifest.memory_bytes),
        ..Options::default()
    };
    let c = rune_c::emit(&output.wasm, &options)
        .map_err(|error| format!("{} cannot be C: {error}", rune.display()))?;
    let example = example(&name, output, &c.header);
    let beside = |file: String| rune.with_file_name(file);
    write::whole(&beside(format!("{name}.h")), c.header.as_bytes())?;
    write::whole(&beside(format!("{name}.c")), c.source.as_bytes())?;
    write::whole(&beside(format!("{name}_main.c")), example.as_bytes())
}

/// A sentence on what was built, and what of it is where: constants in memory are those that a block or the host reads.
pub(crate) fn summary(rune: &Path, output: &Output) -> String {
    let name = identifier(&rune.file_stem().unwrap_or_default().to_string_lossy());
    format!(
        "built {} ({} bytes of constants in flash, {} bytes of memory, of which {} never change)",
        rune.with_file_name(format!("{name}.c")).display(),
        output.report.flash,
        output.manifest.memory_bytes,
        output.report.constant()
    )
}

/// A name of C for a file's: what it cannot have becomes an underscore, and `rune_` stands before what may be a word of C.
fn identifier(text: &str) -> String {
    let char = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let text: String = text.chars().take(48).map(char).collect();
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && !rune_c::is_word(&text) {
        text
    } else {
        format!("rune_{text}")
    }
}

/// A program that calls the rune once with samples of zeros.
fn example(name: &str, output: &Output, header: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let list = |names: Vec<String>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let manifest = &output.manifest;
    let capabilities = manifest.capabilities.iter().enumerate();
    let capabilities = capabilities.map(|(i, c)| format!("{i} {}, {}", c.name, c.ty));
    let outputs = manifest.outputs.iter().enumerate();
    let outputs = outputs.map(|(i, o)| format!("{i} {}", o.name));
    let (capabilities, outputs) = (list(capabilities.collect()), list(outputs.collect()));
    let mut functions = String::new();
    let mut fields = String::new();
    let parts = [
        (
            "read",
            format!(
                "/* Capabilities: {capabilities}. Gives the bytes that are asked for, or 0 at the end of the data. */\n\
                 static uint32_t on_read(void *host, uint32_t capability, uint32_t at, uint32_t length) {{\n    \
                 (void)host, (void)capability;\n    memset(memory + at, 0, length);\n    return length;\n}}\n\n"
            ),
        ),
        (
            "write",
            format!(
                "/* Outputs: {outputs}. A record has for each tensor its address, its bytes, its rank and its dimensions. */\n\
                 static uint32_t on_write(void *host, uint32_t output, uint32_t at) {{\n    \
                 uint32_t head[2];\n    (void)host;\n    memcpy(head, memory + at, sizeof head);\n    \
                 printf(\"output %u:\", (unsigned)output);\n    \
                 for (uint32_t i = 0; i < head[1]; i++) printf(\" %02x\", memory[head[0] + i]);\n    \
                 puts(\"\");\n    return 0;\n}}\n\n"
            ),
        ),
        (
            "fault",
            "static void on_fault(void *host, uint32_t code, uint32_t at, uint32_t length) {\n    \
             (void)host;\n    fprintf(stderr, \"fault %d: %.*s\\n\", (int)code, (int)length, (const char *)memory + at);\n}\n\n"
                .to_owned(),
        ),
    ];
    for (import, function) in parts {
        if header.contains(&format!("(*{import})")) {
            functions += &function;
            let _ = writeln!(fields, "    rune.{import} = on_{import};");
        }
    }
    format!(
        "/* How {name} is called. Build with: cc -std=c99 -O2 -ffp-contract=off {name}.c {name}_main.c */\n\
         #include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\n#include \"{name}.h\"\n\n\
         static uint8_t memory[{upper}_MEMORY_BYTES];\nstatic {name}_context rune;\n\n{functions}\
         /* Must not come back: firmware leaves the rune's stack, a program may use longjmp. */\n\
         static void on_trap(void *host, int why) {{\n    (void)host;\n    \
         fprintf(stderr, \"the rune trapped: %d\\n\", why);\n    exit(1);\n}}\n\n\
         int main(void) {{\n    rune.memory = memory;\n    rune.trap = on_trap;\n{fields}    \
         {name}_init(&rune);\n    return (int32_t){name}_call(&rune) < 0;\n}}\n"
    )
}
