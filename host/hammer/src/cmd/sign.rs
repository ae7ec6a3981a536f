//! `hmr sign`: signatures in runes and images, or beside any file.

use std::path::{Path, PathBuf};

use rune_terminal::{Failure, write};
use rune_trust::{
    Detached, Signed, Signer,
    file::{self, Password},
};

use super::say;

pub(crate) const EXAMPLES: &str = "\
A rune or an image gets the signature at its end, beside those that are there. To change keys, sign with the new one,
give devices that one, and take out the old one when they have it.

Exit status: 0 signed, 1 refused, 2 wrong usage, or a file that cannot be read or written.

Examples:
  hmr sign gesture.rune --key release.key
  hmr sign gesture.rune --key new.key --remove old.pub
  hmr sign gesture.img --key lab.key -o signed.img
  hmr sign model.tflite --key release.key --detached     writes model.tflite.minisig";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A rune or an image; with --detached any file
    file: PathBuf,
    /// The secret key to sign with
    #[arg(long, value_name = "FILE.key", required_unless_present_any = ["remove", "remove_all"])]
    key: Option<PathBuf>,
    #[command(flatten)]
    password: Password,
    /// Take out the signatures by a key: a file, or its id
    #[arg(long, value_name = "KEY", conflicts_with = "detached")]
    remove: Vec<String>,
    /// Take out all signatures that are there
    #[arg(long, conflicts_with_all = ["detached", "remove"])]
    remove_all: bool,
    /// Where to write it; otherwise the file itself is replaced, and a detached signature is FILE.minisig
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the signature to a file of its own, for minisign
    #[arg(long, requires = "key")]
    detached: bool,
    /// A comment that is signed too
    #[arg(long, value_name = "TEXT", requires = "detached")]
    comment: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let bytes = file::whole(&args.file)?;
    if args.detached {
        return detached(args, &bytes);
    }
    let shown = args.file.display();
    let refused = |what: &dyn std::fmt::Display| Failure::refused(format_args!("{shown}: {what}"));
    let mut signed = Signed::read(&bytes).map_err(|e| refused(&e))?;
    // What no device would run is not signed. Signatures come later: one that is wrong can be taken out.
    rune_core::check(signed.body()).map_err(|e| refused(&e))?;
    let mut said = vec![];
    if args.remove_all {
        signed.clear();
        said.push("took out all signatures".to_owned());
    }
    for word in &args.remove {
        let signer = file::public(word)?.signer;
        if !signed.remove(signer) {
            return Err(refused(&format_args!("there is no signature by {signer}")));
        }
        said.push(format!("took out that by {signer}"));
    }
    if let Some(path) = &args.key {
        let key = file::secret(path, &args.password)?;
        signed.sign(&key).map_err(|e| refused(&e))?;
        said.push(format!("signed by {}", key.signer()));
    }
    // Nothing leaves here that devices refuse.
    signed
        .signers()
        .map_err(|e| refused(&format_args!("{e}; `--remove KEY` takes a signature out")))?;
    let output = args.output.as_deref().unwrap_or(&args.file);
    write::whole(output, &signed.to_bytes()).map_err(Failure::usage)?;
    let now: Vec<String> = signed.claimed().map(|s: Signer| s.to_string()).collect();
    let now = match now.len() {
        0 => "nobody".to_owned(),
        _ => now.join(", "),
    };
    say(&format!(
        "{}: {}; it is signed by {now}",
        output.display(),
        said.join(", ")
    ));
    Ok(())
}

fn detached(args: &Args, bytes: &[u8]) -> Result<(), Failure> {
    let Some(path) = &args.key else {
        return Err(Failure::usage("--detached needs a --key"));
    };
    let key = file::secret(path, &args.password)?;
    let comment = args.comment.clone().unwrap_or_else(|| {
        let name = args.file.file_name().unwrap_or_default();
        format!("file:{}\thashed", name.display())
    });
    let text = Detached::sign(&key, bytes, &comment).to_text();
    let output = args.output.clone().unwrap_or_else(|| beside(&args.file));
    write::whole(&output, text.as_bytes()).map_err(Failure::usage)?;
    say(&format!("{}: signed by {}", output.display(), key.signer()));
    Ok(())
}

/// The file with the detached signature of a file.
pub(crate) fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}
