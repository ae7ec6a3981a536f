//! That what an image asks its host for leaves the image as it was.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::{env, fs, process};

use crate::unit::text;

#[path = "../../../codegen/c/tests/metal/mod.rs"]
mod metal;

/// Keeps as many values as there are registers while it asks its host, and adds them up with what each was read as.
const KEEPS: &str = r#"
static volatile uint32_t words[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
static volatile double floats[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

__attribute__((noinline)) static uint32_t keeps(rune_context *c) {
    const uint32_t a = words[0], b = words[1], d = words[2], e = words[3], f = words[4], g = words[5], h = words[6],
                   i = words[7], j = words[8], k = words[9];
    const double l = floats[0], m = floats[1], n = floats[2], o = floats[3], p = floats[4], q = floats[5], r = floats[6],
                 s = floats[7], t = floats[8], u = floats[9], v = floats[10], w = floats[11];
    r_host_mark(c, 0, 0);
    return a + 2 * b + 3 * d + 4 * e + 5 * f + 6 * g + 7 * h + 8 * i + 9 * j + 10 * k +
           (uint32_t)(l + 2 * m + 3 * n + 4 * o + 5 * p + 6 * q + 7 * r + 8 * s + 9 * t + 10 * u + 11 * v + 12 * w);
}

int main(void) {
    rune_context context = {0};
    printf("%u\n", (unsigned)keeps(&context));
    return 0;
}

/* Leaves rubbish in every register but the stack pointer, and where the processor has pushed some. */
void svc_handler(void);
__asm__(".syntax unified\n.section .text.svc_handler,\"ax\",%progbits\n.globl svc_handler\n"
        ".type svc_handler, %function\n.thumb_func\nsvc_handler:\n"
        "movw r4, #57005\nmovt r4, #57005\n"
        ".irp at, 4, 8, 12, 16, 20, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68, 72, 76, 80, 84, 88, 92\n"
        "str r4, [sp, #\\at]\n.endr\n"
        ".irp r, 5, 6, 7, 8, 9, 10, 11\nmov r\\r, r4\n.endr\n"
        ".irp d, 8, 9, 10, 11, 12, 13, 14, 15\nvmov d\\d, r4, r4\n.endr\n"
        "bx lr\n.text\n");
"#;

/// What [`KEEPS`] prints with a unit's way of asking, by each compiler.
fn printed(unit: &str) -> Vec<(String, String)> {
    let (asking, _) = unit.split_once("INLINE void r_host_trap").unwrap();
    let run = |cross: metal::Cross| {
        let name = format!("rune-unit-{}-{}", process::id(), cross.program);
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let header = "#include \"metal.h\"\ntypedef struct {\n    int unused;\n} rune_context;\n";
        fs::write(folder.join("rune.h"), header).unwrap();
        fs::write(folder.join("main.c"), format!("{asking}{KEEPS}")).unwrap();
        let flags = ["-O2", "-fomit-frame-pointer", "-Wall", "-Wextra", "-Werror"];
        let program = metal::build(&folder, &cross, &["main.c".to_owned()], &flags);
        let printed = metal::run(&program);
        fs::remove_dir_all(&folder).unwrap();
        (cross.program, printed)
    };
    metal::compilers().into_iter().map(run).collect()
}

/// Registers hold rubbish when a host has answered; the compiler is told so, and keeps what lives elsewhere. A unit
/// that does not tell it gives something else.
#[test]
fn what_lives_outlasts_a_call_of_the_host() {
    let sum: u32 = (1..=10).chain(1..=12).map(|n| n * n).sum();
    for aligns in [false, true] {
        let unit = text(false, aligns, false);
        for (compiler, found) in printed(&unit) {
            assert_eq!(found, format!("{sum}\n"), "{compiler}, {aligns}");
        }
    }
    let unit = text(false, false, false);
    let (head, rest) = unit.split_once("    \"r3\", \"r4\",").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    for (compiler, found) in printed(&format!("{head}    \"lr\", \"cc\", \"memory\"\n{rest}")) {
        assert_ne!(found, format!("{sum}\n"), "{compiler}");
    }
}
