//! Names of artifacts in registries.

use std::{fmt, str::FromStr};

use crate::Digest;

/// `HOST[:PORT]/NAME[:TAG][@DIGEST]`, with `oci://` before it or without. It never names a file: its parts are of few
/// characters, and none of them is `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    host: String,
    name: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why text is no reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceError {
    text: String,
    what: &'static str,
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text.chars().take(80).collect();
        let text = text.escape_debug();
        let what = self.what;
        write!(
            f,
            "`{text}` names nothing in a registry: {what}; a reference is `HOST/NAME:TAG`, such as `ghcr.io/acme/gesture:1.2`"
        )
    }
}

impl std::error::Error for ReferenceError {}

impl Reference {
    /// Most bytes of host and name together, as registries have it.
    const MOST_NAME: usize = 255;
    const MOST_TAG: usize = 128;

    /// The registry, with its port where one is named.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository in it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last part of the repository: a name for files.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The tag; `latest` where neither it nor a digest is named.
    pub fn tag(&self) -> Option<&str> {
        match (&self.tag, &self.digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag.as_deref(),
        }
    }

    /// The digest, where it is named.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Whether it names a tag or a digest itself.
    pub fn is_bare(&self) -> bool {
        self.tag.is_none() && self.digest.is_none()
    }

    /// The same with another tag.
    ///
    /// # Errors
    /// Where it cannot be one.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        check_tag(tag).map_err(|what| ReferenceError {
            text: tag.to_owned(),
            what,
        })?;
        Ok(Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        })
    }

    /// The same by a digest alone.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// Whether the registry is on this computer.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.rsplit_once(':').map_or(&*self.host, |(h, _)| h);
        host == "localhost" || host.starts_with("127.") || host == "[::1]"
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.name)?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        parse(text).map_err(|what| ReferenceError {
            text: text.to_owned(),
            what,
        })
    }
}

fn parse(text: &str) -> Result<Reference, &'static str> {
    let text = text.strip_prefix("oci://").unwrap_or(text);
    if text.contains("://") {
        return Err("it has a scheme that is not `oci`");
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => {
            let digest = digest.parse();
            (
                rest,
                Some(digest.map_err(|_| "its digest is not one by SHA-256")?),
            )
        }
        None => (text, None),
    };
    let (host, rest) = rest.split_once('/').ok_or("it has no `/`")?;
    if !(host.contains(['.', ':']) || host == "localhost") {
        return Err("its first part is not the name of a host");
    }
    let (name_of_host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (host, None),
    };
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-.".contains(&b);
    let is_six = |b: u8| b.is_ascii_hexdigit() || b":.".contains(&b);
    let is_right = match name_of_host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
    {
        Some(six) => !six.is_empty() && six.bytes().all(is_six),
        None => {
            !name_of_host.is_empty()
                && name_of_host.bytes().all(is_host)
                && !name_of_host.starts_with(['-', '.'])
        }
    };
    if !is_right {
        return Err("its host is none");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
        return Err("its port is no number to 65535");
    }
    let (name, tag) = match rest.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (rest, None),
    };
    if host.len() + 1 + name.len() > Reference::MOST_NAME {
        return Err("its name is longer than 255 characters");
    }
    if !name.split('/').all(is_part) {
        return Err(
            "parts of its name are lower-case letters and digits, with single `.`, `_` or dashes between them",
        );
    }
    tag.map_or(Ok(()), check_tag)?;
    Ok(Reference {
        host: host.to_ascii_lowercase(),
        name: name.to_owned(),
        tag: tag.map(str::to_owned),
        digest,
    })
}

