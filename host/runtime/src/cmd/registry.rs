//! `rune push`, `pull`, `tag` and `ls`: runes in registries.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

use rune_abi::image::ImageView;
use rune_registry::{
    Artifact, Client, Descriptor, Error, Image, Options, Platform, Progress, Reference, Store,
};
use rune_terminal::{Bar, write};
use rune_trust::{
    Class, Detached, DetachedError, KeyRing, PublicKey, Signed,
    file::{self, Password},
};

use crate::{
    Rune,
    cli::{Failure, print},
};

/// How registries are talked to.
#[derive(Debug, clap::Args)]
pub(crate) struct Talk {
    /// Trust the certificates in this file, in place of the system's
    #[arg(long, value_name = "FILE.pem")]
    ca_file: Option<PathBuf>,
    /// Talk without TLS to a registry that is not on this computer
    #[arg(long)]
    plain_http: bool,
}

impl Talk {
    fn to(&self, reference: &Reference) -> Result<Client, Failure> {
        let options = Options {
            ca: self.ca_file.clone(),
            plain_http: self.plain_http,
            ..Options::default()
        };
        Client::new(reference, &options).map_err(fault)
    }
}

/// The user's file or network is at fault, or what a registry gave.
fn fault(error: Error) -> Failure {
    match error {
        Error::File { .. } | Error::Network { .. } | Error::Refused { .. } => Failure::usage(error),
        Error::NotInStore(_)
        | Error::Digest { .. }
        | Error::Size { .. }
        | Error::TooLarge { .. }
        | Error::Format(_)
        | Error::NotFound(_)
        | Error::Status { .. } => Failure::rune(error),
    }
}

impl From<rune_terminal::Failure> for Failure {
    fn from(failure: rune_terminal::Failure) -> Self {
        Self {
            status: failure.status,
            messages: failure.messages,
        }
    }
}

pub(crate) const PUSH: &str = "\
A rune that was built with --with-source is split: the rune alone is a layer, and each of its sources, so that others can
build on it by FROM. To sign the rune itself, sign it without its sources, and name a build with them by --source.

Exit status: 0 pushed, 1 refused, 2 wrong usage, or a file or a registry that cannot be reached.

Examples:
  rune push gesture.rune ghcr.io/acme/gesture:1.2
  rune push gesture.rune gesture.img ghcr.io/acme/gesture:1.2    an index with both
  rune push gesture.rune --source built.rune --sign release.key ghcr.io/acme/gesture:1.2";

