//! `rune serve`: the folder's server as a process: signals, messages, and word to systemd.

use std::{io, os::unix::net::UnixDatagram, path::PathBuf, sync::Arc};

use clap::Args;
use rune_trust::{Class, KeyRing, file};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{
    Signer,
    cli::{Console, Failure, runtime},
    serve::{Manage, ServeError, Server},
};

const ABOUT: &str = "\
NAME.rune in the folder runs under the policy NAME.toml, or policy.toml where it has none of its own. The policy
says too when the rune is called: [schedule] with every-ms = N, on = \"input\" or on = \"trigger\".
Installed runes are in DIR/store and run beside the files, under policies in the same way: see `rune install`.

SIGTERM and SIGINT let every call end and the outputs drain; a second one ends the process at once.

Examples:
  rune serve /srv/runes
  rune serve . --metrics 127.0.0.1:9464
  rune serve . --smp-udp 127.0.0.1
  rune ps --dir /srv/runes";

#[derive(Debug, Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Serve {
    /// The folder with the runes and their policies
    folder: PathBuf,

    /// Answer there with what the runes did: /metrics for Prometheus, /status in JSON
    #[arg(long, value_name = "HOST:PORT")]
    metrics: Option<String>,

    /// Let SMP manage the runes over UDP there; without a port it is 1337
    #[arg(long, value_name = "HOST[:PORT]")]
    smp_udp: Option<String>,

    /// Let SMP manage the runes over this serial port or pseudo terminal
    #[arg(long, value_name = "PATH")]
    smp_serial: Option<PathBuf>,

    /// Let SMP manage the runes over Bluetooth Low Energy, with this controller: tcp:HOST:PORT or a serial port, on which
    /// it speaks H4
    #[arg(long, value_name = "HCI")]
    smp_ble: Option<String>,

    /// Who may change something over SMP: a public key, in a file or as `ed25519:` and 64 digits; without any, everybody
    #[arg(long, value_name = "KEY")]
    smp_key: Vec<String>,

    /// The same for the keys of class rune in a device's key store, made by `hmr keys`
    #[arg(long, value_name = "FILE.toml")]
    smp_keys: Option<PathBuf>,

    /// Compile runes anew, and do not keep their machine code
    #[arg(long)]
    no_cache: bool,

    /// Say what happens as lines of JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Show what runes log for debugging too
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

pub(crate) fn serve(args: &Serve, console: Console) -> Result<(), Failure> {
    let keys = keys(args)?;
    // Before the first thread, so that none of them ends the process.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::usage)?;
    let say = Arc::new(move |level, rune: &str, text: &str| {
        if rune.is_empty() {
            console.say(level, text);
        } else {
            console.say(level, &format!("{rune}: {text}"));
        }
    });
    let runtime = runtime(args.no_cache, console).map_err(Failure::usage)?;
    let server = Server::start(&args.folder, args.metrics.as_deref(), runtime, say)
        .map_err(Failure::usage)?;
    server
        .manage(&Manage {
            udp: args.smp_udp.clone(),
            serial: args.smp_serial.clone(),
            ble: args.smp_ble.clone(),
            keys,
        })
        .map_err(Failure::usage)?;
    let count = server.status().len();
    console.say(
        3,
        &format!("{count} runes of {} are served", args.folder.display()),
    );
    notify("READY=1");
    signals.forever().next();
    notify("STOPPING=1");
    console.say(
        3,
        "stopping: calls end and outputs drain; once more ends at once",
    );
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            std::process::exit(130);
        }
    });
    server.stop();
    Ok(())
}

/// Who may change something over SMP.
fn keys(args: &Serve) -> Result<Vec<Signer>, Failure> {
    let mut keys = vec![];
    for word in &args.smp_key {
        keys.push(file::public(word)?.signer);
    }
    if let Some(path) = &args.smp_keys {
        let shown = path.display();
        let ring = KeyRing::load(path).map_err(|e| Failure::usage(format_args!("{shown}: {e}")))?;
        let own = ring.keys(Class::Rune);
        if own.is_empty() {
            // Otherwise everybody could.
            let why = "it has no key of class rune, so that nobody could change what runs";
            return Err(Failure::usage(format_args!("{shown}: {why}")));
        }
        keys.extend_from_slice(own);
    }
    Ok(keys)
}

/// Tells systemd, where it started this and waits for word (`sd_notify(3)`). That it cannot be told stops nothing.
fn notify(state: &str) {
    let send = || -> io::Result<()> {
        let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
            return Ok(());
        };
        UnixDatagram::unbound()?.send_to(state.as_bytes(), path)?;
        Ok(())
    };
    let _ = send();
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Refused(why) => Self {
                status: 1,
                messages: why.lines().map(str::to_owned).collect(),
            },
            ServeError::NoRune(_) | ServeError::NotInstalled(_) => Self::rune(error),
            ServeError::Io(..)
            | ServeError::Served(_)
            | ServeError::Metrics(..)
            | ServeError::Smp(..)
            | ServeError::Load(..)
            | ServeError::Store(..)
            | ServeError::Policy(_) => Self::usage(error),
        }
    }
}
