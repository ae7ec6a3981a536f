//! Runefiles on top of others, in a world of texts: what is inherited, changed, replaced and refused.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use rune_ir::{
    diag::{Code, Diagnostic, Sources},
    env::{self, Env},
    pipeline::Pipeline,
};
use rune_runefile::{Layer, MAX_LAYERS, lower, parse, read_layers, say_where_inherited};

use crate::{
    mutations::{Random, mutate},
    world::{World, show_pipeline},
};

/// The layers that pages and examples speak of.
pub(crate) fn known(path: &str) -> Result<env::Layer, String> {
    let text = match path.strip_prefix("./layer-").map(str::parse) {
        Some(Ok(0)) => "FROM runicos/base\n".to_owned(),
        Some(Ok(number)) => format!("FROM ./layer-{}\n", number - 1_u32),
        Some(Err(_)) | None => match path {
            "./gesture" => GESTURE.to_owned(),
            "./circle" => "FROM ./circle\n".to_owned(),
            "./gesture.rune" => return Err("gesture.rune carries no sources".to_owned()),
            other => return Err(format!("there is no file {other}")),
        },
    };
    Ok(env::Layer {
        name: format!("{path}/Runefile"),
        id: path.to_owned(),
        bytes: text.into_bytes().into(),
        env: Arc::new(World),
    })
}

const GESTURE: &str = "\
FROM runicos/base
LABEL name=gesture version=1.2.3 description=\"Tells gestures apart\"
RESOURCE labels.txt labels
CAPABILITY<F32[128, 3]> ACCEL accelerometer --samples 128
MODEL ./model.tflite gesture
PROC_BLOCK runicos/label label --labels $labels
OUT SERIAL
RUN accelerometer gesture label
";

/// Files in one folder each, by path from the root: what stands before the last `/`.
#[derive(Clone)]
struct Folder {
    path: String,
    files: Arc<BTreeMap<&'static str, String>>,
}

impl Folder {
    fn find(&self, path: &str) -> Option<(String, &String)> {
        let mut parts: Vec<&str> = self.path.split('/').filter(|p| !p.is_empty()).collect();
        for part in path.split('/') {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let path = parts.join("/");
        let text = self.files.get(path.as_str())?;
        Some((path, text))
    }
}

impl Env for Folder {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        let file = self
            .find(path)
            .ok_or_else(|| format!("there is no file {path}"))?;
        Ok(file.1.as_bytes().into())
    }

    fn layer(&self, path: &str) -> Result<env::Layer, String> {
        let found = self
            .find(path)
            .or_else(|| self.find(&format!("{path}/Runefile")));
        let (name, text) = found.ok_or_else(|| format!("there is no file {path}"))?;
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        Ok(env::Layer {
            id: name.clone(),
            bytes: text.as_bytes().into(),
            env: Arc::new(Self {
                path: folder.to_owned(),
                ..self.clone()
            }),
            name,
        })
    }

    fn block(&self, _: &str) -> Option<Arc<[u8]>> {
        None
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        World.resolve_block(name)
    }

    fn blocks(&self) -> Vec<String> {
        World.blocks()
    }

    fn has_image(&self, name: &str) -> bool {
        World.has_image(name)
    }

    fn images(&self) -> Vec<String> {
        World.images()
    }
}

struct Compiled {
    sources: Sources,
    layers: Vec<Layer>,
    pipeline: Option<Pipeline>,
    found: Vec<Diagnostic>,
}

