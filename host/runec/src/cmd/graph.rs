//! `runec graph`: a pipeline as a picture.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::ValueEnum;

use crate::{
    cli::{self, Color, MessageFormat},
    cmd::{self, complain},
    driver,
    inspect::Rune,
    picture::Picture,
    report::Reporter,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 drawn, 1 errors in the Runefile or no rune, 2 wrong usage or a file that cannot be read or written.

Examples:
  runec graph examples/gesture -o pipeline.svg    a picture for a README
  runec graph --format mermaid                    for a page in Markdown
  runec graph gesture.rune --format svg           of a rune that is built
  runec graph --format dot | dot -Tpng -o pipeline.png";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A Runefile, a folder with one, or a rune.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// What to draw with; where not given, what the name of the file to write ends in, else svg.
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Where to write the picture; standard output where not given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The language of Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// The language that pages in Markdown draw.
    Mermaid,
}

impl Format {
    /// What the name of a file asks for.
    fn of(path: &std::path::Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "dot" | "gv" => Some(Self::Dot),
            "svg" => Some(Self::Svg),
            "mmd" | "mermaid" => Some(Self::Mermaid),
            _ => None,
        }
    }
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    let input = match cmd::open(&args.path) {
        Ok(input) => input,
        Err(reason) => {
            complain(&reason);
            return cli::USAGE;
        }
    };
    let picture = if input.bytes.starts_with(b"\0asm") {
        match Rune::read(&input.bytes).and_then(|rune| {
            let graph = rune.graph?;
            Ok(Picture::of_rune(&rune.manifest.name, &graph))
        }) {
            Ok(picture) => picture,
            Err(reason) => {
                complain(&format!("cannot draw {}: {reason}", args.path.display()));
                return cli::ERRORS;
            }
        }
    } else {
        let checked = driver::analyse(&input.request());
        let mut reporter = Reporter::new(MessageFormat::Human, color);
        reporter.report(&checked.sources, &checked.diagnostics);
        reporter.finish(reporter.status());
        match &checked.stages {
            Some((_, analysis)) if reporter.errors() == 0 => Picture::new(analysis),
            _ => return cli::ERRORS,
        }
    };
    let asked = args.output.as_deref().and_then(Format::of);
    let text = match args.format.or(asked).unwrap_or(Format::Svg) {
        Format::Dot => picture.dot(),
        Format::Svg => picture.svg(),
        Format::Mermaid => picture.mermaid(),
    };
    let Some(path) = &args.output else {
        // Whoever closes the pipe has seen enough.
        let _ = io::stdout().lock().write_all(text.as_bytes());
        return cli::OK;
    };
    match std::fs::write(path, text) {
        Ok(()) => cli::OK,
        Err(error) => {
            complain(&format!("{} cannot be written: {error}", path.display()));
            cli::USAGE
        }
    }
}