/// Whether a part of a name is one: letters and digits, and between them `.`, `_`, `__` or dashes.
fn is_part(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    if !ends.into_iter().all(|end| end.is_some_and(|b| is_word(*b))) {
        return false;
    }
    let mut between = part.split(|c: char| c.is_ascii() && is_word(c as u8));
    between.all(|s| ["", ".", "_", "__"].contains(&s) || s.bytes().all(|b| b == b'-'))
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let bytes = tag.as_bytes();
    let is_right = bytes.first().is_some_and(|b| is_word(*b))
        && bytes.iter().all(|b| is_word(*b) || b".-".contains(b))
        && bytes.len() <= Reference::MOST_TAG;
    if is_right {
        Ok(())
    } else {
        Err("a tag is up to 128 letters, digits, `_`, `.` and `-`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reference is when it is written and read once more.
    fn again(reference: &Reference) -> String {
        reference
            .to_string()
            .parse::<Reference>()
            .unwrap()
            .to_string()
    }

    #[test]
    fn references_are_read() {
        for (text, host, name, tag) in [
            (
                "ghcr.io/acme/gesture:1.2",
                "ghcr.io",
                "acme/gesture",
                Some("1.2"),
            ),
            ("oci://localhost/x", "localhost", "x", Some("latest")),
            (
                "127.0.0.1:5055/a/b-c/d__e:v1-rc.2",
                "127.0.0.1:5055",
                "a/b-c/d__e",
                Some("v1-rc.2"),
            ),
            ("[::1]:5000/x:y", "[::1]:5000", "x", Some("y")),
            ("GHCR.io/a", "ghcr.io", "a", Some("latest")),
        ] {
            let reference: Reference = text.parse().unwrap();
            let found = (reference.host(), reference.name(), reference.tag());
            assert_eq!(found, (host, name, tag), "{text}");
            assert_eq!(again(&reference), reference.to_string());
        }
        let digest = Digest::of(b"x");
        let text = format!("ghcr.io/a/b:1@{digest}");
        let reference: Reference = text.parse().unwrap();
        assert_eq!(
            (reference.tag(), reference.digest()),
            (Some("1"), Some(digest))
        );
        assert_eq!(reference.to_string(), text);
        let reference: Reference = format!("ghcr.io/a/b@{digest}").parse().unwrap();
        assert_eq!((reference.tag(), reference.short_name()), (None, "b"));
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = format!("ghcr.io/{}", "a".repeat(250));
        let tag = format!("ghcr.io/a:{}", "a".repeat(129));
        for text in [
            "",
            "x",
            "x/y",
            "/x/y",
            "ghcr.io/",
            "ghcr.io//x",
            "ghcr.io/../x",
            "ghcr.io/a/../../etc/passwd",
            "ghcr.io/A",
            "ghcr.io/a b",
            "ghcr.io/a:",
            "ghcr.io/a:.x",
            "ghcr.io/a:b/c",
            "ghcr.io/a@sha256:12",
            "ghcr.io/a@sha512:00",
            "ghcr.io:x/a",
            "ghcr.io:99999/a",
            "ghcr.io:+1/a",
            "-a.b/x",
            "a.b@c/x",
            "https://ghcr.io/a",
            "a.b/x?y",
            "a.b/x#y",
            "a.b/x%2e%2e",
            "a.b/a..b",
            "a.b/a___b",
            "a.b/-a",
            "a.b/a\n",
            "[/x",
            "[]:1/x",
            "user:pw@a.b/x",
            &long,
            &tag,
        ] {
            let parsed = text.parse::<Reference>();
            assert!(parsed.is_err(), "{text}: {parsed:?}");
        }
    }

    /// Whatever is taken is written as it was read, and is safe in an address.
    #[test]
    fn what_is_taken_is_of_few_characters() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let alphabet: Vec<char> = "ab1.:/@-_[]%?#A ~é\u{0}".chars().collect();
        let mut taken = 0;
        for _ in 0..200_000 {
            let tail: String = (0..random(12))
                .map(|_| alphabet[random(alphabet.len())])
                .collect();
            let text = format!("a.b/{tail}");
            if let Ok(reference) = text.parse::<Reference>() {
                taken += 1;
                assert_eq!(again(&reference), reference.to_string());
                let is_plain =
                    |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
                assert!(reference.name().bytes().all(is_plain), "{text}");
                assert!(!reference.name().contains(".."), "{text}");
            }
        }
        assert!(taken > 500, "{taken}");
    }
}