/// Compiles the first of the files.
fn compile(files: &[(&'static str, &str)]) -> Compiled {
    let own = files[0].0;
    let world = Folder {
        path: own
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .to_owned(),
        files: Arc::new(
            files
                .iter()
                .map(|(path, text)| (*path, (*text).to_owned()))
                .collect(),
        ),
    };
    let mut sources = Sources::default();
    let file = sources.add(own, files[0].1);
    let (tree, mut found) = parse(file, files[0].1.as_bytes());
    let own = Layer {
        id: own.to_owned(),
        ..Layer::own(tree)
    };
    let (layers, more) = read_layers(own, &world, &mut sources);
    found.extend(more);
    let (pipeline, more) = lower(&layers, &world, "test");
    found.extend(more);
    say_where_inherited(&layers, &mut found);
    Compiled {
        sources,
        layers,
        pipeline,
        found,
    }
}

impl Compiled {
    /// The pipeline of files without a fault.
    fn pipeline(self) -> Pipeline {
        assert_eq!(self.show(), "");
        self.pipeline.expect("no fault leaves a pipeline")
    }

    /// What was found, one label, note or hint a line.
    fn show(&self) -> String {
        let mut out = String::new();
        for d in &self.found {
            writeln!(out, "{} {}", d.code, d.message).expect("a string takes everything");
            for label in std::iter::once(&d.primary).chain(&d.secondary) {
                let text = self.sources.text(label.span.file);
                let under = &text[label.span.start as usize..label.span.end as usize];
                let line = text[..label.span.start as usize].matches('\n').count() + 1;
                let file = self.sources.name(label.span.file);
                writeln!(out, "  {file}:{line} {under:?} {}", label.message)
                    .expect("a string takes everything");
            }
            for note in d.notes.iter().chain(&d.hints) {
                writeln!(out, "  {note}").expect("a string takes everything");
            }
        }
        out
    }
}

fn shown(pipeline: &Pipeline) -> String {
    let mut out = String::new();
    show_pipeline(pipeline, &mut out).expect("a string takes everything");
    out
}

/// The first of the files gives the same stages, edges, arguments and labels as `flat` gives beside the others.
#[track_caller]
fn same(files: &[(&'static str, &str)], flat: &str) {
    let layered = compile(files).pipeline();
    let mut others = files.to_vec();
    others[0] = ("flat.Runefile", flat);
    let flat = compile(&others).pipeline();
    assert_eq!(shown(&layered), shown(&flat));
    let labels = |p: &Pipeline| -> Vec<(String, String)> {
        let pairs = p.labels.iter();
        pairs
            .map(|(k, v)| (k.value.clone(), v.value.clone()))
            .collect()
    };
    assert_eq!(labels(&layered), labels(&flat));
    let header = |p: &Pipeline| {
        let devices: Vec<String> = p.devices.iter().map(|d| d.value.clone()).collect();
        (
            p.name.clone(),
            p.image.as_ref().map(|i| i.value.clone()),
            devices,
        )
    };
    assert_eq!(header(&layered), header(&flat));
}

/// Everything that is found, whoever finds it.
#[track_caller]
fn refused(files: &[(&'static str, &str)], expected: &str) {
    assert_eq!(compile(files).show(), expected);
}

const BASE: (&str, &str) = (
    "base.Runefile",
    "\
FROM runicos/base
LABEL name=base version=2.0.0 author=us licence=MIT
FOR runicos/web
CAPABILITY RAND numbers -n 4
PROC_BLOCK runicos/modulo mod --modulus 360
MODEL ./m.tflite net
OUT SERIAL
RUN numbers mod net
",
);
const MODEL: (&str, &str) = ("m.tflite", "model");

#[test]
fn a_child_adds_stages_edges_labels_and_devices() {
    let child = "\
FROM ./base.Runefile AS below
FOR runicos/linux
FOR runicos/web
LABEL licence=Apache version=1.0.0
PROC_BLOCK runicos/label label --labels a,b
OUT SERIAL copy
RUN net label copy
";
    let flat = "\
FROM runicos/base
FOR runicos/web
FOR runicos/linux
LABEL author=us licence=Apache version=1.0.0
CAPABILITY RAND numbers -n 4
PROC_BLOCK runicos/modulo mod --modulus 360
MODEL ./m.tflite net
OUT SERIAL
RUN numbers mod net serial
PROC_BLOCK runicos/label label --labels a,b
OUT SERIAL copy
RUN net label copy
";
    same(&[("child.Runefile", child), BASE, MODEL], flat);
}

#[test]
fn a_child_sets_arguments_and_replaces_stages_whose_edges_stay() {
    let child = "\
FROM ./base.Runefile
SET numbers -n 8 --min 1
REPLACE MODEL<F32[8] -> F32[1]> ./other.tflite net
REPLACE PROC_BLOCK runicos/normalize mod
";
    let flat = "\
FROM runicos/base
FOR runicos/web
LABEL author=us licence=MIT
CAPABILITY RAND numbers -n 4 -n 8 --min 1
PROC_BLOCK runicos/normalize mod
MODEL<F32[8] -> F32[1]> ./other.tflite net
OUT SERIAL
RUN numbers mod net serial
";
    same(
        &[
            ("child.Runefile", child),
            BASE,
            ("other.tflite", "another"),
            MODEL,
        ],
        flat,
    );
}

#[test]
fn each_layer_sees_its_own_folder() {
    let files = [
        (
            "a/b/Runefile",
            "FROM ../../c\nMODEL ./m.tflite upper\nRUN numbers upper serial\n",
        ),
        (
            "c/Runefile",
            "FROM runicos/base\nCAPABILITY RAND numbers\nMODEL ./m.tflite lower\nOUT SERIAL\nRUN numbers lower serial\n",
        ),
        ("a/b/m.tflite", "1"),
        ("c/m.tflite", "four"),
    ];
    let compiled = compile(&files);
    let names: Vec<&str> = compiled.sources.iter().map(|(_, name, _)| name).collect();
    assert_eq!(names, ["a/b/Runefile", "c/Runefile"]);
    assert_eq!(compiled.layers.len(), 2);
    let text = shown(&compiled.pipeline());
    assert!(
        text.contains("lower = model ./m.tflite (4 bytes)"),
        "{text}"
    );
    assert!(
        text.contains("upper = model ./m.tflite (1 bytes)"),
        "{text}"
    );
    assert!(
        text.contains("serial = output SERIAL reads lower.0, upper.0"),
        "{text}"
    );
}

#[test]
fn the_topmost_resource_of_a_name_counts_everywhere() {
    let base = "\
FROM runicos/base
RESOURCE ./no-such-file.txt labels
CAPABILITY RAND numbers
PROC_BLOCK runicos/label label --labels $labels
OUT SERIAL
RUN numbers label
";
    let child = "FROM ./base.Runefile\nRESOURCE labels --text abc\n";
    let pipeline = compile(&[("child.Runefile", child), ("base.Runefile", base)]).pipeline();
    assert!(shown(&pipeline).contains("--labels resource of 3 bytes"));
}

#[test]
fn an_output_that_no_run_names_stays_with_its_layer() {
    let child = "FROM ./base.Runefile\nOUT SERIAL copy\nRUN numbers mod\n";
    let text = shown(&compile(&[("child.Runefile", child), BASE, MODEL]).pipeline());
    assert!(
        text.contains("serial = output SERIAL reads net.0\n"),
        "{text}"
    );
    assert!(
        text.contains("copy = output SERIAL reads mod.0\n"),
        "{text}"
    );
    // Of a base without a RUN, with the first layer above that has one.
    let bare = (
        "bare.Runefile",
        "FROM runicos/base\nCAPABILITY RAND numbers\nOUT SERIAL\n",
    );
    let middle = (
        "middle.Runefile",
        "FROM ./bare.Runefile\nPROC_BLOCK runicos/fft fft\nRUN numbers fft\n",
    );
    let top = (
        "top.Runefile",
        "FROM ./middle.Runefile\nPROC_BLOCK runicos/modulo mod\nRUN fft mod\n",
    );
    let text = shown(&compile(&[top, middle, bare]).pipeline());
    assert!(
        text.contains("serial = output SERIAL reads fft.0\n"),
        "{text}"
    );
}

#[test]
fn the_name_of_the_rune_is_its_own() {
    let named = "FROM ./base.Runefile\nLABEL name=child security-counter=3\n";
    let pipeline = compile(&[("child.Runefile", named), BASE, MODEL]).pipeline();
    assert_eq!(pipeline.name, "child");
    let pipeline = compile(&[("child.Runefile", "FROM ./base.Runefile\n"), BASE, MODEL]).pipeline();
    assert_eq!(pipeline.name, "test");
    assert!(
        pipeline
            .labels
            .iter()
            .all(|(key, _)| key.value != "version")
    );
}

#[test]
fn a_name_of_a_layer_below_is_taken() {
    let child = "FROM ./base.Runefile\nMODEL ./m.tflite net\nOUT SERIAL\n";
    refused(
        &[("child.Runefile", child), BASE, MODEL],
        "\
R0102 The \"net\" stage is already defined
  child.Runefile:2 \"net\" Duplicate defined here
  base.Runefile:6 \"net\" Original defined here
  to put this in place of the inherited stage, write `REPLACE MODEL ./m.tflite net`
  to have both, give this one another name
R0102 The \"serial\" stage is already defined
  child.Runefile:3 \"SERIAL\" Duplicate defined here
  base.Runefile:7 \"SERIAL\" Original defined here
  the layer below has this output, so this line can go
  to have both, give this output a name of its own: `OUT SERIAL second_serial`
",
    );
}

#[test]
fn only_what_is_inherited_can_be_set_or_replaced() {
    let child = "\
FROM ./base.Runefile
REPLACE MODEL ./m.tflite nte
SET number -n 3
PROC_BLOCK runicos/fft fft
REPLACE PROC_BLOCK runicos/label fft
SET fft --size 3
REPLACE OUT SERIAL mod
RUN nte fft
";
    refused(
        &[("child.Runefile", child), BASE, MODEL],
        "\
R0805 there is no `nte` to replace
  child.Runefile:2 \"nte\" no layer below defines this stage
  did you mean `net`?
R0805 there is no `number` to set arguments of
  child.Runefile:3 \"number\" no layer below defines this stage
  did you mean `numbers`?
R0805 `fft` is not inherited: this Runefile defines it
  child.Runefile:5 \"REPLACE PROC_BLOCK runicos/label fft\" REPLACE is for stages of a layer below
  child.Runefile:4 \"fft\" defined here
  keep one of the two lines
R0805 `fft` is not inherited: this Runefile defines it
  child.Runefile:6 \"fft\" SET is for stages of a layer below
  child.Runefile:4 \"fft\" defined here
  write the arguments there
R0806 `mod` cannot be replaced by this
  child.Runefile:7 \"mod\" this is an output, which gives nothing
  base.Runefile:5 \"mod\" this is a block or model, which takes and gives
  a stage is replaced by one of the same interface; give this one another name to add it
",
    );
    refused(
        &[("own.Runefile", "FROM runicos/base\nSET a --b 1\n")],
        "\
R0805 there is no `a` to set arguments of
  own.Runefile:2 \"a\" no layer below defines this stage
  The base of this Runefile defines no stage.
  REPLACE and SET change what a `FROM ./other/Runefile` brings
",
    );
}

#[test]
fn what_is_wrong_below_says_through_which_from_it_came() {
    let base = (
        "base.Runefile",
        "FROM runicos/bass\nPROC_BLOCK runicos/lable l\nrun l\n",
    );
    refused(
        &[("child.Runefile", "FROM ./base.Runefile\n"), base],
        "\
R0002 `run` is no instruction
  base.Runefile:3 \"run\" keywords are written in upper case
  child.Runefile:1 \"./base.Runefile\" inherited through this
  write `RUN`
R0106 there is no base image `runicos/bass`
  base.Runefile:1 \"runicos/bass\" not in the catalogue
  child.Runefile:1 \"./base.Runefile\" inherited through this
  The base images are runicos/base.
  did you mean `runicos/base`?
R0105 there is no block `runicos/lable`
  base.Runefile:2 \"runicos/lable\" not in the catalogue
  child.Runefile:1 \"./base.Runefile\" inherited through this
  `runec blocks` lists the 5 of the catalogue.
  did you mean `runicos/label`?
",
    );
}

#[test]
fn circles_are_shown_whole() {
    let a = ("a.Runefile", "FROM ./b/Runefile AS b\n");
    let b = ("b/Runefile", "FROM ../c.Runefile\n");
    let c = ("c.Runefile", "FROM ./b/../a.Runefile\n");
    refused(
        &[a, b, c],
        "\
R0801 `a.Runefile` lies on itself
  c.Runefile:1 \"./b/../a.Runefile\" this FROM closes the circle
  a.Runefile:1 \"./b/Runefile\" inherited through this
  The circle is `a.Runefile` -> b: `b/Runefile` -> `c.Runefile` -> `a.Runefile`.
  let one of these Runefiles begin with a base image, such as `FROM runicos/base`
",
    );
    let selfish = ("a.Runefile", "FROM ./a.Runefile\n");
    assert_eq!(compile(&[selfish]).found[0].code, Code::LayerCycle);
}

#[test]
fn as_many_layers_as_the_limit_says_and_no_more() {
    let chain = |count: usize| {
        let text = format!("FROM ./layer-{}\n", count - 2);
        let mut sources = Sources::default();
        let file = sources.add("own", &text);
        let own = Layer::own(parse(file, text.as_bytes()).0);
        read_layers(own, &World, &mut sources)
    };
    let (layers, found) = chain(MAX_LAYERS);
    assert_eq!((layers.len(), found.len()), (MAX_LAYERS, 0));
    let (layers, found) = chain(MAX_LAYERS + 1);
    assert_eq!(layers.len(), MAX_LAYERS);
    assert_eq!(found[0].code, Code::LayerDepth);
    let chain = &found[0].notes[0];
    assert!(
        chain.starts_with("The layers are `own` -> `./layer-15/Runefile` -> "),
        "{chain}"
    );
}

#[test]
fn a_registry_is_said_to_be_none_of_ours() {
    for (image, help) in [
        ("ghcr.io/acme/base:1.2", "fetch the Runefile"),
        ("oci://ghcr.io/acme/base", "fetch the Runefile"),
        ("runicos/base:1.0", "`FROM runicos/base@1.0`"),
    ] {
        let text = format!("FROM {image}\nCAPABILITY RAND r\nOUT SERIAL\nRUN r serial\n");
        let compiled = compile(&[("a.Runefile", &text)]);
        let codes: Vec<Code> = compiled.found.iter().map(|d| d.code).collect();
        assert_eq!(codes, [Code::LayerInRegistry], "{image}");
        assert!(compiled.show().contains(help), "{}", compiled.show());
    }
}

#[test]
fn a_missing_layer_is_reported_once() {
    let text = "FROM ./nowhere\nSET a --b 1\nREPLACE MODEL ./m.tflite net\nRUN net serial\n";
    refused(
        &[("a.Runefile", text), MODEL],
        "\
R0803 cannot use `./nowhere` as a base
  a.Runefile:1 \"./nowhere\" there is no file ./nowhere
",
    );
}

#[test]
fn a_folder_beside_is_named_by_a_path() {
    let text = "FROM base\nCAPABILITY RAND r\nOUT SERIAL\nRUN r serial\n";
    let compiled = compile(&[("a.Runefile", text), ("base/Runefile", BASE.1)]);
    assert!(
        compiled.show().contains("write `FROM ./base`"),
        "{}",
        compiled.show()
    );
}

/// Damage in either layer is found in its place, and nothing panics.
#[test]
fn damaged_layers_give_diagnostics_in_their_own_file() {
    let children = [
        "FROM ./base.Runefile AS b\nFOR runicos/linux\nSET numbers -n 8 --min=1\nSET mod --modulus 5\nRUN net mod\n",
        "FROM ./base.Runefile\nREPLACE MODEL<F32[8] -> F32> ./m.tflite net\nRESOURCE labels --text ab\nOUT SERIAL two\n\
         PROC_BLOCK runicos/label label --labels $labels\nREPLACE PROC_BLOCK runicos/fft mod\nRUN net label two\n",
    ];
    let mut random = Random(0x51_7cc1_b727_220a);
    let (mut fine, mut faulty) = (0, 0);
    for round in 0..1_000 {
        let damaged = |random: &mut Random, seeds: &[&str]| {
            String::from_utf8_lossy(&mutate(random, seeds)).into_owned()
        };
        let (child, base) = if round % 2 == 0 {
            (damaged(&mut random, &children), BASE.1.to_owned())
        } else {
            (children[0].to_owned(), damaged(&mut random, &[BASE.1]))
        };
        let files = [
            ("a.Runefile", child.as_str()),
            ("base.Runefile", &base),
            MODEL,
        ];
        let compiled = compile(&files);
        for diagnostic in &compiled.found {
            for label in std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary) {
                let text = compiled.sources.text(label.span.file);
                let range = label.span.start as usize..label.span.end as usize;
                assert!(text.get(range).is_some(), "{diagnostic:?}\n{text}");
            }
        }
        if compiled.found.is_empty() {
            fine += 1;
        } else {
            faulty += 1;
        }
        let complete = compiled.pipeline.is_some_and(|p| !p.partial);
        assert!(
            complete || !compiled.found.is_empty(),
            "{child}\n---\n{base}"
        );
    }
    assert!(fine > 20 && faulty > 200, "{fine} fine, {faulty} faulty");
}

#[test]
fn ten_thousand_labels_and_settings_take_no_longer_each() {
    let mut base = "FROM runicos/base\n".to_owned();
    let mut top = "FROM ./base.Runefile\n".to_owned();
    for i in 0..10_000 {
        writeln!(base, "LABEL a{i}=below b{i}=below\nCAPABILITY RAND q{i}").unwrap();
        writeln!(top, "LABEL a{i}=above\nSET missing-{i} -n 4").unwrap();
    }
    let compiled = compile(&[("top.Runefile", &top), ("base.Runefile", &base)]);
    assert_eq!(compiled.found.len(), 10_000);
    for found in &compiled.found {
        assert_eq!(found.code, Code::NotInherited);
        assert!(found.notes[0].starts_with("The inherited stages are q0, q1, "));
        assert!(found.notes[0].len() < 200, "{}", found.notes[0]);
    }
    let labels = compiled.pipeline.expect("there are stages").labels;
    assert_eq!(labels.len(), 20_000);
    let above = labels.iter().filter(|(_, value)| value.value == "above");
    assert_eq!(above.count(), 10_000);
}

#[test]
fn a_line_that_ends_too_early_says_what_is_missing() {
    let stages = "expected CAPABILITY, PROC_BLOCK, MODEL or OUT, found the end of the line";
    let argument = "expected an argument such as `--name value`, found the end of the line";
    for (line, message) in [
        ("REPLACE", stages),
        ("REPLACE # which?", stages),
        ("SET numbers", argument),
        ("SET numbers # to what?", argument),
    ] {
        let text = format!("FROM ./base.Runefile\n{line}\n");
        let compiled = compile(&[("top.Runefile", &text), BASE, MODEL]);
        let found: Vec<&str> = compiled.found.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(found, [message], "{line}");
        assert!(compiled.found[0].hints.is_empty(), "{line}");
    }
}
