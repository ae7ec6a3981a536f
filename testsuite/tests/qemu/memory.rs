//! What a rune takes of the board's RAM as machine code, as the board itself counts it: tensors, state and stack.
//! Constants are read where they lie in flash.

use std::{fs, path::Path};

use rune_abi::{
    CapabilityKind,
    image::{Containment, ImageView},
};
use rune_aot::Compiler;
use rune_codegen::{Options, Output, Simd, report::RegionKind};
use rune_runtime::SourceFlag;
use rune_testsuite::{
    engines,
    overlay::Overlay,
    qemu::{Boot, Firmware, Machine},
    random::Random,
    reference_models, root, skip,
};

use super::{firmware, same_lines, status};

/// All that keyword spotting may take.
const SMALL: u32 = 96 << 10;

/// A rune as it is distributed, and the form of it that images are made of.
struct Forms {
    rune: Output,
    code: Output,
}

impl Forms {
    fn of(compile: impl Fn(&Options) -> Output) -> Self {
        let distributed = Options {
            simd: Simd::Off,
            ..Options::default()
        };
        Self {
            rune: compile(&distributed),
            code: compile(&engines::device()),
        }
    }

    /// Runs it on a board, as an image to the end of its input or so many times, and interpreted once: the lines are those of
    /// Linux, and of RAM the image takes what changes, and the stack.
    fn run(&self, firmware: &Firmware, flags: &[SourceFlag], calls: u64) {
        let Self { rune, code } = self;
        let compiler = Compiler::find().unwrap();
        let image = engines::image(&rune.wasm, &code.wasm, Containment::Mpu, &compiler);
        let takes = |installed: &[u8], calls: u64| {
            let boot = Boot {
                shift: 1,
                ..Boot::default()
            };
            let mut machine = Machine::boot(firmware, &boot).unwrap();
            let (before, _) = status(&mut machine);
            let lines = same_lines(&mut machine, &rune.wasm, installed, flags, Some(calls));
            assert!(calls == 1 || !lines.is_empty());
            let (after, reason) = status(&mut machine);
            assert_eq!(reason, None);
            after.heap_most_bytes - before.heap_bytes
        };
        let [takes, interpreted] = [takes(&image, calls), takes(&rune.wasm, 1)];

        let view = ImageView::new(&image).unwrap();
        let constants = view.constants().len() as u32;
        let [memory, stack] = [view.memory().len(), view.stack_bytes()].map(|n| n as u32);
        let report = &code.report;
        let changes = [RegionKind::Stack, RegionKind::State, RegionKind::Arena];
        let changes: u32 = changes.iter().map(|kind| report.region(*kind)).sum();
        println!(
            "{}: {takes} bytes of RAM, of which {changes} are tensors and state, {} what the host is told of, {stack} stack; \
             {constants} bytes of constants in flash; interpreted {interpreted} bytes of RAM",
            rune.manifest.name,
            report.constant()
        );
        assert_eq!(memory, changes + report.constant());
        assert!(constants >= report.flash && report.flash > 20_000);
        assert!(takes >= memory + stack);
        assert!(takes < SMALL, "{takes}");
        // Interpreted, the same constants are in RAM.
        assert!(takes + report.flash < interpreted, "{takes} {interpreted}");
    }
}

fn flag(kind: CapabilityKind, path: &Path) -> SourceFlag {
    SourceFlag {
        kind,
        value: path.display().to_string(),
    }
}

/// The firmware, where there is a compiler of images too.
fn firmware_for(test: &str) -> Option<&'static Firmware> {
    let firmware = firmware(test)?;
    if Compiler::find().is_err() {
        skip(test, &rune_aot::advice());
        return None;
    }
    Some(firmware)
}

#[test]
fn an_image_takes_ram_for_what_changes() {
    let Some(firmware) = firmware_for("an_image_takes_ram_for_what_changes") else {
        return;
    };
    let folder = root().join("examples/keyword");
    let forms = Forms::of(|options| {
        let compiled = engines::compile(&folder.join("Runefile"), options);
        compiled.output.unwrap()
    });
    let words = flag(CapabilityKind::Sound, &folder.join("words.wav"));
    forms.run(firmware, &[words], 40);
}

/// Keyword spotting of `MLPerf` Tiny, whose model is not part of the repository.
#[test]
fn keyword_spotting_takes_less_than_96_kilobytes() {
    let test = "keyword_spotting_takes_less_than_96_kilobytes";
    let (Some(firmware), Some(models)) = (firmware_for(test), reference_models(test)) else {
        return;
    };
    let model = fs::read(models.join("kws/kws_ref_model.tflite")).unwrap();
    let world = Overlay::new(".").with("./model.tflite", model);
    let text =
        "FROM runicos/base\nCAPABILITY RAW x\nMODEL ./model.tflite m\nOUT SERIAL\nRUN x m serial\n";
    let forms = Forms::of(|options| engines::compile_text(text, &world, options).output.unwrap());
    let bytes = forms.rune.manifest.capabilities[0].ty.bytes();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kws-samples.bin");
    fs::write(&file, Random::new(7).bytes(3 * bytes as usize)).unwrap();
    forms.run(firmware, &[flag(CapabilityKind::Raw, &file)], 3);
}
