//! Images: made of every rune of the suite and the examples, run on the emulated Cortex-M7 at three places, and compared
//! with what wasmtime gives; the same bytes each time they are made; damaged ones refused with the place.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what is skipped is said, and what was compared counted"
)]

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use as_c::{Called, compile, feeds, folder, outcomes, runefiles, samples};
use rune_abi::image::{Containment, ImageView, Target};
use rune_aot::{Built, Compiler};
use rune_codegen::{Output, Simd};
use rune_testsuite::{
    engines::{self, Feed, Outcome},
    root,
};

mod as_c;
#[path = "../../codegen/c/tests/metal/mod.rs"]
mod metal;

/// A rune as it is distributed, and the form that its image is made of.
struct Rune {
    path: PathBuf,
    distributed: Output,
    output: Output,
    feeds: Vec<Feed>,
}

/// How often each rune is called, in each of two rounds.
const CALLS: usize = 3;

fn compilers() -> Vec<Compiler> {
    let all = Compiler::all();
    if all.is_empty() {
        eprintln!("skipped: there is no compiler for microcontrollers");
    }
    all
}

/// The form of a rune that C for the board is made of.
fn device(path: &Path) -> Output {
    compile(path, Simd::Dsp, true)
}

fn image(rune: &Output, output: &Output, containment: Containment, compiler: &Compiler) -> Built {
    rune_aot::image(
        &rune.wasm,
        &output.wasm,
        Target::CortexM7,
        containment,
        compiler,
    )
    .unwrap_or_else(|error| panic!("{} {containment:?}: {error}", output.manifest.name))
}

#[test]
fn every_rune_gives_as_an_image_what_it_gives_at_three_places() {
    let (boards, compilers) = (metal::compilers(), compilers());
    let (Some(board), false) = (boards.first(), compilers.is_empty()) else {
        return;
    };
    let runes: Vec<Rune> = runefiles()
        .into_iter()
        .map(|path| {
            let distributed = compile(&path, Simd::Off, false);
            // Vectors become plain C for a processor that has none.
            let output = if path.ends_with("smooth.rune") {
                compile(&path, Simd::On, true)
            } else {
                device(&path)
            };
            let feeds = feeds(&distributed, CALLS);
            Rune {
                path,
                distributed,
                output,
                feeds,
            }
        })
        .collect();
    let (mut images, mut calls, mut least) = (0, 0, u32::MAX);
    for (turn, containment) in Containment::ALL.into_iter().enumerate() {
        let folder = folder(&format!("images-{}", containment.name()));
        let mut header = String::from(
            "struct image {\n    const uint8_t *start, *end, *feeds;\n    const unsigned *tensors;\n    unsigned calls;\n};\n",
        );
        let mut table = String::new();
        for (
            index,
            Rune {
                distributed,
                output,
                feeds,
                ..
            },
        ) in runes.iter().enumerate()
        {
            // Each compiler in turn, and over the containments each rune with each.
            let compiler = &compilers[(index + turn) % compilers.len()];
            let built = image(distributed, output, containment, compiler);
            fs::write(folder.join(format!("{index}.img")), built.bytes).unwrap();
            let called = Called { output, feeds };
            header.push_str(&samples(&format!("i{index}"), called));
            let _ = writeln!(
                header,
                "extern const uint8_t start{index}[], end{index}[];\n\
                 __asm__(\".section .rodata\\n.p2align 4\\nstart{index}:\\n.incbin \\\"{index}.img\\\"\\nend{index}:\\n.text\\n\");"
            );
            let _ = writeln!(
                table,
                "    {{start{index}, end{index}, i{index}_feeds, i{index}_tensors, {}}},",
                feeds.len()
            );
        }
        let _ = write!(
            header,
            "enum {{ IMAGES = {} }};\nstatic const struct image images[] = {{\n{table}}};\n",
            runes.len()
        );
        fs::write(folder.join("images.h"), header).unwrap();
        fs::write(folder.join("record.h"), include_str!("as_c/record.h")).unwrap();
        fs::write(folder.join("image.c"), include_str!("as_c/image.c")).unwrap();
        let program = metal::build(
            &folder,
            board,
            &["image.c".to_owned()],
            &["-O1", "-Wall", "-Wextra", "-Werror"],
        );
        let printed = metal::run(&program);
        let mut rest = printed.as_str();
        for Rune {
            path,
            distributed,
            output,
            feeds,
        } in &runes
        {
            // What failed cannot be reset, elsewhere.
            let first = engines::run(distributed, feeds);
            let fails = first.iter().any(|o| matches!(o, Outcome::Fault(_)));
            let expected = if fails {
                vec![first]
            } else {
                engines::rounds(distributed, feeds, 2)
            };
            for place in 0..3 {
                let what = format!("{} {containment:?}, place {place}", path.display());
                let (rounds, after) = rest
                    .split_once("stack ")
                    .unwrap_or_else(|| panic!("{what}: {rest}"));
                let (stack, after) = after.split_once('\n').unwrap();
                rest = after;
                let (used, bound) = stack.split_once(' ').unwrap();
                let (used, bound): (u32, u32) = (used.parse().unwrap(), bound.parse().unwrap());
                // An interrupt has its frame in the bound, and here there is none.
                assert!(used > 0 && used < bound, "{what}: {used} of {bound}");
                least = least.min(bound - used);
                let mut found: Vec<_> = rounds
                    .split("rune\n")
                    .skip(1)
                    .map(|text| outcomes(output, text))
                    .collect();
                if fails {
                    found.truncate(1);
                }
                assert_eq!(found, expected, "{what}");
                calls += found.iter().map(Vec::len).sum::<usize>();
            }
            images += 1;
        }
        assert_eq!(rest, "");
    }
    println!(
        "{images} images, {calls} calls; the stack was never used within {least} bytes of its bound"
    );
}

#[test]
fn the_same_rune_and_compiler_give_the_same_bytes() {
    let path = root().join("examples/gesture/Runefile");
    let (rune, output) = (compile(&path, Simd::On, false), device(&path));
    for compiler in compilers() {
        for containment in Containment::ALL {
            // Each is made in a folder of its own.
            let [first, second] = [(); 2].map(|()| image(&rune, &output, containment, &compiler));
            assert_eq!(first.bytes, second.bytes);
            let view = ImageView::new(&first.bytes).unwrap();
            assert_eq!(view.containment(), containment);
            assert_eq!(view.digest(), rune_ir::digest(&view.digested().concat()));
            assert_eq!(view.manifest(), output.manifest.to_bytes().unwrap());
            let names: Vec<&str> = view.imports().map(rune_abi::Import::name).collect();
            assert!(
                names.contains(&"read") && names.contains(&"write"),
                "{names:?}"
            );
            assert_eq!(view.function_at(view.entry()), Some("rune_entry"));
            let text = String::from_utf8_lossy(&first.bytes);
            for path in ["/tmp", "/usr", "unit.c", "clang", "GCC"] {
                assert!(!text.contains(path), "{path} is in the image");
            }
        }
    }
}
