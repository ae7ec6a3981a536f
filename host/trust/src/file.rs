//! Files that commands read: runes, keys and passwords, each no larger than such a file can be.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rune_terminal::{Failure, password};

use crate::{Class, KeyError, Protection, PublicKey, SecretKey, Signer};

/// Most bytes of a rune, an image, or what else is signed.
const MOST_BYTES: u64 = 256 << 20;
/// Most bytes of a file with a key, a password or a signature.
const MOST_TEXT: u64 = 1 << 16;

/// The bytes of a file to sign.
///
/// # Errors
/// Where it cannot be read, or is larger than any rune.
pub fn whole(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read(path, MOST_BYTES).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > MOST_BYTES {
        let (shown, most) = (path.display(), MOST_BYTES >> 20);
        return Err(Failure::refused(format_args!(
            "{shown} is larger than the {most} MiB that a rune may have"
        )));
    }
    Ok(bytes)
}

/// The text of a small file.
///
/// # Errors
/// Where it cannot be read or is no text.
pub fn text(path: &Path) -> Result<String, Failure> {
    let bytes = read(path, MOST_TEXT).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format_args!("{} is no text", path.display())))
}

/// The bytes of a file, of one that is larger than so many just one more.
fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    if error.kind() == ErrorKind::NotFound {
        Failure::usage(format_args!("there is no file {shown}"))
    } else {
        Failure::usage(format_args!("{shown} cannot be read: {error}"))
    }
}

/// Where the password of a key comes from.
#[derive(Debug, clap::Args)]
pub struct Password {
    /// A file whose first line is the password of the secret key; otherwise it is asked for
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

impl Password {
    /// The password in the file, if one is named.
    ///
    /// # Errors
    /// Where the file cannot be read or its first line is empty.
    pub fn given(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(path) = &self.password_file else {
            return Ok(None);
        };
        let text = text(path)?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            let shown = path.display();
            return Err(Failure::usage(format_args!(
                "the first line of {shown}, the password, is empty"
            )));
        }
        Ok(Some(line.as_bytes().to_vec()))
    }

    /// Asks at the terminal.
    ///
    /// # Errors
    /// Where there is no terminal; `otherwise` says what to do then.
    pub fn ask(question: &str, otherwise: &str) -> Result<Vec<u8>, Failure> {
        password::ask(question).map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                let what = "there is no terminal to ask for a password";
                Failure::usage(format_args!("{what}; {otherwise}"))
            } else if error.kind() == ErrorKind::Interrupted {
                Failure::usage("no password was given")
            } else {
                Failure::usage(format_args!("no password can be read: {error}"))
            }
        })
    }
}

/// The secret key of a file, opened by its password.
///
/// # Errors
/// Where it cannot be read, others may read it, or the password is wrong.
pub fn secret(path: &Path, password: &Password) -> Result<SecretKey, Failure> {
    let text = text(path)?;
    let shown = path.display();
    let meta = path.metadata().map_err(|error| unreadable(path, &error))?;
    if meta.mode() & 0o077 != 0 {
        return Err(Failure::usage(format_args!(
            "{shown} can be read or written by others, and whoever has it can sign; `chmod 600 {shown}`"
        )));
    }
    let fault = |error: KeyError| Failure::usage(format_args!("{shown}: {error}"));
    match SecretKey::parse(&text, Protection::None) {
        Err(KeyError::Locked) => {
            let given = password.given()?;
            let otherwise = "`--password-file FILE` names a file with it";
            let given = given.map_or_else(
                || Password::ask(&format!("Password of {shown}"), otherwise),
                Ok,
            )?;
            SecretKey::parse(&text, Protection::Password(&given)).map_err(fault)
        }
        parsed => parsed.map_err(fault),
    }
}

/// The public key that a word of the command line names: a file, its line with the key, or an id.
///
/// # Errors
/// Where it is none of these.
pub fn public(word: &str) -> Result<PublicKey, Failure> {
    if let Ok(signer) = word.parse::<Signer>() {
        return Ok(PublicKey {
            id: None,
            signer,
            class: Class::default(),
        });
    }
    let path = Path::new(word);
    let parsed = if path.exists() {
        PublicKey::parse(&text(path)?)
    } else {
        PublicKey::parse(word)
    };
    parsed.map_err(|error| {
        let what = if path.exists() {
            error.to_string()
        } else {
            format!(
                "there is no such file, and {}",
                word.parse::<Signer>().err().unwrap_or_default()
            )
        };
        Failure::usage(format_args!("{word}: {what}"))
    })
}
