//! `runec blocks`: the catalogue, or one block.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rune_ir::{
    block::Signature,
    diag::did_you_mean,
    env::{Env, Unbuilt},
};
use serde_json::Value;

use crate::{
    cli,
    cmd::{complain, print},
    reference,
    world::World,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 shown, 1 not a valid block, 2 wrong usage or no such block.

Examples:
  runec blocks                    every block of the catalogue
  runec blocks label              one of them: ports, arguments, what it computes
  runec blocks ./gain             a block of your own, from its folder or module
  runec blocks --json | jq -r '.[].name'";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A block as a Runefile names it: of the catalogue, a module, or a folder with sources.
    name: Option<String>,
    /// One JSON value on standard output: of one block an object, of all a list.
    #[arg(long)]
    json: bool,
}

/// Why a block cannot be shown: exit status and message.
type Failure = (u8, String);

pub(crate) fn run(args: &Args) -> u8 {
    let shown = match &args.name {
        Some(name) => find(name).map(|signature| {
            if args.json {
                pretty(&reference::json(&signature))
            } else {
                reference::manual(&signature)
            }
        }),
        None => all().map(|signatures| {
            if args.json {
                let values: Vec<Value> = signatures.iter().map(reference::json).collect();
                pretty(&values.into())
            } else {
                reference::list(&signatures)
            }
        }),
    };
    match shown {
        Ok(text) => print(&text),
        Err((status, message)) => {
            complain(&message);
            status
        }
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The signature of every block in the catalogue.
fn all() -> Result<Vec<Signature>, Failure> {
    rune_catalogue::entries()
        .iter()
        .map(|entry| signature(&entry.name, entry.bytes.into()))
        .collect()
}

fn signature(name: &str, bytes: Arc<[u8]>) -> Result<Signature, Failure> {
    let block = rune_blocks::read(bytes);
    let block = block.map_err(|e| {
        let message = format!("cannot use block `{name}`: {e}\nhelp: {}", e.hint());
        (cli::ERRORS, message)
    })?;
    Ok(block.signature)
}

/// The signature of the block that a Runefile of this folder would get under a name.
fn find(name: &str) -> Result<Signature, Failure> {
    let world = World::new(PathBuf::new());
    // A file needs no `./` here, unlike in a Runefile.
    let path = match world.resolve_block(name) {
        Some(path) => path,
        None if Path::new(name).exists() => format!("./{name}"),
        None => return Err((cli::USAGE, unknown(&world, name))),
    };
    if let Some(bytes) = world.block(&path) {
        return signature(&path, bytes);
    }
    let bytes = match world.folder_block(&path, true) {
        None => world.file(&path).map_err(|reason| (cli::USAGE, reason))?,
        Some(Ok(bytes)) => bytes,
        Some(Err(Unbuilt::NotYet)) => return Err((cli::ERRORS, format!("`{name}` is not built"))),
        Some(Err(Unbuilt::Failed(failure))) => {
            let mut lines = vec![format!("cannot build block `{name}`: {}", failure.reason)];
            lines.extend(failure.notes);
            lines.extend(failure.hints.iter().map(|hint| format!("help: {hint}")));
            return Err((cli::ERRORS, lines.join("\n")));
        }
    };
    signature(&path, bytes)
}

fn unknown(world: &World, name: &str) -> String {
    let names = world.blocks();
    let lasts = names.iter().map(|n| n.rsplit('/').next().unwrap_or(n));
    let near = did_you_mean(name.rsplit('/').next().unwrap_or(name), lasts);
    let hint = near.map_or_else(
        || "`runec blocks` lists them".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    format!("there is no block `{name}`; {hint}")
}
