//! Cases compiled as C: many in one program, with whatever compilers there are.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rune_c::{Mode, Options};

use crate::machine::{Calls, Case, Loose, Ty};

/// The most pages of a memory.
pub(crate) const PAGES: u32 = 8;

/// A compiler of C, and how it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compiler {
    pub(crate) program: &'static str,
    pub(crate) flags: &'static [&'static str],
}

const STRICT: &[&str] = &[
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffp-contract=off",
    // Of the program around the modules, which calls `setjmp`.
    "-Wno-unknown-warning-option",
    "-Wno-clobbered",
];

/// Every check that a compiler has.
const CHECKED: &[&str] = &[
    "-O1",
    "-fsanitize=undefined,address",
    "-fno-sanitize-recover=all",
];

/// With every check that a compiler has, as everyone compiles, and as if the compiler had nothing but C99.
const COMPILERS: &[Compiler] = &[
    Compiler {
        program: "gcc",
        flags: CHECKED,
    },
    Compiler {
        program: "clang",
        flags: CHECKED,
    },
    Compiler {
        program: "gcc",
        flags: &["-O2"],
    },
    Compiler {
        program: "gcc",
        flags: &["-O2", "-DRUNE_PLAIN"],
    },
    Compiler {
        program: "gcc",
        flags: &["-O2", "-march=native"],
    },
    Compiler {
        program: "clang",
        flags: &["-O2"],
    },
];

/// Of several, the newest.
const CLANGS: [&str; 6] = [
    "clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang",
];

impl Compiler {
    /// Whether undefined behaviour ends a program.
    pub(crate) fn is_checked(&self) -> bool {
        self.flags == CHECKED
    }
}

/// The compilers that there are.
pub(crate) fn compilers() -> Vec<Compiler> {
    let found = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let clang = CLANGS.into_iter().find(|program| found(program));
    let all: Vec<Compiler> = COMPILERS
        .iter()
        .filter_map(|c| {
            let newest = if c.program == "clang" {
                clang?
            } else {
                c.program
            };
            found(newest).then_some(Compiler {
                program: newest,
                ..*c
            })
        })
        .collect();
    if all.is_empty() {
        eprintln!("skipped: neither gcc nor clang is here");
    }
    all
}

/// Compilers for microcontrollers, which only compile here.
pub(crate) const CROSS: &[&[&str]] = &[
    &[
        "arm-none-eabi-gcc",
        "-mcpu=cortex-m7",
        "-mfpu=fpv5-d16",
        "-mfloat-abi=hard",
        "-O2",
    ],
    &["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb", "-Os"],
];

/// A folder of its own for files of a test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// What the cases give as C, each as a text.
pub(crate) fn run(folder: &Path, cases: &[Case], mode: Mode, compiler: Compiler) -> Vec<String> {
    let main = write(folder, cases, mode);
    let program = folder.join("program");
    let mut command = Command::new(compiler.program);
    command
        .args(STRICT)
        .args(compiler.flags)
        .current_dir(folder);
    for index in 0..cases.len() {
        command.arg(format!("m{index}.c"));
    }
    let done = command.arg(main).arg("-o").arg(&program).output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && errors.is_empty(),
        "{compiler:?} in {}: {errors}",
        folder.display()
    );
    let done = Command::new(&program).output().unwrap();
    assert!(
        done.status.success(),
        "{compiler:?} in {}: {} {}",
        folder.display(),
        String::from_utf8_lossy(&done.stdout)
            .lines()
            .last()
            .unwrap_or_default(),
        String::from_utf8_lossy(&done.stderr)
    );
    texts(&String::from_utf8(done.stdout).unwrap())
}

/// What a program printed, by case.
pub(crate) fn texts(printed: &str) -> Vec<String> {
    let texts = printed.split("module\n").skip(1);
    texts.map(str::to_owned).collect()
}

