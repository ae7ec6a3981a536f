//! `hmr targets cast`: a rune goes to devices.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use rune_terminal::{Bar, Failure};

use super::{Signature, Which, all, told};
use crate::{
    cmd::print,
    deploy::{Failed, Outcome, Step, Wish, cast},
    find::Target,
    source::{Form, Packages, Source, Talk},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    signature: Signature,
    /// A rune, an image of one, a Runefile or a folder with one, or where a registry has one: HOST/NAME:TAG
    rune: String,
    /// What devices are given of a Runefile or of what a registry has: `rune`, which they interpret, or machine code
    /// contained by `mpu`, `bounds` or `mask`; otherwise `mpu` where a device takes it, and else `rune`
    #[arg(long, value_name = "FORM", value_parser = Form::named)]
    form: Option<Form>,
    #[command(flatten)]
    talk: Talk,
    /// Leave it on trial: the device goes back by itself if it fails, and `hmr targets rollback` ends it
    #[arg(long)]
    trial: bool,
    /// Try it again although it was rolled back before
    #[arg(long)]
    anew: bool,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Seconds to wait for the first call that ends well
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    watch: u64,
    /// How many devices at once
    #[arg(short, long, value_name = "N", default_value_t = 64)]
    jobs: usize,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    // What is wrong with a file is said before devices are looked for.
    let source = Source::open(&args.rune)?;
    let targets = args.which.targets()?;
    let boards = targets.iter().map(board);
    let packages = Packages::new(&source, boards, args.form, &args.talk)?;
    let wish = Wish {
        anew: args.anew,
        trial: args.trial,
        dry_run: args.dry_run,
        watch: Duration::from_secs(args.watch),
    };
    let output = Mutex::new(Lines {
        bar: Bar::new(targets.len() > 1),
        is_one: targets.len() == 1,
        failed: None,
    });
    // Each thread takes the next device; what is held of one is a packet.
    let next = Mutex::new(targets.iter());
    let failures = Mutex::new(vec![]);
    thread::scope(|scope| {
        for _ in 0..args.jobs.clamp(1, targets.len()) {
            scope.spawn(|| {
                loop {
                    let target = lock(&next).next();
                    let Some(target) = target else {
                        break;
                    };
                    if let Err(failure) = deploy(args, &packages, &wish, target, &output) {
                        lock(&failures).push(failure);
                    }
                }
            });
        }
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let output = output.into_inner().unwrap_or_else(PoisonError::into_inner);
    drop(output.bar);
    all(failures.into_iter().chain(output.failed))
}

/// The board of a device that answered.
fn board(target: &Target) -> &str {
    &target.name
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is printed meanwhile.
struct Lines {
    bar: Bar,
    is_one: bool,
    /// Standard output is gone.
    failed: Option<Failure>,
}

impl Lines {
    fn line(&mut self, target: &Target, text: &str) {
        let line = if self.is_one {
            format!("{text}\n")
        } else {
            format!("{}: {text}\n", target.id)
        };
        if let Err(failure) = print(&line) {
            self.failed = Some(failure);
        }
    }
}

fn deploy(
    args: &Args,
    packages: &Packages,
    wish: &Wish,
    target: &Target,
    output: &Mutex<Lines>,
) -> Result<(), Failure> {
    let line = |text: &str| lock(output).line(target, text);
    let package = packages
        .of(board(target))
        .ok_or_else(|| Failure::refused(format_args!("{}: there is no rune for it", target.id)))?;
    line(&format!("Deploying {} to target {}", args.rune, target.id));
    let mut client = args.signature.client(target)?;
    let outcome = cast(&mut client, package, wish, |step| match step {
        Step::Provider(about) => {
            line("Verifying provider: 100%");
            line(&format!("Provider with fqdn=runicos:{} found", about.board));
        }
        Step::Uploading(at, bytes) => {
            let mut output = lock(output);
            output.bar.show("Uploading rune", at as u64, bytes as u64);
            if at == bytes {
                output.line(target, "Uploading rune: 100%");
            }
        }
        Step::Verified => line("Verifying rune: 100%"),
        Step::Capability(kind) => line(&format!("Capability: {kind} OK: 100%")),
    });
    let name = &package.name;
    match outcome {
        Ok(Outcome::Confirmed(calls)) => {
            line(&format!(
                "Rune {name} is healthy after {calls} calls and stays"
            ));
            Ok(())
        }
        Ok(Outcome::Trial(calls)) => {
            line(&format!(
                "Rune {name} is healthy after {calls} calls, on trial"
            ));
            Ok(())
        }
        Ok(Outcome::NotCalled) => {
            line(&format!(
                "Rune {name} is on trial and was not called yet: `hmr targets status` shows how it does"
            ));
            Ok(())
        }
        Ok(Outcome::Possible) => {
            line(&format!(
                "Rune {name} could be deployed; nothing was changed"
            ));
            Ok(())
        }
        Err(Failed::Device(what, error)) => {
            let mut failure = told(target, &error);
            failure.messages = vec![format!("{}: {what}: {error}", target.id)];
            Err(failure)
        }
        Err(failed) => Err(Failure::refused(format_args!("{}: {failed}", target.id))),
    }
}