#[derive(Debug, clap::Args)]
pub(crate) struct Push {
    /// A rune, and images of it for processors; then where to: HOST/NAME:TAG
    #[arg(required = true, value_name = "FILE... REFERENCE")]
    words: Vec<String>,
    /// The same rune, built with its sources, which go along
    #[arg(long, value_name = "FILE.rune")]
    source: Option<PathBuf>,
    /// Sign what is pushed with this key, beside it
    #[arg(long, value_name = "FILE.key")]
    sign: Option<PathBuf>,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    talk: Talk,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

pub(crate) const PULL: &str = "\
What is pulled goes into the store: RUNE_STORE, or rune/store in XDG_DATA_HOME, an OCI image layout.

Exit status: 0 pulled, 1 refused, 2 wrong usage, or a file or a registry that cannot be reached.

Examples:
  rune pull ghcr.io/acme/gesture:1.2 -o gesture.rune
  rune pull ghcr.io/acme/gesture:1.2 --platform cortex-m7 -o gesture.img
  rune pull ghcr.io/acme/gesture:1.2 --key release.pub    only if that key signed it";

#[derive(Debug, clap::Args)]
pub(crate) struct Pull {
    /// What: HOST/NAME:TAG, or HOST/NAME@DIGEST
    #[arg(value_name = "REFERENCE")]
    reference: Reference,
    /// Write the rune, or the image, to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What it is to run on: wasm, or the processor of an image, such as cortex-m7
    #[arg(long, value_name = "NAME", default_value = "wasm")]
    platform: String,
    /// Take only what this key has signed: a file, or an id
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// The same for the keys that a device holds
    #[arg(long, value_name = "FILE.toml")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    talk: Talk,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tag {
    /// What: HOST/NAME:TAG, or HOST/NAME@DIGEST
    #[arg(value_name = "REFERENCE")]
    reference: Reference,
    /// The other tag
    #[arg(value_name = "TAG")]
    another: String,
    #[command(flatten)]
    talk: Talk,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Ls {
    /// A repository, HOST/NAME, whose tags are listed; without one, what is in the store
    #[arg(value_name = "REPOSITORY")]
    repository: Option<Reference>,
    #[command(flatten)]
    talk: Talk,
}

/// A rune and its images, checked, as one artifact.
fn pack(files: &[String], source: Option<&Path>) -> Result<Artifact, Failure> {
    let mut artifact = Artifact::default();
    for path in files.iter().map(Path::new) {
        let refused =
            |what: &dyn Display| Failure::rune(format_args!("{}: {what}", path.display()));
        let bytes = file::whole(path)?;
        let checked = rune_core::check(&bytes).map_err(|e| refused(&e))?;
        let manifest = checked.manifest();
        let name = (manifest.name.to_owned(), manifest.version.to_string());
        if artifact.name.0.is_empty() {
            artifact.name = name;
        } else if artifact.name != name {
            let (a, b) = (&artifact.name, &name);
            let what = format!(
                "it is {} {}, and the first file is {} {}",
                b.0, b.1, a.0, a.1
            );
            return Err(refused(&what));
        }
        if let Ok(image) = ImageView::new(&bytes) {
            let target = image.target().name().to_owned();
            if artifact.images.iter().any(|image| image.target == target) {
                return Err(refused(&format_args!("it is a second image for {target}")));
            }
            artifact.images.push(Image { target, bytes });
        } else if artifact.rune.is_empty() {
            // What no runtime would take is not passed on.
            Rune::load(bytes.clone()).map_err(|e| refused(&e))?;
            split(&mut artifact, bytes).map_err(|e| refused(&e))?;
        } else {
            return Err(refused(&"it is a second rune"));
        }
    }
    if artifact.rune.is_empty() {
        let what = "there is no rune among the files, which the images are of";
        return Err(Failure::usage(what));
    }
    if let Some(path) = source {
        let refused =
            |what: &dyn Display| Failure::rune(format_args!("{}: {what}", path.display()));
        let bytes = file::whole(path)?;
        let taken = runec::source::take_out(&bytes).map_err(|e| refused(&e))?;
        let (rest, sources) = taken.ok_or_else(|| refused(&"it carries no sources"))?;
        let rest = Signed::read(&rest).map_err(|e| refused(&e))?;
        let own = Signed::read(&artifact.rune).map_err(|e| refused(&e))?;
        if rest.body() != own.body() {
            return Err(refused(&"it is another rune than the one that is pushed"));
        }
        artifact.sources = sources;
    }
    Ok(artifact)
}

/// Takes the sources out of a rune.
fn split(artifact: &mut Artifact, bytes: Vec<u8>) -> Result<(), String> {
    let Some((rest, sources)) = runec::source::take_out(&bytes)? else {
        artifact.rune = bytes;
        return Ok(());
    };
    let signed = Signed::read(&bytes).map_err(|e| e.to_string())?;
    if signed.claimed().next().is_some() {
        return Err("it is signed with its sources in it, and would not be without them; sign the rune built without \
                    --with-source, and name this one by --source"
            .to_owned());
    }
    (artifact.rune, artifact.sources) = (rest, sources);
    Ok(())
}

/// What is shown while content comes or goes.
fn show(bar: &mut Bar, Progress { content, done }: Progress<'_>) {
    let kind = content
        .media_type
        .rsplit(['/', '.'])
        .next()
        .unwrap_or_default();
    let short: String = content.digest.hex().chars().take(12).collect();
    bar.show(
        &format!("{short} {}", kind.escape_debug()),
        done,
        content.size,
    );
}

pub(crate) fn push(args: &Push) -> Result<(), Failure> {
    let (reference, files) = match args.words.split_last() {
        Some((reference, files)) if !files.is_empty() => (reference, files),
        _ => {
            return Err(Failure::usage(
                "it takes a file, and where to push it: HOST/NAME:TAG",
            ));
        }
    };
    let reference: Reference = reference.parse().map_err(Failure::usage)?;
    if reference.digest().is_some() {
        return Err(Failure::usage(
            "a rune is pushed under a tag; its digest follows from it",
        ));
    }
    let key = args.sign.as_deref();
    let key = key
        .map(|path| file::secret(path, &args.password))
        .transpose()?;
    let artifact = pack(files, args.source.as_deref())?;
    let store = Store::of_user().map_err(fault)?;
    let root = artifact.put(&store).map_err(fault)?;
    let mut client = args.talk.to(&reference)?;
    let mut bar = Bar::new(args.quiet);
    client
        .push(&reference, &root, &store, &mut |p| show(&mut bar, p))
        .map_err(fault)?;
    if let Some(key) = key {
        let bytes = store.read(&root).map_err(fault)?;
        let comment = format!("{} {}", reference, root.digest);
        let signature = Detached::sign(&key, &bytes, &comment).to_text();
        client
            .attach(&reference, &root, &signature, &store)
            .map_err(fault)?;
    }
    store
        .name(&reference.to_string(), root.clone())
        .map_err(fault)?;
    drop(bar);
    print(&format!("{}\n", reference.with_digest(root.digest)))
}

pub(crate) fn pull(args: &Pull) -> Result<(), Failure> {
    let mut keys = vec![];
    for word in &args.key {
        keys.push(file::public(word)?);
    }
    if let Some(path) = &args.keys {
        let ring = KeyRing::load(path)
            .map_err(|e| Failure::usage(format_args!("{}: {e}", path.display())))?;
        keys.extend(ring.keys(Class::Rune).iter().map(|signer| PublicKey {
            id: None,
            signer: *signer,
            class: Class::Rune,
        }));
    }
    let store = Store::of_user().map_err(fault)?;
    let mut client = args.talk.to(&args.reference)?;
    let resolved = client.resolve(&args.reference).map_err(fault)?;
    if !args.key.is_empty() || args.keys.is_some() {
        signed(&mut client, &args.reference, &resolved, &keys)?;
    }
    let platform = Platform::named(&args.platform);
    let mut bar = Bar::new(args.quiet);
    let manifest = client
        .pull(&args.reference, &resolved, &platform, &store, &mut |p| {
            show(&mut bar, p);
        })
        .map_err(fault)?;
    drop(bar);
    // Also where it is not written: what is no rune is said so.
    let main = manifest.main(&store).map_err(fault)?;
    if let Some(path) = &args.output {
        let bytes = store.read(main).map_err(fault)?;
        rune_core::check(&bytes)
            .map_err(|e| Failure::rune(format_args!("{}: {e}", args.reference)))?;
        write::whole(path, &bytes).map_err(Failure::usage)?;
    }
    print(&format!(
        "{}\n",
        args.reference.with_digest(resolved.0.digest)
    ))
}

/// Checks that one of the keys signed what a reference names.
fn signed(
    client: &mut Client,
    reference: &Reference,
    (root, bytes): &(Descriptor, Vec<u8>),
    keys: &[PublicKey],
) -> Result<(), Failure> {
    let texts = client.signatures(reference, root.digest).map_err(fault)?;
    let mut why = "nobody signed it; `rune push --sign FILE.key` does".to_owned();
    for text in &texts {
        for key in keys {
            match Detached::parse(text).and_then(|signature| signature.verify(key, bytes)) {
                Ok(()) => return Ok(()),
                Err(error @ DetachedError::Key { .. }) => {
                    why = format!("none of the keys signed it: {error}");
                }
                Err(error) => why = error.to_string(),
            }
        }
    }
    Err(Failure::rune(format_args!(
        "{reference} is not taken: {why}"
    )))
}

pub(crate) fn tag(args: &Tag) -> Result<(), Failure> {
    let tag = args
        .reference
        .with_tag(&args.another)
        .map_err(Failure::usage)?;
    let mut client = args.talk.to(&args.reference)?;
    let found = client.tag(&args.reference, &tag).map_err(fault)?;
    print(&format!("{tag}@{}\n", found.digest))
}

pub(crate) fn ls(args: &Ls) -> Result<(), Failure> {
    let lines: Vec<String> = if let Some(repository) = &args.repository {
        if !repository.is_bare() {
            let what = "tags are listed of a repository: HOST/NAME, without a tag or a digest";
            return Err(Failure::usage(what));
        }
        let tags = args.talk.to(repository)?.tags(repository).map_err(fault)?;
        // Signatures are beside what they are of, and not for people.
        let is_shown = |tag: &String| !(tag.starts_with("sha256-") && tag.len() == 71);
        tags.into_iter().filter(is_shown).collect()
    } else {
        let store = Store::of_user().map_err(fault)?;
        let names = store.names().map_err(fault)?.into_iter();
        names
            .map(|(name, entry)| format!("{} {}", entry.digest, name.escape_debug()))
            .collect()
    };
    let text = lines
        .into_iter()
        .fold(String::new(), |text, line| text + &line + "\n");
    print(&text)
}
