//! Pushing to a registry and pulling from it.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

pub use crate::http::Options;
use crate::{
    Artifact, Descriptor, Digest, Error, Index, Manifest, Named, Platform, Reference, Store,
    artifact::{missing, of_platform},
    http::{Ask, Content, Server, unexpected},
    manifest::{MOST_BYTES, to_bytes},
    media,
};

/// How often what is cut off is gone on with, as long as something comes each time.
const TRIES: u32 = 4;
/// Most bytes of a page of tags, and most pages.
const MOST_TAGS: u64 = 4 << 20;
const MOST_PAGES: usize = 100;
/// Most signatures that are looked at, and most bytes of one.
const MOST_SIGNATURES: usize = 32;
const MOST_SIGNATURE: u64 = 16 << 10;
/// What is taken for a manifest.
const ACCEPT: (&str, &str) = (
    "Accept",
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json",
);

/// How far something is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The content.
    pub content: &'a Descriptor,
    /// Bytes that are there.
    pub done: u64,
}

/// A registry that is talked to.
pub struct Client {
    server: Server,
}

impl Client {
    /// One for the registry of a reference.
    ///
    /// # Errors
    /// Where docker's configuration or certificates cannot be read, or a registry on this computer has a certificate
    /// that is not trusted.
    pub fn new(reference: &Reference, options: &Options) -> Result<Self, Error> {
        let server = Server::new(reference.host(), reference.is_loopback(), options)?;
        Ok(Self { server })
    }

