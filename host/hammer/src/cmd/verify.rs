//! `hmr verify`: whether somebody who is trusted signed a file.

use std::path::{Path, PathBuf};

use rune_abi::image::{ImageView, Target};
use rune_terminal::Failure;
use rune_trust::{Class, Detached, KeyRing, PublicKey, Signed, Signer, file};

use super::{keygen, print, sign};

pub(crate) const EXAMPLES: &str = "\
A rune or an image is checked as a device does: its form, its digest, every signature in it, and the class of the key.

Exit status: 0 one of the keys signed it, 1 refused, 2 wrong usage, or a file that cannot be read.

Examples:
  hmr verify gesture.rune --key release.pub
  hmr verify gesture.rune --keys device.toml             by the keys that a device holds
  hmr verify gesture.img --key lab.pub --class native --target cortex-m7
  hmr verify model.tflite --key release.pub --detached   reads model.tflite.minisig";

/// Where a signature is that is in no file that is named.
const BESIDE: &str = "FILE.minisig";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A rune or an image; with --detached any file
    file: PathBuf,
    /// A key that is trusted: a file, its line with the key, or its id
    #[arg(long, value_name = "KEY", required_unless_present = "keys")]
    key: Vec<String>,
    /// What these keys may sign
    #[arg(long, value_name = "CLASS", default_value = "rune", value_parser = keygen::class)]
    class: Class,
    /// The keys that a device holds, see `hmr keys`
    #[arg(long, value_name = "FILE.toml")]
    keys: Option<PathBuf>,
    /// The processor that an image must be for
    #[arg(long, value_name = "TARGET", value_parser = target, conflicts_with = "detached")]
    target: Option<Target>,
    /// The signature is in a file of its own, as minisign writes it: FILE.minisig, or the one named here
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = BESIDE)]
    detached: Option<PathBuf>,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// A target by its name.
fn target(name: &str) -> Result<Target, String> {
    match Target::CortexM7 {
        known if known.name() == name => Ok(known),
        known => Err(format!("images are for `{}`", known.name())),
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let keys: Vec<PublicKey> = args
        .key
        .iter()
        .map(|word| file::public(word))
        .collect::<Result<_, _>>()?;
    let mut ring = match &args.keys {
        Some(path) => KeyRing::load(path)
            .map_err(|e| Failure::usage(format_args!("{}: {e}", path.display())))?,
        None => KeyRing::new(),
    };
    for key in &keys {
        ring.add(key.signer, args.class).map_err(Failure::usage)?;
    }
    let bytes = file::whole(&args.file)?;
    match &args.detached {
        Some(path) => detached(args, path, &bytes, keys, &ring),
        None => inside(args, &bytes, &ring),
    }
}

fn inside(args: &Args, bytes: &[u8], ring: &KeyRing) -> Result<(), Failure> {
    let shown = args.file.display();
    let refused = |what: &dyn std::fmt::Display| Failure::refused(format_args!("{shown}: {what}"));
    let signed = Signed::read(bytes).map_err(|e| refused(&e))?;
    let checked = rune_core::check(bytes).map_err(|e| refused(&e))?;
    if let Some(wanted) = args.target {
        let image = ImageView::new(bytes).map_err(|_| {
            refused(&format_args!(
                "it is no image for {}, but a module",
                wanted.name()
            ))
        })?;
        if image.target() != wanted {
            let (own, wanted) = (image.target().name(), wanted.name());
            return Err(refused(&format_args!("it is for {own}, not for {wanted}")));
        }
    }
    let by = ring.accept(&signed).map_err(|e| refused(&e))?;
    let all = signed.signers().map_err(|e| refused(&e))?;
    let manifest = checked.manifest();
    let (name, version) = (manifest.name, manifest.version.to_string());
    if args.json {
        let all: Vec<String> = all.iter().map(Signer::to_string).collect();
        let report = serde_json::json!({
            "file": shown.to_string(),
            "name": name,
            "version": version,
            "kind": signed.kind().to_string(),
            "trusted": by.to_string(),
            "signers": all,
        });
        return print(&format!("{report}\n"));
    }
    print(&format!(
        "{shown}: {}, {name} {version}, signed by {by}\n",
        signed.kind()
    ))
}

fn detached(
    args: &Args,
    path: &Path,
    bytes: &[u8],
    mut keys: Vec<PublicKey>,
    ring: &KeyRing,
) -> Result<(), Failure> {
    let shown = args.file.display();
    let path = if path.as_os_str() == BESIDE {
        sign::beside(&args.file)
    } else {
        path.to_owned()
    };
    let text = file::text(&path)?;
    let signature = Detached::parse(&text)
        .map_err(|e| Failure::refused(format_args!("{}: {e}", path.display())))?;
    // A ring has no numbers of keys.
    for signer in ring.keys(args.class) {
        if !keys.iter().any(|key| key.signer == *signer) {
            keys.push(PublicKey {
                id: None,
                signer: *signer,
                class: args.class,
            });
        }
    }
    let mut why = None;
    for key in &keys {
        match signature.verify(key, bytes) {
            Ok(()) => {
                let comment = signature.comment();
                if args.json {
                    let report = serde_json::json!({
                        "file": shown.to_string(),
                        "trusted": key.signer.to_string(),
                        "comment": comment,
                    });
                    return print(&format!("{report}\n"));
                }
                let by = key.signer;
                return print(&format!("{shown}: signed by {by}, comment: {comment}\n"));
            }
            Err(error) => why = Some(error),
        }
    }
    let why = why.map_or_else(|| "no key is trusted".to_owned(), |e| e.to_string());
    Err(Failure::refused(format_args!("{shown}: {why}")))
}