/// Writes the C of every case, and the program that calls it.
pub(crate) fn write(folder: &Path, cases: &[Case], mode: Mode) -> &'static str {
    let mut main = START.to_owned();
    let mut calls = String::new();
    for (index, case) in cases.iter().enumerate() {
        let name = format!("m{index}");
        let options = Options {
            name: name.clone(),
            mode,
            call_limit: 100_000,
            // What is allocated is aligned for everything; the modules access it at any address.
            memory_align: if mode == Mode::Bounds { 16 } else { 1 },
            ..Options::default()
        };
        let output =
            rune_c::emit(&case.wasm, &options).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(Ok(&output), rune_c::emit(&case.wasm, &options).as_ref());
        fs::write(folder.join(format!("{name}.c")), &output.source).unwrap();
        fs::write(folder.join(format!("{name}.h")), &output.header).unwrap();
        fs::write(folder.join(format!("{name}.wasm")), &case.wasm).unwrap();
        writeln!(main, "#include \"{name}.h\"").unwrap();
        writeln!(calls, "    run_{name}();").unwrap();
        let names = &output.exports;
        let c = |export: &str| &names.iter().find(|(name, _)| name == export).unwrap().1;
        let grows = output.header.contains("memory_capacity;");
        writeln!(
            main,
            "static void run_{name}(void) {{\n    static {name}_context c;\n    puts(\"module\");\n    \
             c.memory = malloc({});\n    c.trap = on_trap;",
            if grows { format!("{PAGES} << 16") } else { format!("{}_MEMORY_BYTES + !{0}_MEMORY_BYTES", name.to_uppercase()) }
        )
        .unwrap();
        if grows {
            writeln!(main, "    c.memory_capacity = {PAGES} << 16;").unwrap();
        }
        if output.header.contains("(*add)") {
            writeln!(main, "    c.add = add;").unwrap();
        }
        writeln!(main, "    {name}_init(&c);").unwrap();
        for list in &case.calls {
            call(&mut main, &name, c(&list.export), list);
        }
        for (global, _, ty) in &case.globals {
            writeln!(main, "    printf(\"global {global}\");").unwrap();
            print(&mut main, *ty, &format!("c.g{global}"), Loose::Exact);
            main.push_str("    puts(\"\");\n");
        }
        if case.memory.is_some() {
            let size = if grows {
                "c.memory_bytes".to_owned()
            } else {
                format!(
                    "{}_MEMORY_BYTES{}",
                    name.to_uppercase(),
                    if mode == Mode::Mask { " - 16" } else { "" }
                )
            };
            writeln!(main, "    memory(c.memory, {size});").unwrap();
        }
        main.push_str("    free(c.memory);\n}\n\n");
    }
    writeln!(
        main,
        "int main(void) {{\n    (void)add;\n    (void)memory;\n    (void)show;\n{calls}    return 0;\n}}"
    )
    .unwrap();
    fs::write(folder.join("main.c"), main).unwrap();
    "main.c"
}

