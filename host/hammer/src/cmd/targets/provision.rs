//! `hmr targets provision`: what a device is called, which network it joins, and whom it obeys.

use std::path::PathBuf;

use rune_smp::settings::{KEYS, name};
use rune_terminal::Failure;
use rune_trust::{
    Signer,
    file::{self, Password},
};

use super::{Signature, Which, told};
use crate::{cmd::say, find::Target, link::Address};

pub(crate) const EXAMPLES: &str = "\
Secrets and the first key of a device go over a serial port or Bluetooth only. A device that has a key is locked: from then on it is
told nothing but with that key, `--key`.

Examples:
  hmr targets provision --serial /dev/ttyACM0 --name kitchen --owner release.pub
  hmr targets provision --serial /dev/ttyACM0 --ssid home
  hmr targets provision -t kitchen --name hall --key release.key
  hmr targets provision -t kitchen --owner next.pub --owner-number 1 --key release.key";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    signature: Signature,
    /// What it is called: letters, digits and `-`, at most 40
    #[arg(long, value_name = "NAME", required_unless_present_any = ["ssid", "owner"])]
    name: Option<String>,
    /// The wireless network that it joins; asks for the key of the network
    #[arg(long, value_name = "SSID")]
    ssid: Option<String>,
    /// A file with the key of the network in its first line, in place of asking; an empty one for an open network
    #[arg(long, value_name = "FILE", requires = "ssid")]
    wifi_key_file: Option<PathBuf>,
    /// Whom it obeys: a public key, in a file or as `ed25519:` and 64 digits
    #[arg(long, value_name = "KEY")]
    owner: Option<String>,
    /// Which of its keys that is, from 0 to 3
    #[arg(long, value_name = "N", default_value_t = 0, requires = "owner",
          value_parser = clap::value_parser!(u8).range(..KEYS as i64))]
    owner_number: u8,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let owner = args.owner.as_deref().map(file::public).transpose()?;
    let owner = owner.map(|key| key.signer);
    let targets = args.which.targets()?;
    let [target] = &targets[..] else {
        return Err(Failure::usage("one device is set up at a time: `-t ID`"));
    };
    // Before anybody types a secret, and before anything is sent.
    let is_near = target.addresses.first().is_some_and(Address::is_near);
    let is_open = target
        .about
        .as_ref()
        .is_some_and(|about| about.lock.is_none());
    if !is_near && args.ssid.is_some() {
        return Err(far(
            target,
            "the key of a network is not sent over a network, which carries it as it is",
        ));
    }
    if !is_near && is_open && owner.is_some() {
        return Err(far(
            target,
            "it is open, and its first key is not given over a network, where anybody could be first",
        ));
    }
    let wifi_key = wifi_key(args)?;
    provision(args, target, owner, wifi_key)
}

fn far(target: &Target, why: &str) -> Failure {
    Failure::refused(format_args!(
        "{}: {why}: use its serial port, `--serial PORT`, or Bluetooth, `--ble NAME`",
        target.id
    ))
}

/// The key of the network, if there is a network.
fn wifi_key(args: &Args) -> Result<Option<Vec<u8>>, Failure> {
    let Some(ssid) = &args.ssid else {
        return Ok(None);
    };
    let Some(path) = &args.wifi_key_file else {
        let question = format!("Key of the network `{ssid}`");
        return Password::ask(&question, "give a file with `--wifi-key-file`").map(Some);
    };
    let mut key = file::whole(path)?;
    if let Some(end) = key.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        key.truncate(end);
    }
    Ok(Some(key))
}

fn provision(
    args: &Args,
    target: &Target,
    owner: Option<Signer>,
    wifi_key: Option<Vec<u8>>,
) -> Result<(), Failure> {
    let wrong = |error| told(target, &error);
    let mut client = args.signature.client(target)?;
    let number = args.owner_number;
    let key = owner.map(|owner| (format!("{}{number}", name::KEYS), owner.bytes().to_vec()));
    let plain = |name: &str, value: &Option<String>| {
        let value = value.as_ref()?;
        Some((name.to_owned(), value.clone().into_bytes()))
    };
    let all = [
        plain(name::NAME, &args.name),
        plain(name::WIFI_SSID, &args.ssid),
        wifi_key.map(|key| (name::WIFI_KEY.to_owned(), key)),
        key,
    ];
    for (name, value) in all.into_iter().flatten() {
        client.setting(&name, &value).map_err(|error| {
            let mut failure = told(target, &error);
            failure.messages = vec![format!("{}: {name}: {error}", target.id)];
            failure
        })?;
    }
    client.commit().map_err(wrong)?;
    if let Some(name) = &args.name {
        say(&format!("{}: it is called {name}", target.id));
    }
    if let Some(ssid) = &args.ssid {
        say(&format!("{}: it joins `{ssid}`", target.id));
    }
    if let Some(owner) = owner {
        // What it says itself counts.
        if client.about().map_err(wrong)?.lock.is_none() {
            return Err(Failure::refused(format_args!(
                "{}: it took a key and is open",
                target.id
            )));
        }
        say(&format!("{}: it is locked, and obeys {owner}", target.id));
    }
    Ok(())
}
