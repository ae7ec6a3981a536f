//! `rune install`: hands a rune to the server of a folder.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    thread,
};

use clap::Args;
use runec::Options;

use super::control::{FOLLOW, Where};
use crate::{
    Rune,
    cli::{Console, Failure, print, rune_bytes},
    serve::{self, Receipt},
};

const ABOUT: &str = "\
The server verifies the rune under NAME.toml or policy.toml and starts it in the place of the one that runs. It is in
trial then: three starts without being healthy, and the one that was confirmed before is started again.

Examples:
  rune install door.rune --dir /srv/runes
  rune confirm door --dir /srv/runes
  rune install door.rune --confirm        once it is healthy, without a person";

#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Install {
    /// A rune, a Runefile, or a folder with a Runefile
    rune: PathBuf,

    #[command(flatten)]
    place: Where,

    /// Have it confirmed as soon as it is healthy, and wait for that
    #[arg(long)]
    confirm: bool,

    /// Install it although it was rolled back before
    #[arg(long)]
    anew: bool,
}

pub(crate) fn install(args: &Install, console: Console) -> Result<(), Failure> {
    let bytes = rune_bytes(&args.rune, &Options::default(), console)?;
    if bytes.len() as u64 > Rune::MOST_BYTES {
        return Err(Failure::rune(crate::LoadError::Size));
    }
    let is_long = bytes.len() > 1 << 20 && io::stderr().is_terminal();
    let progress = |at: usize| {
        if is_long {
            let percent = at * 100 / bytes.len();
            let end = if at == bytes.len() { "\n" } else { "" };
            // That it is not seen stops nothing.
            let _ = write!(io::stderr(), "\ruploaded: {percent} %{end}");
        }
    };
    let receipt = serve::install(&args.place.dir, &bytes, args.anew, args.confirm, progress)?;
    let Receipt { name, slot } = &receipt;
    print(&format!("{name}: {slot}\n"))?;
    if !args.confirm || slot.state == "confirmed" {
        return Ok(());
    }
    loop {
        thread::sleep(FOLLOW);
        let status = args.place.status()?;
        let own = status.iter().find(|s| s.name == *name);
        let now = own.and_then(|s| s.installed.iter().find(|now| now.digest == slot.digest));
        match now {
            Some(now) if now.state == "trial" => {}
            Some(now) if now.state == "confirmed" => return print(&format!("{name}: {now}\n")),
            Some(_) | None => {
                let why = own.and_then(|s| s.error.as_deref());
                return Err(Failure::rune(why.unwrap_or("its trial is over")));
            }
        }
    }
}