fn call(out: &mut String, module: &str, function: &str, calls: &Calls) {
    out.push_str("    {\n");
    for (place, (ty, values)) in calls.values.iter().enumerate() {
        let half = if *ty == Ty::V128 { 2 } else { 1 };
        let list = values.iter().map(|bits| {
            let low = format!("UINT64_C({})", *bits as u64);
            if half == 2 {
                format!("{low}, UINT64_C({})", (bits >> 64) as u64)
            } else {
                low
            }
        });
        let list: Vec<String> = list.collect();
        writeln!(
            out,
            "    static const uint64_t v{place}[{}] = {{{}}};",
            values.len() * half,
            list.join(", ")
        )
        .unwrap();
    }
    for (place, (_, values)) in calls.values.iter().enumerate() {
        let count = values.len();
        writeln!(
            out,
            "    for (volatile int i{place} = 0; i{place} < {count}; i{place}++)"
        )
        .unwrap();
    }
    out.push_str("    {\n        int why = setjmp(back);\n        if (why == 0) {\n");
    let mut arguments = String::new();
    for (place, (ty, _)) in calls.values.iter().enumerate() {
        let c = name(module, *ty);
        let bytes = if *ty == Ty::V128 { "16" } else { "sizeof a" };
        let at = if *ty == Ty::V128 { "2 * " } else { "" };
        writeln!(
            out,
            "            {c} a{place}; memcpy(&a{place}, &v{place}[{at}i{place}], {});",
            bytes.replace("sizeof a", &format!("sizeof a{place}"))
        )
        .unwrap();
        write!(arguments, ", a{place}").unwrap();
    }
    let keep = match calls.results.as_slice() {
        [] => String::new(),
        [ty] => format!("{} r = ", name(module, *ty)),
        types => {
            let letter = |ty: &Ty| match ty {
                Ty::I32 => 'i',
                Ty::I64 => 'l',
                Ty::F32 => 'f',
                Ty::F64 => 'd',
                Ty::V128 => 'v',
            };
            let letters: String = types.iter().map(letter).collect();
            format!("{module}_values_{letters} r = ")
        }
    };
    writeln!(
        out,
        "            {keep}{function}(&c{arguments});\n            printf(\"gives\");"
    )
    .unwrap();
    for (place, ty) in calls.results.iter().enumerate() {
        let value = if calls.results.len() == 1 {
            "r".to_owned()
        } else {
            format!("r.v{place}")
        };
        print(out, *ty, &value, calls.loose);
    }
    out.push_str(
        "            puts(\"\");\n        } else {\n            printf(\"traps %d\\n\", why);\n            \
         c.depth = 0;\n        }\n    }\n    }\n",
    );
}

fn name(module: &str, ty: Ty) -> String {
    match ty {
        Ty::I32 => "uint32_t".to_owned(),
        Ty::I64 => "uint64_t".to_owned(),
        Ty::F32 => "float".to_owned(),
        Ty::F64 => "double".to_owned(),
        Ty::V128 => format!("{module}_v128"),
    }
}

fn print(out: &mut String, ty: Ty, value: &str, loose: Loose) {
    let lanes = match loose {
        Loose::Exact => 0,
        Loose::F32 => 4,
        Loose::F64 => 8,
    };
    let words = match ty {
        Ty::V128 => lanes,
        Ty::F32 | Ty::F64 if lanes != 0 => {
            if ty == Ty::F32 {
                4
            } else {
                8
            }
        }
        Ty::I32 | Ty::I64 | Ty::F32 | Ty::F64 => 0,
    };
    writeln!(out, "            show(&{value}, sizeof {value}, {words});").unwrap();
}

const START: &str = r#"#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf back;

static void on_trap(void *host, int why) {
    (void)host;
    longjmp(back, why);
}

static inline uint32_t add(void *host, uint32_t a, uint32_t b) {
    (void)host;
    return a + b + 7;
}

/* The bits of a value, quiet NaNs of lanes of so many bytes as one. */
static void show(const void *value, size_t bytes, int lanes) {
    uint64_t words[2] = {0, 0};
    memcpy(words, value, bytes);
    for (int i = 0; i < 2; i++) {
        if (lanes == 8 && (words[i] & UINT64_C(0x7ff8000000000000)) == UINT64_C(0x7ff8000000000000))
            words[i] = UINT64_C(0x7ff8000000000000);
        for (int half = 0; lanes == 4 && half < 64; half += 32)
            if ((words[i] >> half & 0x7fc00000u) == 0x7fc00000u)
                words[i] = (words[i] & ~(UINT64_C(0xffffffff) << half)) | UINT64_C(0x7fc00000) << half;
    }
    if (bytes == 4) printf(" %08x", (unsigned)words[0]);
    if (bytes == 8) printf(" %016llx", (unsigned long long)words[0]);
    if (bytes == 16) printf(" %016llx.%016llx", (unsigned long long)words[0], (unsigned long long)words[1]);
}

static inline void memory(const uint8_t *bytes, size_t count) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    printf("memory %lu %016llx\n", (unsigned long)count, (unsigned long long)hash);
}

"#;
