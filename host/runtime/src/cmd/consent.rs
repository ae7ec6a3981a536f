//! `rune consent`: what was allowed for always.

use clap::{Args, Subcommand};

use crate::{
    cli::{Failure, print},
    consent::{DIGITS, Memory},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Consent {
    /// Show which runes may always read which sensors
    List,
    /// Ask again for the sensors of a rune
    Forget(Forget),
}

#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The beginning of the digest of the rune, as `list` shows it
    #[arg(required_unless_present = "all")]
    digest: Option<String>,

    /// Forget every rune
    #[arg(long, conflicts_with = "digest")]
    all: bool,
}

pub(crate) fn consent(args: &Consent) -> Result<(), Failure> {
    let memory = Memory::of_user().map_err(Failure::usage)?;
    match args {
        Consent::List => {
            let records = memory.load().map_err(Failure::usage)?;
            let lines = records.iter().map(|r| {
                let digest: String = r.digest.chars().take(DIGITS).collect();
                format!("{digest}  {}  {}  {}\n", r.rune, r.capability, r.source)
            });
            print(&lines.collect::<String>())
        }
        Consent::Forget(Forget { digest: None, .. }) => memory.clear().map_err(Failure::usage),
        Consent::Forget(Forget {
            digest: Some(digest),
            ..
        }) => {
            let digest = digest.to_ascii_lowercase();
            let mut matched = vec![];
            let changed = memory.change(|records| {
                let is_meant = |known: &str| known.starts_with(&digest) && !digest.is_empty();
                let all = records.iter().map(|r| &r.digest);
                matched = all.filter(|d| is_meant(d)).cloned().collect();
                matched.sort();
                matched.dedup();
                if matched.len() == 1 {
                    records.retain(|r| !is_meant(&r.digest));
                }
            });
            changed.map_err(Failure::usage)?;
            match matched.len() {
                0 => Err(Failure::rune(format_args!(
                    "nothing is remembered of a rune `{digest}`"
                ))),
                1 => Ok(()),
                n => Err(Failure::usage(format_args!(
                    "the digests of {n} runes begin with `{digest}`: write more of it"
                ))),
            }
        }
    }
}
