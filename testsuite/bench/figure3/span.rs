//! The firmware with the applications, and what it counts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rune_testsuite::{
    qemu::{Sizes, TARGET, toolchain},
    root,
};

use crate::{app::App, native::Compiler};

/// Spans of fewer instructions are counted twice.
const TWICE: u64 = 20_000_000_000;

/// What a span of calls came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    /// Of the guest.
    pub(crate) instructions: u64,
    /// Entries of exceptions.
    pub(crate) exceptions: u64,
    /// Of the results.
    pub(crate) sum: u32,
}

/// A firmware that was built.
pub(crate) struct Firmware {
    elf: PathBuf,
}

impl Firmware {
    /// Builds the firmware with these applications, and an interpreter optimised at a level of rustc.
    pub(crate) fn build(apps: &[App], compiler: &Compiler, level: &str, simd: bool) -> Self {
        let rust = toolchain().expect("there is a compiler, see `missing`");
        let here = root().join("testsuite/bench/figure3/firmware");
        let build = format!("figure3-{level}{}", if simd { "-simd" } else { "" });
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(build);
        let made = target.join("apps");
        // What an earlier run left must not get in.
        drop(fs::remove_dir_all(&made));
        fs::create_dir_all(&made).expect("the target folder can be written");
        for App {
            name,
            rune,
            images,
            samples,
            ..
        } in apps
        {
            for (kind, bytes) in [("wasm", rune), ("samples", samples)] {
                fs::write(made.join(name).with_extension(kind), bytes)
                    .expect("the target folder can be written");
            }
            for (containment, bytes) in images {
                fs::write(made.join(name).with_extension(containment.name()), bytes)
                    .expect("the target folder can be written");
            }
        }
        compiler.compile(apps, &made);
        let built = rust
            .build(&here, &target)
            .args(["--locked", "--features", if simd { "simd" } else { "" }])
            .env("FIGURE3_APPS", &made)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level)
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the firmware does not compile"
        );
        Self {
            elf: target.join(TARGET).join("release/rune-figure3"),
        }
    }

    /// Bytes of flash, with the applications.
    pub(crate) fn flash(&self) -> u64 {
        Sizes::of(&self.elf).expect("it was linked").flash()
    }

    /// Calls an application so often in a mode, twice unless that takes minutes, and asserts that both times are the
    /// same to the instruction.
    pub(crate) fn count(&self, name: &str, mode: &str, calls: u32) -> Span {
        let once = self.run(name, mode, calls);
        if once.instructions < TWICE {
            let again = self.run(name, mode, calls);
            assert_eq!(
                once, again,
                "{name}, {mode}, {calls} calls: not the same twice"
            );
        }
        once
    }

    fn run(&self, name: &str, mode: &str, calls: u32) -> Span {
        let calls = calls.to_string();
        let words = ["figure3", name, mode, &calls].map(|word| format!(",arg={word}"));
        let output = Command::new("qemu-system-arm")
            .args(["-M", "mps2-an500", "-display", "none", "-monitor", "none"])
            .args([
                "-serial",
                "none",
                "-icount",
                "shift=6",
                "-semihosting-config",
            ])
            .arg(format!("enable=on,target=native{}", words.concat()))
            .arg("-kernel")
            .arg(&self.elf)
            .stdin(Stdio::null())
            .output()
            .expect("QEMU can be run");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "{words:?}: {said}");
        let words: Vec<&str> = said.split_whitespace().collect();
        let [of, ticks, sum, exceptions] = words[..] else {
            panic!("{said}");
        };
        assert_eq!(of, calls);
        let ticks: u64 = ticks.parse().expect("a number of ticks");
        Span {
            // Of 40 ns each, and an instruction takes 64.
            instructions: (ticks * 40).div_ceil(64),
            exceptions: exceptions.parse().expect("a number of exceptions"),
            sum: u32::from_str_radix(sum, 16).expect("a sum"),
        }
    }
}
