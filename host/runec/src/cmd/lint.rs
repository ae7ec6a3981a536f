//! `runec lint`: what a Runefile may say and probably should not, and the fixes for it.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::Arc,
};

use rune_ir::diag::{Code, Diagnostic, Safety, did_you_mean};
use rune_runefile::lint::{Level, Levels, is_configurable};

use crate::{
    cli::{self, Color, MessageFormat},
    config::Config,
    diff,
    driver::{self, Checked},
    find::{Paths, Source},
    fix::{self, Fixed},
    parallel,
    report::{Reporter, Style},
    world::Input,
    write,
};

pub(crate) const EXAMPLES: &str = "\
Levels come from Rune.toml, then from the command line; `# runec: ignore[CODE]` ignores one finding.

Exit status: 0 nothing that stops a build, 1 errors or what is denied, 2 wrong usage or a file that
cannot be read or written. With --diff: 1 if something would change.

Examples:
  runec lint                       every Runefile in this folder and below it
  runec lint --deny warnings       for CI
  runec lint --fix                 apply the fixes that change nothing in what the rune does
  runec lint --unsafe-fixes --diff show all that could be changed
  runec lint --publish Runefile    also what a published rune needs";

#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    style: Style,
    /// Apply safe fixes, which leave the rune as it is to the byte.
    #[arg(long)]
    fix: bool,
    /// Apply unsafe fixes too: they change what the rune does, or are guesses.
    #[arg(long)]
    unsafe_fixes: bool,
    /// Write nothing, and show what fixes would change.
    #[arg(long)]
    diff: bool,
    /// Make findings of these codes errors; `warnings` stands for all warnings.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    deny: Vec<String>,
    /// Leave out findings of these codes.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    allow: Vec<String>,
    /// Also look for what a published rune needs.
    #[arg(long)]
    publish: bool,
    /// Count the findings by code instead of showing them.
    #[arg(long, conflicts_with = "message_format")]
    statistics: bool,
}

/// One Runefile after its lints and fixes.
struct Linted {
    input: Input,
    fixed: Fixed,
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    if let Err(reason) = args.levels(&mut Levels::default()) {
        super::complain(&reason);
        return cli::USAGE;
    }
    let mut reporter = Reporter::of(args.style, color);
    let found = args.paths.find();
    let is_stdin = |source: &Source| matches!(source, Source::Stdin(_));
    let prints = args.diff || args.limit().is_some() && found.sources.iter().any(is_stdin);
    if prints && args.style.message_format != MessageFormat::Human {
        super::complain(
            "what fixes change and what was found cannot both go to standard output: leave out \
             --message-format, or the fixes",
        );
        return cli::USAGE;
    }
    for fault in &found.faults {
        reporter.fault(fault);
    }
    let mut all = Vec::new();
    let (mut fixes, mut changed, mut held_back) = (0, false, 0);
    let mut sources = found.sources.iter();
    parallel::in_order(
        &found.sources,
        |source| args.lint(source),
        |linted| {
            let source = sources.next();
            match linted {
                Ok(Linted { input, fixed }) => {
                    changed |= !fixed.applied.is_empty();
                    match args.change(source, &input, &fixed, color) {
                        Ok(()) => fixes += fixed.applied.len(),
                        Err(reason) => reporter.fault(&reason),
                    }
                    let Checked {
                        sources,
                        diagnostics,
                        ..
                    } = fixed.checked;
                    held_back += fix::held_back(&diagnostics);
                    if args.statistics {
                        all.extend(diagnostics);
                    } else if !args.diff {
                        reporter.report(&sources, &diagnostics);
                    }
                }
                Err(reason) => reporter.fault(&reason),
            }
        },
    );
    let denied = rune_ir::diag::has_errors(&all);
    let status = match reporter.status() {
        cli::OK if denied || (args.diff && changed) => cli::ERRORS,
        status => status,
    };
    if args.statistics {
        reporter.lose(write::out(statistics(&all).as_bytes()));
    }
    let status = reporter.finish(status);
    if !args.style.quiet {
        summary(args, fixes, held_back);
    }
    status
}

