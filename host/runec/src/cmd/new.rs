//! `runec new`: something that works, to begin with.

use std::{
    io::{self, ErrorKind, Write},
    path::Path,
};

use crate::{
    cli,
    cmd::complain,
    skeleton::{self, Language},
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 written, 2 wrong usage, or the folder exists or cannot be written.

Examples:
  runec new wand                        a folder wand with a Runefile; `rune run wand` runs it
  runec new --block gain                a folder gain with a block in Rust and its test
  runec new --block gain --lang cpp     the same in C++";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The name of the folder, in kebab case: small letters and digits, words joined by `-`.
    name: String,
    /// A processing block instead of a Runefile.
    #[arg(long)]
    block: bool,
    /// The language of the block.
    #[arg(long, value_name = "LANG", requires = "block", default_value = "rust")]
    lang: Language,
}

pub(crate) fn run(args: &Args) -> u8 {
    match write(args) {
        Ok(said) => {
            let _ = writeln!(io::stderr(), "{said}");
            cli::OK
        }
        Err(message) => {
            complain(&message);
            cli::USAGE
        }
    }
}

/// Writes the folder and says what to do next.
fn write(args: &Args) -> Result<String, String> {
    let name = &args.name;
    check(name, args.block)?;
    let (files, said) = if args.block {
        let (language, test) = (args.lang.name(), args.lang.test());
        let said = format!("wrote {name}, a block in {language}; next: cd {name} && {test}");
        (skeleton::block(name, args.lang), said)
    } else {
        let said = format!("wrote {name}/Runefile; next: rune run {name}");
        (skeleton::rune(), said)
    };
    match skeleton::write(Path::new(name), &files) {
        Ok(()) => Ok(said),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(format!(
            "there is already a `{name}` here; choose another name or remove it"
        )),
        Err(e) => Err(format!("{name} cannot be written: {e}")),
    }
}

/// Whether a name is one that a stage, a crate and a folder may have.
fn check(name: &str, block: bool) -> Result<(), String> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_kebab = name
        .split('-')
        .all(|w| !w.is_empty() && w.chars().all(letters))
        && name.starts_with(|c: char| c.is_ascii_lowercase());
    if !is_kebab {
        let kebab = kebab(name);
        let hint = if kebab.is_empty() {
            String::new()
        } else {
            format!("; did you mean `{kebab}`?")
        };
        return Err(format!(
            "`{name}` is not a name in kebab case, such as `band-pass`{hint}"
        ));
    }
    if block && name == "sdk" {
        return Err("a block cannot be called `sdk`, as is what it is written with".to_owned());
    }
    Ok(())
}

/// What of a name can be in one: `BandPass 2` becomes `band-pass-2`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    let mut after_small = false;
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && after_small {
                kebab.push('-');
            }
            kebab.push(c.to_ascii_lowercase());
        } else if !kebab.ends_with('-') {
            kebab.push('-');
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    let not_first = |c: char| !c.is_ascii_lowercase();
    kebab
        .trim_start_matches(not_first)
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_kebab_case() {
        for good in ["a", "gain", "band-pass-2", "x1"] {
            assert_eq!(check(good, true), Ok(()), "{good}");
        }
        for (bad, near) in [
            ("BandPass 2", "`band-pass-2`"),
            ("my_block", "`my-block`"),
            ("-x", "`x`"),
            ("../gain", "`gain`"),
            ("2d", "`d`"),
        ] {
            let message = check(bad, true).unwrap_err();
            assert!(
                message.ends_with(&format!("did you mean {near}?")),
                "{message}"
            );
        }
        assert!(!check("", true).unwrap_err().contains("did you mean"));
        assert!(check("sdk", true).is_err() && check("sdk", false).is_ok());
    }
}
