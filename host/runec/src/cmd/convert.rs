//! `runec convert`: a Runefile in its other form.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::ValueEnum;
use rune_ir::diag::{Diagnostic, Sources, Span, has_errors};
use rune_runefile::{Format, convert, read};

use crate::{
    cli::{self, Color},
    cmd::{self, complain},
    report::{Reporter, Style},
    world::Input,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 converted, 1 the Runefile has errors, 2 wrong usage or a file that cannot be read or written.

Examples:
  runec convert Runefile.yml -o Runefile    YAML to text
  runec convert Runefile --to yaml          text to YAML, on standard output
  runec convert - --to text < Runefile.yml";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A Runefile, a folder with one, or `-` for standard input.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The form to write; the other one than that of the Runefile where it is not given.
    #[arg(long, value_name = "FORM")]
    to: Option<Form>,
    /// Where to write it; standard output where it is not given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    style: Style,
}

/// The forms of a Runefile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Instructions, one a line.
    Text,
    /// YAML, version 1.
    Yaml,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Yaml => "YAML",
        }
    }
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    let converted = cmd::open(&args.path).and_then(|input| {
        let is = form(&input, args.to);
        let to = args.to.unwrap_or(match is {
            Form::Text => Form::Yaml,
            Form::Yaml => Form::Text,
        });
        if is == to {
            let what = to.name();
            return Err(format!(
                "{} is in the {what} form already; `runec fmt` puts a text in order",
                input.path
            ));
        }
        let mut reporter = Reporter::of(args.style, color);
        let text = written(&input, is, &mut reporter);
        let status = reporter.status();
        let status = reporter.finish(status);
        Ok((text, status))
    });
    let text = match converted {
        Ok((Some(text), _)) => text,
        Ok((None, status)) => return status,
        Err(reason) => {
            complain(&reason);
            return cli::USAGE;
        }
    };
    cmd::put(&text, args.output.as_deref())
}

/// The form a Runefile is in: by its name, or, of standard input, the other than is wanted, or what it
/// begins like.
fn form(input: &Input, to: Option<Form>) -> Form {
    if input.path != "<stdin>" {
        return match Format::of(&input.path) {
            Format::Text => Form::Text,
            Format::Yaml => Form::Yaml,
        };
    }
    match to {
        Some(Form::Yaml) => Form::Text,
        Some(Form::Text) => Form::Yaml,
        None => {
            let text = String::from_utf8_lossy(&input.bytes);
            let key = |line: &str| {
                let line = line.trim_start_matches('\u{FEFF}');
                ["version:", "image:", "pipeline:", "resources:"]
                    .iter()
                    .any(|key| line.starts_with(key))
            };
            if text.lines().any(key) {
                Form::Yaml
            } else {
                Form::Text
            }
        }
    }
}

/// The Runefile in its other form; `None` where it has errors, which are reported.
fn written(input: &Input, form: Form, reporter: &mut Reporter<'_>) -> Option<String> {
    let format = match form {
        Form::Text => Format::Text,
        Form::Yaml => Format::Yaml,
    };
    let mut sources = Sources::default();
    let text = String::from_utf8_lossy(&input.bytes).into_owned();
    let file = sources.add(&input.path, text.as_str());
    let (tree, mut found) = read(format, file, &input.bytes);
    let converted = if has_errors(&found) || tree.flawed {
        None
    } else {
        let converted = convert(&tree, &text, &input.world);
        converted
            .map_err(|faults: Vec<Diagnostic>| found.extend(faults))
            .ok()
    };
    reporter.report(&sources, &found);
    let converted = converted?;
    for comment in &converted.moved {
        say_moved(&input.path, &text, *comment);
    }
    Some(converted.text)
}

/// Says which comment stands elsewhere than it stood.
fn say_moved(path: &str, text: &str, comment: Span) {
    let (start, end) = (comment.start as usize, comment.end as usize);
    let line = text[..start].matches('\n').count() + 1;
    let _ = writeln!(
        io::stderr(),
        "note: {path}:{line}: this comment stands before its part now: {}",
        text[start..end].trim_end()
    );
}