    /// The bytes of what a reference names, and what they are. If it has a digest, they are of it.
    pub fn resolve(&mut self, reference: &Reference) -> Result<(Descriptor, Vec<u8>), Error> {
        let wanted = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or("latest").to_owned(),
        };
        let url = format!("/v2/{}/manifests/{wanted}", reference.name());
        let mut answer = self.server.ask(Ask {
            method: "GET",
            url: &url,
            headers: &[ACCEPT],
            content: Content::None,
            scope: &scope(reference, "pull"),
            sent: None,
        })?;
        if answer.status().as_u16() != 200 {
            return Err(unexpected(&mut answer, &format!("`{reference}`")));
        }
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let said: Option<Digest> =
            header("docker-content-digest").and_then(|text| text.parse().ok());
        let media_type = header("content-type").and_then(|t| t.split(';').next());
        let media_type = media_type.unwrap_or_default().trim().to_owned();
        let bytes = self.server.read(&mut answer, "the manifest", MOST_BYTES)?;
        let found = Descriptor::of("", &bytes);
        for wanted in [reference.digest(), said].into_iter().flatten() {
            if wanted != found.digest {
                let found = found.digest;
                return Err(Error::Digest { wanted, found });
            }
        }
        // What it is, its bytes say; the header is only for those that lose nothing by it.
        let media_type = match Named::parse(&bytes)? {
            Named::One(_) if media_type != media::INDEX => media::MANIFEST,
            Named::Many(_) if media_type != media::MANIFEST => media::INDEX,
            Named::One(_) | Named::Many(_) => {
                let what = "the registry says an index is a manifest, or the other way round";
                return Err(Error::Format(what.to_owned()));
            }
        };
        let found = Descriptor::of(media_type, &bytes);
        Ok((found, bytes))
    }

    /// Fetches into a store what was resolved, for a platform, and names it there.
    pub fn pull(
        &mut self,
        reference: &Reference,
        (root, bytes): &(Descriptor, Vec<u8>),
        platform: &Platform,
        store: &Store,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Manifest, Error> {
        store.put(&root.media_type, bytes)?;
        let manifest = match Named::parse(bytes)? {
            Named::One(manifest) => of_platform(*manifest, platform)?,
            Named::Many(index) => {
                let entry = index
                    .find(platform)
                    .ok_or_else(|| missing(&index, platform))?;
                let (found, bytes) = self.resolve(&reference.with_digest(entry.digest))?;
                store.put(&found.media_type, &bytes)?;
                Manifest::parse(&bytes)?
            }
        };
        for content in manifest.layers.iter().chain([&manifest.config]) {
            self.fetch(reference, content, store, progress)?;
        }
        store.name(&reference.to_string(), root.clone())?;
        Ok(manifest)
    }

    /// Fetches content into a store, from where an earlier try ended.
    fn fetch(
        &mut self,
        reference: &Reference,
        content: &Descriptor,
        store: &Store,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        if store.has(content) {
            return Ok(());
        }
        let path = store.partial(content.digest)?;
        let fault = |error| Error::file(&path, error);
        // Two that fetch the same would write into each other.
        let mut file = locked(&path).map_err(fault)?;
        if store.has(content) {
            // What was opened may be a new file beside what another has just put in.
            return fs::remove_file(&path).map_err(fault);
        }
        // The most that was there: what is lost again and again is no progress.
        let (mut tries, mut most) = (0, 0);
        loop {
            let before = file.seek(SeekFrom::End(0)).map_err(fault)?;
            if before > content.size {
                file.set_len(0).map_err(fault)?;
                continue;
            }
            if before == content.size {
                break;
            }
            most = most.max(before);
            match self.part(reference, content, before, &mut file, progress) {
                Ok(()) => {}
                Err(error @ Error::Network { .. }) => {
                    let after = file.seek(SeekFrom::End(0)).map_err(fault)?;
                    tries = if after > most { 0 } else { tries + 1 };
                    most = most.max(after);
                    if tries == TRIES {
                        return Err(error);
                    }
                }
                Err(error) => {
                    if matches!(error, Error::Size { .. }) {
                        let _ = fs::remove_file(&path);
                    }
                    return Err(error);
                }
            }
        }
        // Nobody else has the file until it is in the store.
        let taken = store.take(&path, content.digest);
        drop(file);
        taken
    }

    /// Fetches what is missing behind so many bytes, or as much of it as comes.
    fn part(
        &mut self,
        reference: &Reference,
        content: &Descriptor,
        from: u64,
        file: &mut fs::File,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        let digest = content.digest;
        let url = format!("/v2/{}/blobs/{digest}", reference.name());
        let range = format!("bytes={from}-");
        let headers = [("Range", range.as_str())];
        let mut answer = self.server.ask(Ask {
            method: "GET",
            url: &url,
            headers: if from == 0 { &[] } else { &headers },
            content: Content::None,
            scope: &scope(reference, "pull"),
            sent: None,
        })?;
        let fault = |error| Error::file(digest.to_string(), error);
        let mut done = match answer.status().as_u16() {
            206 if from > 0 && starts_at(answer.headers(), from) => from,
            // The registry does not go on where it was asked to: all of it comes once more.
            200 => {
                file.set_len(0).map_err(fault)?;
                0
            }
            206 | 416 => {
                file.set_len(0).map_err(fault)?;
                let what = "it goes on somewhere else than it was asked to".to_owned();
                let host = self.server.host().to_owned();
                return Err(Error::Network { host, what });
            }
            _ => {
                return Err(unexpected(&mut answer, &format!("content {digest}")));
            }
        };
        // One byte more than there may be shows that there are too many.
        let mut body = answer.body_mut().as_reader().take(content.size - done + 1);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.server.lost(&error)),
            };
            done += count as u64;
            if done > content.size {
                let wanted = content.size;
                return Err(Error::Size {
                    digest,
                    wanted,
                    found: done,
                });
            }
            file.write_all(&buffer[..count]).map_err(fault)?;
            progress(Progress { content, done });
        }
        if done == content.size {
            return Ok(());
        }
        let what = format!(
            "{digest} was cut off after {done} of {} bytes; the same command goes on from there",
            content.size
        );
        let host = self.server.host().to_owned();
        Err(Error::Network { host, what })
    }

    /// Sends an artifact of a store, under the tag or the digest of a reference.
    pub fn push(
        &mut self,
        reference: &Reference,
        root: &Descriptor,
        store: &Store,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        let bytes = store.read(root)?;
        let manifests = match Named::parse(&bytes)? {
            Named::One(manifest) => vec![*manifest],
            Named::Many(index) => {
                let mut manifests = vec![];
                for entry in &index.manifests {
                    manifests.push((entry, store.read(entry)?));
                }
                for (_, bytes) in &manifests {
                    self.push_content(reference, &Manifest::parse(bytes)?, store, progress)?;
                }
                for (entry, bytes) in manifests {
                    let own = reference.with_digest(entry.digest);
                    self.put_manifest(&own, entry, &bytes)?;
                }
                vec![]
            }
        };
        for manifest in &manifests {
            self.push_content(reference, manifest, store, progress)?;
        }
        self.put_manifest(reference, root, &bytes)
    }

    fn push_content(
        &mut self,
        reference: &Reference,
        manifest: &Manifest,
        store: &Store,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        for content in manifest.layers.iter().chain([&manifest.config]) {
            self.push_blob(reference, content, store, progress)?;
        }
        Ok(())
    }

    /// Sends content, unless it is there.
    fn push_blob(
        &mut self,
        reference: &Reference,
        content: &Descriptor,
        store: &Store,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        let (name, digest) = (reference.name(), content.digest);
        let scope = scope(reference, "pull,push");
        let url = format!("/v2/{name}/blobs/{digest}");
        let answer = self.server.ask(Ask {
            method: "HEAD",
            url: &url,
            headers: &[],
            content: Content::None,
            scope: &scope,
            sent: None,
        })?;
        if answer.status().as_u16() == 200 {
            progress(Progress {
                content,
                done: content.size,
            });
            return Ok(());
        }
        // What is sent is what its digest says, or the registry would be blamed.
        store.read(content)?;
        let mut tries = 0;
        loop {
            match self.upload(reference, content, store, &scope, progress) {
                Err(Error::Network { .. }) if tries + 1 < TRIES => tries += 1,
                done => return done,
            }
        }
    }

    fn upload(
        &mut self,
        reference: &Reference,
        content: &Descriptor,
        store: &Store,
        scope: &str,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        let (name, digest) = (reference.name(), content.digest);
        let mut answer = self.server.ask(Ask {
            method: "POST",
            url: &format!("/v2/{name}/blobs/uploads/"),
            headers: &[],
            content: Content::Bytes("application/octet-stream", &[]),
            scope,
            sent: None,
        })?;
        let what = format!("a place in `{}/{name}` for {digest}", reference.host());
        let location = answer
            .headers()
            .get("location")
            .and_then(|v| v.to_str().ok());
        let Some(location) = location.filter(|_| answer.status().as_u16() == 202) else {
            return Err(unexpected(&mut answer, &what));
        };
        let sign = if location.contains('?') { '&' } else { '?' };
        let location = format!("{location}{sign}digest={digest}");
        let mut sent = |done| progress(Progress { content, done });
        let mut answer = self.server.ask(Ask {
            method: "PUT",
            url: &location,
            headers: &[],
            content: Content::File(&store.path(digest), content.size),
            scope,
            sent: Some(&mut sent),
        })?;
        if answer.status().as_u16() == 201 {
            Ok(())
        } else {
            Err(unexpected(&mut answer, &what))
        }
    }

    fn put_manifest(
        &mut self,
        reference: &Reference,
        manifest: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let wanted = match (reference.tag(), reference.digest()) {
            (Some(tag), None) => tag.to_owned(),
            _ => manifest.digest.to_string(),
        };
        let mut answer = self.server.ask(Ask {
            method: "PUT",
            url: &format!("/v2/{}/manifests/{wanted}", reference.name()),
            headers: &[],
            content: Content::Bytes(&manifest.media_type, bytes),
            scope: &scope(reference, "pull,push"),
            sent: None,
        })?;
        if answer.status().as_u16() == 201 {
            Ok(())
        } else {
            let what = format!("the manifest of `{reference}`");
            Err(unexpected(&mut answer, &what))
        }
    }

    /// Gives what a reference names another tag.
    pub fn tag(&mut self, reference: &Reference, tag: &Reference) -> Result<Descriptor, Error> {
        let (manifest, bytes) = self.resolve(reference)?;
        self.put_manifest(tag, &manifest, &bytes)?;
        Ok(manifest)
    }

    /// The tags of a repository, sorted.
    pub fn tags(&mut self, reference: &Reference) -> Result<Vec<String>, Error> {
        let mut tags = vec![];
        let mut url = format!("/v2/{}/tags/list?n=1000", reference.name());
        for _ in 0..MOST_PAGES {
            let mut answer = self.server.ask(Ask {
                method: "GET",
                url: &url,
                headers: &[],
                content: Content::None,
                scope: &scope(reference, "pull"),
                sent: None,
            })?;
            if answer.status().as_u16() != 200 {
                let what = format!("repository `{}/{}`", reference.host(), reference.name());
                return Err(unexpected(&mut answer, &what));
            }
            let link = answer.headers().get("link").and_then(|v| v.to_str().ok());
            let next = link.and_then(next).map(str::to_owned);
            let bytes = self
                .server
                .read(&mut answer, "the list of tags", MOST_TAGS)?;
            let page: Value = serde_json::from_slice(&bytes)
                .map_err(|e| Error::Format(format!("the list of tags is none: {e}")))?;
            let page = page["tags"].as_array().map_or(&[][..], Vec::as_slice);
            // What is no tag could be anything, such as an order to the terminal.
            let page = page.iter().filter_map(Value::as_str);
            tags.extend(
                page.filter(|t| reference.with_tag(t).is_ok())
                    .map(str::to_owned),
            );
            match next {
                Some(next) => url = next,
                None => break,
            }
        }
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    /// Puts a signature beside what it is of, where registries of any age keep it: an index under a tag that is made of
    /// the digest.
    pub fn attach(
        &mut self,
        reference: &Reference,
        subject: &Descriptor,
        signature: &str,
        store: &Store,
    ) -> Result<(), Error> {
        let own = Artifact::put_signature(store, subject, signature)?;
        let bytes = store.read(&own)?;
        let manifest = Manifest::parse(&bytes)?;
        self.push_content(reference, &manifest, store, &mut |_| {})?;
        self.put_manifest(&reference.with_digest(own.digest), &own, &bytes)?;
        let place = place(reference, subject.digest)?;
        let mut index = match self.resolve(&place) {
            Ok((_, bytes)) => Index::parse(&bytes)?,
            Err(Error::NotFound(_)) => Index::new(vec![]),
            Err(error) => return Err(error),
        };
        index.manifests.retain(|entry| entry.digest != own.digest);
        index.manifests.push(own);
        let bytes = to_bytes(&index);
        self.put_manifest(&place, &Descriptor::of(media::INDEX, &bytes), &bytes)
    }

    /// The signatures beside a manifest, as minisign writes them; right or not.
    pub fn signatures(
        &mut self,
        reference: &Reference,
        subject: Digest,
    ) -> Result<Vec<String>, Error> {
        let index = match self.resolve(&place(reference, subject)?) {
            Ok((_, bytes)) => Index::parse(&bytes)?,
            Err(Error::NotFound(_)) => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let is_one = |e: &&Descriptor| e.artifact_type.as_deref() == Some(media::SIGNATURE);
        let mut texts = vec![];
        for entry in index.manifests.iter().filter(is_one).take(MOST_SIGNATURES) {
            let (_, bytes) = self.resolve(&reference.with_digest(entry.digest))?;
            let manifest = Manifest::parse(&bytes)?;
            let mut layers = manifest.layers.iter();
            let Some(layer) = layers.find(|l| l.media_type == media::MINISIG) else {
                continue;
            };
            texts.extend(self.small(reference, layer)?);
        }
        Ok(texts)
    }

    /// Content that is a short text; `None`: it is not.
    fn small(
        &mut self,
        reference: &Reference,
        content: &Descriptor,
    ) -> Result<Option<String>, Error> {
        let digest = content.digest;
        let mut answer = self.server.ask(Ask {
            method: "GET",
            url: &format!("/v2/{}/blobs/{digest}", reference.name()),
            headers: &[],
            content: Content::None,
            scope: &scope(reference, "pull"),
            sent: None,
        })?;
        if answer.status().as_u16() != 200 {
            return Err(unexpected(&mut answer, &format!("content {digest}")));
        }
        let bytes = self
            .server
            .read(&mut answer, "a signature", MOST_SIGNATURE)?;
        let found = Digest::of(&bytes);
        if found != digest {
            let wanted = digest;
            return Err(Error::Digest { wanted, found });
        }
        Ok(String::from_utf8(bytes).ok())
    }
}

/// Opens a file, or makes it, that nobody else has locked; waits for who has.
fn locked(path: &Path) -> io::Result<fs::File> {
    loop {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path)?;
        flock(&file, FlockOperation::LockExclusive)?;
        // Who had it may have moved it away or removed it.
        let now = fs::metadata(path).map(|meta| meta.ino());
        if now.is_ok_and(|now| file.metadata().is_ok_and(|own| own.ino() == now)) {
            return Ok(file);
        }
    }
}

fn scope(reference: &Reference, actions: &str) -> String {
    format!("repository:{}:{actions}", reference.name())
}

/// Where signatures of a manifest are.
fn place(reference: &Reference, subject: Digest) -> Result<Reference, Error> {
    let tag = reference.with_tag(&format!("sha256-{}", subject.hex()));
    tag.map_err(|error| Error::Format(error.to_string()))
}

/// Whether an answer begins where it was asked to.
fn starts_at(headers: &ureq::http::HeaderMap, from: u64) -> bool {
    let range = headers.get("content-range").and_then(|v| v.to_str().ok());
    let start = range
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split('-').next());
    start.and_then(|start| start.parse().ok()) == Some(from)
}

/// The address of the next page, of a header `Link`.
fn next(link: &str) -> Option<&str> {
    let (url, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("rel=\"next\"").then_some(url)
}
