//! `hmr keygen`: a new key.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rune_terminal::{Failure, write};
use rune_trust::{Class, Protection, SecretKey, file::Password};

use super::{print, say};

pub(crate) const EXAMPLES: &str = "\
Writes NAME.key, which only you may read, and NAME.pub, in the format of minisign, and prints the id of the key.

Exit status: 0 made, 2 wrong usage, or a file that cannot be written or is there already.

Examples:
  hmr keygen release                   asks for a password
  hmr keygen ci --no-password          whoever reads ci.key can sign with it
  hmr keygen lab --class native        a key for images that contain themselves";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The path of the files, without `.key` and `.pub`
    #[arg(value_name = "NAME", default_value = "rune")]
    name: PathBuf,
    /// What the key may sign: runes, and images that the protection unit contains; or images whose code has the rights
    /// of the runtime
    #[arg(long, value_name = "CLASS", default_value = "rune", value_parser = class)]
    class: Class,
    /// Do not encrypt the secret key
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
    #[command(flatten)]
    password: Password,
    /// Replace a key that is there, which is lost then
    #[arg(long)]
    force: bool,
}

/// A class by its name.
pub(crate) fn class(name: &str) -> Result<Class, String> {
    let mut all = Class::ALL.into_iter();
    let found = all.find(|class| class.name() == name);
    found.ok_or_else(|| "classes are `rune` and `native`".to_owned())
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let file = |end: &str| {
        let mut name = args.name.clone().into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    let (secret, public) = (file(".key"), file(".pub"));
    if !args.force
        && let Some(there) = [&secret, &public].into_iter().find(|path| path.exists())
    {
        return Err(in_the_way(there));
    }
    let password = if args.no_password {
        None
    } else {
        Some(match args.password.given()? {
            Some(password) => password,
            None => ask()?,
        })
    };
    let protection = password
        .as_deref()
        .map_or(Protection::None, Protection::Password);
    let generate = || SecretKey::generate(args.class);
    let none = |e| Failure::usage(format_args!("the system gives no random numbers: {e}"));
    let key = generate().map_err(none)?;
    let salt = *generate().map_err(none)?.signer().bytes();
    let text = key.to_text(protection, salt).map_err(Failure::usage)?;
    write::private(&secret, text.as_bytes(), args.force).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            return in_the_way(&secret);
        }
        Failure::usage(format_args!(
            "{} cannot be written: {error}",
            secret.display()
        ))
    })?;
    write::whole(&public, key.public().to_text().as_bytes()).map_err(Failure::usage)?;
    say(&format!(
        "made {} and {}, a key of class {}",
        secret.display(),
        public.display(),
        args.class
    ));
    print(&format!("{}\n", key.signer()))
}

fn in_the_way(path: &Path) -> Failure {
    Failure::usage(format_args!(
        "{} is there, and what it signs may be in use; give another name, or --force to lose it",
        path.display()
    ))
}

/// A new password, typed twice.
fn ask() -> Result<Vec<u8>, Failure> {
    const OTHERWISE: &str =
        "`--password-file FILE` names a file with one, and `--no-password` does without";
    let password = Password::ask("Password for the secret key", OTHERWISE)?;
    if password.is_empty() {
        return Err(Failure::usage(
            "a key without a password is made by `--no-password`",
        ));
    }
    if Password::ask("The same again", OTHERWISE)? != password {
        return Err(Failure::usage("the two passwords are not the same"));
    }
    Ok(password)
}
