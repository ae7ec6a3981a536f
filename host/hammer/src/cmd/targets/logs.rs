//! `hmr targets logs`: what a rune wrote and said.

use std::{thread, time::Duration};

use rune_terminal::{Failure, write};

use super::{Which, connect, told};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The name of the rune
    rune: String,
    /// Go on as it writes more
    #[arg(short, long)]
    follow: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    /// How often it is asked for more.
    const PAUSE: Duration = Duration::from_millis(250);
    let targets = args.which.targets()?;
    let [target] = &targets[..] else {
        return Err(Failure::usage("logs are of one device: `-t ID`"));
    };
    let mut client = connect(target)?;
    let mut mark = 0;
    loop {
        let (text, next) = client
            .lines(&args.rune, mark)
            .map_err(|error| told(target, &error))?;
        write::out(&text).map_err(Failure::usage)?;
        let is_new = next != mark && !text.is_empty();
        mark = next;
        if is_new {
            continue;
        }
        if !args.follow {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
}
