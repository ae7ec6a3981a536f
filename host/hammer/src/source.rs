//! What a deployment begins with, a file, a Runefile or a reference, and the file that each device is given of it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rune_abi::image::{Containment, ImageView};
use rune_catalogue::Image;
use rune_registry::{Client, Named, Options, Platform, Reference, Store};
use rune_terminal::{Bar, Failure};
use rune_trust::file;
use runec::{
    Simd,
    cli::{Color, MessageFormat},
    driver::{self, Request},
    machine::{self, Machine},
    report::Reporter,
    world::Input,
};

use crate::{cmd::say, deploy::Package};

/// What a device is given of a rune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The rune, which the device interprets.
    Rune,
    /// An image contained so.
    Image(Containment),
}

impl Form {
    /// The form of a name on the command line.
    ///
    /// # Errors
    /// There is none; says which there are.
    pub fn named(name: &str) -> Result<Self, String> {
        if name == "rune" {
            return Ok(Self::Rune);
        }
        Containment::from_name(name)
            .map(Self::Image)
            .ok_or_else(|| {
                let images = Containment::ALL.map(Containment::name);
                format!("there are rune, {}", images.join(", "))
            })
    }
}

/// How registries are talked to.
#[derive(Debug, Default, clap::Args)]
pub struct Talk {
    /// Of a registry, trust the certificates in this file, in place of the system's
    #[arg(long, value_name = "FILE.pem")]
    ca_file: Option<PathBuf>,
    /// Talk without TLS to a registry that is not on this computer
    #[arg(long)]
    plain_http: bool,
}

/// What is deployed.
#[derive(Debug)]
pub enum Source {
    /// A rune or an image, the same for every device.
    File(Box<Package>),
    /// What is compiled for each kind of device.
    Runefile(Box<Input>),
    /// What a registry has, perhaps with images.
    Registry(Reference),
}

impl Source {
    /// What a word of the command line names: a file or a folder where there is one, and otherwise a reference.
    ///
    /// # Errors
    /// It cannot be read, or is neither.
    pub fn open(word: &str) -> Result<Self, Failure> {
        let path = Path::new(word);
        if !path.exists()
            && let Ok(reference) = word.parse()
        {
            return Ok(Self::Registry(reference));
        }
        if !path.is_dir() {
            let bytes = file::whole(path)?;
            let is_built = bytes.starts_with(b"\0asm") || ImageView::is_one(&bytes);
            let ends = |end| path.extension().is_some_and(|own| own == end);
            if is_built || ends("rune") || ends("img") {
                let package = Package::new(bytes)
                    .map_err(|why| Failure::usage(format_args!("{word}: it is no rune: {why}")))?;
                return Ok(Self::File(Box::new(package)));
            }
        }
        Ok(Self::Runefile(Box::new(
            Input::open(path).map_err(Failure::usage)?,
        )))
    }
}

/// The packages of a deployment, by the boards they are for.
#[derive(Debug)]
pub struct Packages(BTreeMap<Option<&'static str>, Package>);

impl Packages {
    /// Makes what each of these boards is given, before anything is sent: one package for all that are alike.
    ///
    /// # Errors
    /// There is none for one of the boards: the rune has errors, no image can be made, or a registry has none.
    pub fn new<'a>(
        source: &Source,
        boards: impl Iterator<Item = &'a str>,
        form: Option<Form>,
        talk: &Talk,
    ) -> Result<Self, Failure> {
        let mut packages = BTreeMap::new();
        for board in boards {
            let device = device_of(source, board);
            let key = device.map(Image::short_name);
            if packages.contains_key(&key) {
                continue;
            }
            let package = match source {
                Source::File(package) => (**package).clone(),
                Source::Runefile(input) => made(&input.path, compiled(input, device, form)?)?,
                Source::Registry(reference) => made(
                    &reference.to_string(),
                    pulled(reference, device, form, talk)?,
                )?,
            };
            packages.insert(key, package);
        }
        Ok(Self(packages))
    }

    /// That of a board.
    pub fn of(&self, board: &str) -> Option<&Package> {
        let own = runec::device::find(board).ok().map(Image::short_name);
        self.0.get(&own).or_else(|| self.0.get(&None))
    }
}