impl Args {
    /// The levels of the command line, over those of the configuration.
    fn levels(&self, levels: &mut Levels) -> Result<(), String> {
        if self.publish && levels.get(Code::Unpublishable) == Level::Allow {
            levels.set(Code::Unpublishable, Level::Warn);
        }
        let lists = [(&self.allow, Level::Allow), (&self.deny, Level::Deny)];
        for (names, level) in lists {
            for name in names {
                if level == Level::Deny && name == "warnings" {
                    levels.deny_warnings();
                    continue;
                }
                levels.set(code(name)?, level);
            }
        }
        Ok(())
    }

    /// The most that a fix may do; `None`: none is applied.
    fn limit(&self) -> Option<Safety> {
        if self.unsafe_fixes {
            Some(Safety::Unsafe)
        } else {
            (self.fix || self.diff).then_some(Safety::Safe)
        }
    }

    fn lint(&self, source: &Source) -> Result<Linted, String> {
        let mut input = source.open()?;
        let mut config = Config::clone(&input.config);
        self.levels(&mut config.levels)?;
        input.config = Arc::new(config);
        let request = input.request();
        let fixed = match self.limit() {
            Some(limit) => fix::fix(&request, limit),
            None => Fixed {
                text: String::new(),
                checked: driver::analyse(&request),
                applied: Vec::new(),
            },
        };
        Ok(Linted { input, fixed })
    }

    /// Writes or shows what fixes changed.
    fn change(
        &self,
        source: Option<&Source>,
        input: &Input,
        fixed: &Fixed,
        color: Color,
    ) -> Result<(), String> {
        if self.diff {
            let old = String::from_utf8_lossy(&input.bytes);
            return diff::show(&diff::unified(&old, &fixed.text, &input.path), color);
        }
        match source {
            _ if self.limit().is_none() => Ok(()),
            Some(Source::File(path)) if !fixed.applied.is_empty() => {
                write::whole(path, fixed.text.as_bytes())
            }
            Some(Source::Stdin(_)) => write::out(fixed.text.as_bytes()),
            Some(Source::File(_)) | None => Ok(()),
        }
    }
}

/// The code of a name on the command line, if its level may be set.
fn code(name: &str) -> Result<Code, String> {
    let Some(code) = Code::from_text(name) else {
        let known = Code::ALL.iter().filter(|c| is_configurable(**c));
        let known = known.flat_map(|c| [c.name(), c.number()]);
        let hint = did_you_mean(name, known).map_or_else(
            || "`runec explain` lists them".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        return Err(format!("there is no code {name}; {hint}"));
    };
    if is_configurable(code) {
        Ok(code)
    } else {
        Err(format!("{name} is an error, whose level cannot be set"))
    }
}

/// How many findings there are of each code, the most first: a line each.
fn statistics(all: &[Diagnostic]) -> String {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for diagnostic in all {
        *counts.entry(diagnostic.code).or_default() += 1;
    }
    let mut counts: Vec<(Code, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(code, n)| (std::cmp::Reverse(*n), *code));
    let row = |(code, n): (Code, usize)| format!("{n:6}  {code}  {}\n", code.name());
    counts.into_iter().map(row).collect()
}

/// What was fixed, and what more could be.
fn summary(args: &Args, fixes: usize, held_back: usize) {
    let plural = |n: usize| if n == 1 { "" } else { "es" };
    let mut err = io::stderr();
    if fixes > 0 {
        let verb = if args.diff { "would apply" } else { "applied" };
        let _ = writeln!(err, "{verb} {fixes} fix{}", plural(fixes));
    }
    if held_back > 0 && args.limit() == Some(Safety::Safe) {
        let _ = writeln!(
            err,
            "{held_back} more with --unsafe-fixes, which may change what the rune does"
        );
    }
}
