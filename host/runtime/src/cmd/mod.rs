//! The subcommands of `rune` beside `run`.

pub(crate) mod bench;
pub(crate) mod consent;
pub(crate) mod control;
mod cycle;
pub(crate) mod install;
pub(crate) mod registry;
pub(crate) mod serve;
pub(crate) mod top;
pub(crate) mod trace;

use std::path::Path;

use runec::Options;

use crate::{
    Grants, Policy, Rune,
    cli::{Console, Failure, Sources, rune_bytes},
    consent::Consent,
    grant::{Offer, grant},
};

/// Reads a rune, or compiles it with its stages marked.
fn marked(path: &Path, console: Console) -> Result<Rune, Failure> {
    let options = Options {
        marks: true,
        ..Options::default()
    };
    Rune::load(rune_bytes(path, &options, console)?)
        .map_err(|e| Failure::rune(format_args!("{}: {e}", path.display())))
}

/// Gives a rune what flags and a policy name.
fn granted(
    rune: &Rune,
    sources: &Sources,
    policy: Option<&Path>,
    console: Console,
) -> Result<Grants, Failure> {
    let policy = policy
        .map(Policy::load)
        .transpose()
        .map_err(Failure::usage)?;
    let consent = Consent::new(rune, &sources.allow, console);
    let offer = Offer {
        policy: policy.as_ref(),
        flags: &sources.flags(),
        ..Offer::default()
    };
    Ok(grant(rune, offer, None, Some(&consent))?)
}