/// What came of a Runefile or from a registry as a package.
fn made(from: &str, bytes: Vec<u8>) -> Result<Package, Failure> {
    Package::new(bytes)
        .map_err(|why| Failure::refused(format_args!("{from}: it is no rune: {why}")))
}

/// The device that a board is; `None` where every board is given the same, or nothing is known of it.
fn device_of(source: &Source, board: &str) -> Option<&'static Image> {
    match source {
        Source::File(..) => None,
        Source::Runefile(_) | Source::Registry(_) => runec::device::find(board).ok(),
    }
}

/// How a rune is contained on a device if nothing is said: by the device, where it takes machine code.
fn containment(device: Option<&Image>, form: Option<Form>) -> Option<Containment> {
    match form {
        Some(Form::Rune) => None,
        Some(Form::Image(containment)) => Some(containment),
        None => device.and_then(machine::target).map(|_| Containment::Mpu),
    }
}

/// The rune of a Runefile, or its image.
fn compiled(
    input: &Input,
    device: Option<&'static Image>,
    form: Option<Form>,
) -> Result<Vec<u8>, Failure> {
    let machine = match (containment(device, form), device) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(Failure::refused(
                "an image is made for a device that takes one, and this one is none",
            ));
        }
        (Some(containment), Some(device)) => match Machine::new(device, containment) {
            Ok(machine) => Some((device, machine)),
            Err(why) if form.is_none() => {
                say(&format!(
                    "note: {} gets the rune itself, which it interprets: {why}",
                    device.short_name()
                ));
                None
            }
            Err(why) => return Err(Failure::usage(why)),
        },
    };
    // Firmware has no vectors where it has no room for them, and every firmware takes runes without.
    let is_board = device.and_then(machine::target).is_some();
    let options = runec::Options {
        simd: if is_board { Simd::Off } else { Simd::On },
        ..runec::Options::default()
    };
    let fit = match machine {
        Some((device, _)) => machine::form(Some(device), &options),
        None => options.clone(),
    };
    let request = Request {
        build: true,
        device,
        fit: Some(fit),
        ..input.request()
    };
    let machine = machine.as_ref().map(|(device, machine)| (*device, machine));
    let compiled = machine::generate(driver::analyse(&request), &options, machine);
    Reporter::new(MessageFormat::Human, Color::Auto)
        .report(&compiled.sources, &compiled.diagnostics);
    let path = &input.path;
    match compiled.output {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(why)) => Err(Failure::refused(format_args!("{path}: no image: {why}"))),
        None => Err(Failure::refused(format_args!("{path} does not compile"))),
    }
}

/// What a registry has for a device: an image where it takes one and there is one, and otherwise the rune.
fn pulled(
    reference: &Reference,
    device: Option<&Image>,
    form: Option<Form>,
    talk: &Talk,
) -> Result<Vec<u8>, Failure> {
    let fault = |error: rune_registry::Error| Failure::usage(format_args!("{reference}: {error}"));
    let options = Options {
        ca: talk.ca_file.clone(),
        plain_http: talk.plain_http,
        ..Options::default()
    };
    let store = Store::of_user().map_err(fault)?;
    let mut client = Client::new(reference, &options).map_err(fault)?;
    let resolved = client.resolve(reference).map_err(fault)?;
    let target = containment(device, form).and(device.and_then(machine::target));
    let image = target.map(|target| Platform::image(target.name()));
    let has = |platform: &Platform| match Named::parse(&resolved.1) {
        Ok(Named::Many(index)) => index.find(platform).is_some(),
        Ok(Named::One(_)) | Err(_) => false,
    };
    let platform = match (image, form) {
        (Some(image), Some(_)) => image,
        (Some(image), None) if has(&image) => image,
        (None, Some(Form::Image(_))) => {
            return Err(Failure::refused(
                "an image is for a device that takes one, and this one is none",
            ));
        }
        (Some(_) | None, _) => Platform::wasm(),
    };
    let mut bar = Bar::new(false);
    let manifest = client
        .pull(reference, &resolved, &platform, &store, &mut |progress| {
            bar.show("Pulling rune", progress.done, progress.content.size);
        })
        .map_err(fault)?;
    let main = manifest.main(&store).map_err(fault)?;
    store.read(main).map_err(fault)
}
