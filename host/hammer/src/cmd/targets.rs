//! `hmr targets`: devices, and what is done with them.

mod act;
mod cast;
mod logs;
mod ls;
mod monitor;
mod provision;
mod status;

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use rune_terminal::Failure;
use rune_trust::file::{self, Password};

use crate::{
    client::{Client, Error, Patience},
    find::{Search, Target, search, seed},
    link::{Address, Link, resolve},
};

pub(crate) const EXAMPLES: &str = "\
Devices are found at the serial ports of this machine, by multicast DNS on its networks, and by Bluetooth near it. A device is told by its id,
the begin of its id, or where it is.

Exit status: 0 done, 1 a device refused, failed or was not found, 2 wrong usage, or a file that cannot be read.

Examples:
  hmr targets ls
  hmr targets cast -t mps2-an500-123456 gesture.rune
  hmr targets cast --all --dry-run gesture.rune
  hmr targets cast -t mps2 examples/gesture          built for the device
  hmr targets cast -t mps2 ghcr.io/acme/gesture:1.2
  hmr targets status --udp 192.168.7.2
  hmr targets logs -t mps2 gesture --follow";

#[derive(Debug, Subcommand)]
pub(crate) enum Targets {
    /// List the devices that answer
    Ls(ls::Args),
    /// Deploy a rune: uploaded, verified, tried, and kept if it is healthy
    Cast(cast::Args),
    /// Show what devices are, what runs on them and how it does
    Status(status::Args),
    /// Show what a rune wrote and said
    Logs(logs::Args),
    /// End the trial of a rune, or bring the one before back
    Rollback(act::Args),
    /// Remove a rune, with all that there is of its name
    Rm(act::Args),
    /// Let a rune that was stopped run
    Start(act::Args),
    /// Stop a rune
    Stop(act::Args),
    /// Start devices anew
    Reboot(act::Reboot),
    /// Set what a device is called, which network it joins and whom it obeys
    #[command(after_help = provision::EXAMPLES)]
    Provision(provision::Args),
    /// Answer with what devices and their runes do, as metrics for Prometheus
    #[command(after_help = monitor::EXAMPLES)]
    Monitor(monitor::Args),
}

/// Which devices, and how they are reached.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// A device by its id or the begin of it; several may be named
    #[arg(short, long = "target", value_name = "ID")]
    target: Vec<String>,
    /// Every device that is found
    #[arg(long, conflicts_with = "target")]
    all: bool,
    /// A device at an address, `HOST` or `HOST:PORT`, without looking for others
    #[arg(long, value_name = "HOST")]
    udp: Vec<String>,
    /// A device at a serial port, without looking for others
    #[arg(long, value_name = "PORT")]
    serial: Vec<PathBuf>,
    /// A device that is near, by its Bluetooth address or the begin of its name there, without looking for others
    #[arg(long, value_name = "ADDRESS|NAME")]
    ble: Vec<String>,
    /// Seconds to wait for devices on networks and near
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    timeout: f32,
}

/// The key for devices that are locked.
#[derive(Debug, clap::Args)]
pub(crate) struct Signature {
    /// The secret key that a locked device wants requests signed by
    #[arg(long, value_name = "FILE.key")]
    key: Option<PathBuf>,
    #[command(flatten)]
    password: Password,
}

impl Which {
    fn search(&self) -> Result<Search, Failure> {
        let time = Duration::try_from_secs_f32(self.timeout);
        let time = time.map_err(|_| Failure::usage("--timeout takes a number of seconds"))?;
        let mut extra: Vec<Address> = self.serial.iter().cloned().map(Address::Serial).collect();
        for host in &self.udp {
            let address = resolve(host).map_err(|error| {
                Failure::refused(format_args!("`{host}` is not found: {error}"))
            })?;
            extra.push(Address::Udp(address));
        }
        extra.extend(self.ble.iter().cloned().map(Address::Ble));
        Ok(Search {
            time,
            is_wide: extra.is_empty(),
            extra,
        })
    }

    /// The devices that answer.
    fn found(&self) -> Result<Vec<Target>, Failure> {
        search(&self.search()?).map_err(Failure::refused)
    }

