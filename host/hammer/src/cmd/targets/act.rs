//! What is done with a rune that is on a device, and with a device.

use rune_smp::own::command;
use rune_terminal::Failure;

use super::{Signature, Which, each, told};
use crate::{cmd::say, deploy};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    signature: Signature,
    /// The name of the rune
    rune: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reboot {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    signature: Signature,
}

pub(super) fn run(args: &Args, act: u8) -> Result<(), Failure> {
    let targets = args.which.targets()?;
    let rune = &args.rune;
    each(&targets, |target| {
        let mut client = args.signature.client(target)?;
        let done = if act == command::ROLLBACK {
            deploy::roll_back(&mut client, rune)
        } else {
            client.act(act, rune, None)
        };
        done.map_err(|error| told(target, &error))?;
        let what = match act {
            command::ROLLBACK => "was rolled back",
            command::REMOVE => "was removed",
            command::START => "runs",
            _ => "was stopped",
        };
        say(&format!("{}: {rune} {what}", target.id));
        Ok(())
    })
}

pub(super) fn reboot(args: &Reboot) -> Result<(), Failure> {
    let targets = args.which.targets()?;
    each(&targets, |target| {
        let mut client = args.signature.client(target)?;
        client.reset().map_err(|error| told(target, &error))?;
        say(&format!("{}: starts anew", target.id));
        Ok(())
    })
}
