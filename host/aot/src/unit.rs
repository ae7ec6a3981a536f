//! The translation unit of an image: the rune as C, what it asks its host for by `svc`, and its entry.

use std::fmt::Write as _;

use rune_abi::{
    Import,
    image::{Containment, FirstRead, LAST_ADDRESS_BITS, Operation, service},
};
use rune_c::{Host, Mode, Options};

use crate::Error;

/// The name that the rune has in C.
const NAME: &str = "rune";
/// The section of the object that says what only the compiler knows: where memory begins, and how long the block is.
pub(crate) const FACTS: &str = ".rune.facts";
/// The symbol of the entry.
pub(crate) const ENTRY: &str = "rune_entry";

/// What is compiled.
pub(crate) struct Unit {
    /// Files by their names, `unit.c` and `support.c` and what they include.
    pub(crate) files: Vec<(&'static str, String)>,
    /// How many calls of functions that call themselves may be under way.
    pub(crate) call_limit: u32,
    /// Whether there are vectors, for which functions align their stack.
    pub(crate) aligns: bool,
    /// The sample that every call begins with reading.
    pub(crate) first_read: Option<FirstRead>,
}

/// Bytes of stack that a call of the host takes beside its frame, see `svc` below.
pub(crate) const KEPT_BYTES: u32 = 32;

pub(crate) fn translate(
    module: &[u8],
    memory_bytes: u32,
    containment: Containment,
) -> Result<Unit, Error> {
    let options = Options {
        name: NAME.to_owned(),
        mode: match containment {
            Containment::Mpu => Mode::None,
            Containment::Bounds => Mode::Bounds,
            Containment::Mask => Mode::Mask,
        },
        memory_bytes: Some(memory_bytes),
        host: Host::Unit,
        // Blocks are aligned to more, and memory begins at a multiple of it.
        memory_align: 16,
        ends_of: Some(rune_abi::export::CALL),
        ..Options::default()
    };
    let c = rune_c::emit(module, &options).map_err(Error::Translation)?;
    let first_read = c.first.as_ref().and_then(|first| {
        let &[capability, at, bytes] = first.arguments.as_slice() else {
            return None;
        };
        (first.import == Import::Read.name()).then_some(FirstRead {
            capability,
            at,
            bytes,
        })
    });
    let has = |name: &str| c.exports.iter().any(|(export, _)| export == name);
    let aligns = c.header.contains("rune_v128");
    let unit = text(has(rune_abi::export::RESET), aligns, first_read.is_some());
    Ok(Unit {
        files: vec![
            ("rune.h", c.header),
            ("rune.c", c.source),
            ("unit.c", unit),
            ("support.c", include_str!("c/support.c").to_owned()),
            ("string.h", include_str!("c/string.h").to_owned()),
        ],
        call_limit: options.call_limit,
        aligns,
        first_read,
    })
}

/// The unit around the rune.
pub(crate) fn text(resets: bool, aligns: bool, reads_first: bool) -> String {
    let mut out = String::from(HEAD);
    out.push_str(if aligns { ALIGNING } else { PLAIN });
    let ask = |out: &mut String, number: u8| {
        let _ = writeln!(
            out,
            "    __asm__ volatile(SVC(\"{number}\") : \"+r\"(r0), \"+r\"(r1), \"+r\"(r2) : : LOST);"
        );
    };
    for import in Import::ALL {
        let (params, results) = import.signature();
        let ty = if results.is_empty() {
            "void"
        } else {
            "uint32_t"
        };
        let _ = write!(out, "INLINE {ty} r_host_{}(rune_context *c", import.name());
        for index in 0..params.len() {
            let _ = write!(out, ", uint32_t a{index}");
        }
        out.push_str(") {\n");
        for index in 0..3 {
            let value = if index < params.len() {
                format!("a{index}")
            } else {
                "0".to_owned()
            };
            let _ = writeln!(
                out,
                "    register uint32_t r{index} __asm__(\"r{index}\") = {value};"
            );
        }
        out.push_str("    (void)c;\n");
        ask(&mut out, service::of(import));
        if !results.is_empty() {
            out.push_str("    return r0;\n");
        }
        out.push_str("}\n\n");
        for end in ["first", "last"] {
            let is_own = match import {
                Import::Read => end == "first" && reads_first,
                Import::Write => end == "last",
                Import::Log | Import::Fault | Import::Mark => false,
            };
            if !is_own {
                let name = import.name();
                let _ = writeln!(out, "#define r_host_{end}_{name} r_host_{name}");
            }
        }
        out.push('\n');
    }
    if reads_first {
        out.push_str(FIRST);
    }
    let _ = write!(out, "#define ADDRESS_BITS {LAST_ADDRESS_BITS}\n{LAST}");
    let _ = write!(
        out,
        "INLINE void r_host_trap(rune_context *c, int why) {{\n    register uint32_t r0 __asm__(\"r0\") = (uint32_t)why;\n    \
         (void)c;\n    __asm__ volatile(\"svc {}\" : : \"r\"(r0) : \"memory\");\n}}\n\n\
         #include \"rune.c\"\n\n\
         __attribute__((used, section(\"{FACTS}\"))) static const uint32_t facts[3] = {{\n    \
         sizeof(ends) + RUNE_MEMORY_AT, R_BYTES, sizeof(ends) + RUNE_MEMORY_AT + RUNE_MEMORY_BYTES}};\n\n\
         __attribute__((used, noinline)) static uint64_t rune_operation(ends *block, uint32_t operation, uint32_t answer) {{\n    \
         rune_context *c = (rune_context *)(block + 1);\n    \
         block->memory = (uint8_t *)c + RUNE_MEMORY_AT;\n    \
         switch (operation) {{\n",
        service::TRAP
    );
    let _ = writeln!(
        out,
        "    case {}:\n        rune_init(c);\n        return 0;\n    case {}:\n        block->answer = answer;\n        \
         block->last = 0;\n        answer = rune_call(c);\n        return answer | (uint64_t)block->last << 32;",
        Operation::Init.number(),
        Operation::Call.number()
    );
    if resets {
        let _ = writeln!(
            out,
            "    case {}:\n        rune_reset(c);\n        return 0;",
            Operation::Reset.number()
        );
    }
    let end = service::END;
    let _ = write!(
        out,
        "    default:\n        return 0;\n    }}\n}}\n\n\
         __asm__(\".syntax unified\\n\"\n        \".section .text.{ENTRY},\\\"ax\\\",%progbits\\n\"\n        \
         \".p2align 2\\n.thumb_func\\n.globl {ENTRY}\\n.type {ENTRY}, %function\\n{ENTRY}:\\n\"\n        \
         \"bl rune_operation\\nsvc #{end}\\nb .\\n.size {ENTRY}, . - {ENTRY}\\n.text\\n\");\n"
    );
    out
}

const HEAD: &str = "/* A rune as an image: what it asks for, and its entry. */\n\
    #include \"rune.h\"\n\n\
    #define INLINE __attribute__((always_inline, unused)) static inline\n\
    #define FLOATS \\\n    \
    \"d0\", \"d1\", \"d2\", \"d3\", \"d4\", \"d5\", \"d6\", \"d7\", \\\n    \
    \"d8\", \"d9\", \"d10\", \"d11\", \"d12\", \"d13\", \"d14\", \"d15\"\n\n\
    /* What the block begins with: what is passed at the ends of a call, and where memory is. Memory behind it is aligned to\n   \
    16 bytes. Its address is loaded: with one that is added up from the context, clang 19 has a register less in loops. */\n\
    typedef struct {\n    uint32_t answer, last;\n    uint8_t *memory;\n    uint32_t unused;\n} ends;\n\n\
    #define ENDS(c) ((ends *)(c) - 1)\n\
    #define r_host_memory(c) (ENDS(c)->memory)\n\n";

/// After a call of the host all registers are lost but the stack pointer and the answer: the compiler keeps what lives.
const PLAIN: &str = "#define SVC(number) \"svc \" number\n\
    #define LOST \\\n    \
    \"r3\", \"r4\", \"r5\", \"r6\", \"r7\", \"r8\", \"r9\", \"r10\", \"r11\", \"r12\", \"lr\", \"cc\", \"memory\", FLOATS\n\n";

/// Where a function aligns its stack, the compiler has registers for that which it would not keep.
const ALIGNING: &str = "#define SVC(number) \"push {r4-r11}\\n\\tsvc \" number \"\\n\\tpop {r4-r11}\"\n\
    #define LOST \"r3\", \"r12\", \"lr\", \"cc\", \"memory\", FLOATS\n\n";

/// The host has read before the call what that begins with reading.
const FIRST: &str = "INLINE uint32_t r_host_first_read(rune_context *c, uint32_t a0, uint32_t a1, uint32_t a2) {\n    \
    (void)a0, (void)a1, (void)a2;\n    return ENDS(c)->answer;\n}\n\n";

/// What a call writes at its end goes back with its result. The host answers with 0, or ends the rune.
const LAST: &str = "INLINE uint32_t r_host_last_write(rune_context *c, uint32_t a0, uint32_t a1) {\n    \
    if (a0 >= (1u << (32 - ADDRESS_BITS)) - 1 || a1 >> ADDRESS_BITS != 0) return r_host_write(c, a0, a1);\n    \
    ENDS(c)->last = (a0 + 1) << ADDRESS_BITS | a1;\n    return 0;\n}\n\n";