    /// The devices that are meant, each of which answers.
    fn targets(&self) -> Result<Vec<Target>, Failure> {
        let is_named = !self.udp.is_empty() || !self.serial.is_empty() || !self.ble.is_empty();
        if self.target.is_empty() && !self.all && !is_named {
            return Err(Failure::usage(
                "which device? `-t ID`, or `--all`; `hmr targets ls` lists them",
            ));
        }
        let mut found = self.found()?;
        found.retain(|target| target.about.is_some());
        if self.target.is_empty() {
            return if found.is_empty() {
                Err(Failure::refused(
                    "no device answers; `hmr targets ls --timeout 10` looks longer",
                ))
            } else {
                Ok(found)
            };
        }
        let mut chosen = vec![];
        for wanted in &self.target {
            let is_meant = |target: &&Target| {
                target.id.starts_with(&**wanted)
                    || target.addresses.iter().any(|a| a.to_string() == *wanted)
            };
            let exact = found.iter().find(|target| target.id == *wanted);
            let mut all = found.iter().filter(is_meant);
            let target = match (exact, all.next(), all.next()) {
                (Some(exact), ..) | (None, Some(exact), None) => exact,
                (None, Some(one), Some(other)) => {
                    return Err(Failure::refused(format_args!(
                        "`{wanted}` may be {} or {}: write more of it",
                        one.id, other.id
                    )));
                }
                (None, None, _) => {
                    let ids: Vec<_> = found.iter().map(|target| &*target.id).collect();
                    let hint = if ids.is_empty() {
                        "no device answers".to_owned()
                    } else {
                        format!("these answer: {}", ids.join(", "))
                    };
                    return Err(Failure::refused(format_args!(
                        "there is no device `{wanted}`; {hint}"
                    )));
                }
            };
            if !chosen.iter().any(|other: &Target| other.id == target.id) {
                chosen.push(target.clone());
            }
        }
        Ok(chosen)
    }
}

impl Signature {
    /// A client of a device, which signs what it changes if there is a key.
    fn client(&self, target: &Target) -> Result<Client<Box<dyn Link>>, Failure> {
        let mut client = connect(target)?;
        if let Some(path) = &self.key {
            let key = file::secret(path, &self.password)?;
            client
                .sign_with(key)
                .map_err(|error| told(target, &error))?;
        }
        Ok(client)
    }
}

/// A client of a device, on the best way to it.
fn connect(target: &Target) -> Result<Client<Box<dyn Link>>, Failure> {
    let Some(address) = target.addresses.first() else {
        return Err(Failure::refused(format_args!(
            "{}: there is no way to it",
            target.id
        )));
    };
    let link = address
        .open()
        .map_err(|error| Failure::refused(format_args!("{address}: {error}")))?;
    let mut client = Client::new(link, seed(), Patience::default());
    client.meet().map_err(|error| told(target, &error))?;
    Ok(client)
}

/// What a device did not do, as a message.
fn told(target: &Target, error: &Error) -> Failure {
    Failure::refused(format_args!("{}: {error}", target.id))
}

/// Does something with each device; what failed is said at the end.
fn each(
    targets: &[Target],
    mut with: impl FnMut(&Target) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failures = targets.iter().filter_map(|target| with(target).err());
    all(failures)
}

/// Several failures as one.
fn all(failures: impl Iterator<Item = Failure>) -> Result<(), Failure> {
    let sum = failures.reduce(|mut sum, next| {
        sum.status = sum.status.max(next.status);
        sum.messages.extend(next.messages);
        sum
    });
    sum.map_or(Ok(()), Err)
}

pub(crate) fn run(targets: &Targets) -> Result<(), Failure> {
    use rune_smp::own::command;
    match targets {
        Targets::Ls(args) => ls::run(args),
        Targets::Cast(args) => cast::run(args),
        Targets::Status(args) => status::run(args),
        Targets::Logs(args) => logs::run(args),
        Targets::Rollback(args) => act::run(args, command::ROLLBACK),
        Targets::Rm(args) => act::run(args, command::REMOVE),
        Targets::Start(args) => act::run(args, command::START),
        Targets::Stop(args) => act::run(args, command::STOP),
        Targets::Reboot(args) => act::reboot(args),
        Targets::Provision(args) => provision::run(args),
        Targets::Monitor(args) => monitor::run(args),
    }
}
