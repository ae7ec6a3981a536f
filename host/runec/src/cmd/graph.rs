//! `runec graph`: a pipeline as a picture.

use std::path::{Path, PathBuf};

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
    /// A Runefile, a folder with one, a rune, or `-` for standard input.
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
    /// What the name of a file asks for; SVG where it has no ending.
    ///
    /// # Errors
    /// A sentence, where the ending is of no format there is.
    fn of(path: &Path) -> Result<Self, String> {
        let Some(ending) = path.extension() else {
            return Ok(Self::Svg);
        };
        match ending.to_str() {
            Some("dot" | "gv") => Ok(Self::Dot),
            Some("svg") => Ok(Self::Svg),
            Some("mmd" | "mermaid") => Ok(Self::Mermaid),
            _ => Err(format!(
                "{} would be none of svg, dot and mermaid; `--format` says which it is to be, and \
                 Graphviz makes other pictures of dot",
                path.display()
            )),
        }
    }
}

impl Args {
    fn format(&self) -> Result<Format, String> {
        match (self.format, &self.output) {
            (Some(format), _) => Ok(format),
            (None, Some(path)) => Format::of(path),
            (None, None) => Ok(Format::Svg),
        }
    }
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    let format = match args.format() {
        Ok(format) => format,
        Err(reason) => {
            complain(&reason);
            return cli::USAGE;
        }
    };
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
    let text = match format {
        Format::Dot => picture.dot(),
        Format::Svg => picture.svg(),
        Format::Mermaid => picture.mermaid(),
    };
    cmd::put(&text, args.output.as_deref())
}
