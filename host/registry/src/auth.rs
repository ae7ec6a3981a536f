//! Who asks: credentials as docker keeps them, and the challenges of registries.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64ct::{Base64, Encoding};
use serde_json::Value;

use crate::Error;

/// Most bytes of docker's configuration, and of what a helper says.
const MOST_BYTES: u64 = 1 << 20;
/// The name under which docker keeps credentials of its hub.
const HUB: &str = "https://index.docker.io/v1/";

/// What a registry knows somebody by.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A name and a password.
    Basic(String, String),
    /// A token that stands for somebody who logged in.
    Token(String),
}

impl Credentials {
    /// What docker's configuration has for a registry: of a helper, if one is set, or in itself.
    pub(crate) fn find(path: &Path, host: &str) -> Result<Option<Self>, Error> {
        let mut text = String::new();
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file(path, error)),
            Ok(_) => {}
        }
        let config: Value = serde_json::from_str(&text)
            .map_err(|error| Error::Format(format!("{} is no JSON: {error}", path.display())))?;
        let key = if host == "docker.io" || host == "registry-1.docker.io" {
            HUB
        } else {
            host
        };
        let own = config["credHelpers"][key].as_str();
        if let Some(helper) = own.or_else(|| config["credsStore"].as_str())
            && let Some(found) = ask(helper, key)?
        {
            return Ok(Some(found));
        }
        let entry = [key.to_owned(), format!("https://{key}")]
            .into_iter()
            .map(|key| &config["auths"][&key])
            .find(|entry| entry.is_object());
        Ok(entry.and_then(Self::of_entry))
    }

    fn of_entry(entry: &Value) -> Option<Self> {
        let text = |key: &str| entry[key].as_str().filter(|t| !t.is_empty());
        if let Some(token) = text("identitytoken") {
            return Some(Self::Token(token.to_owned()));
        }
        let bytes = Base64::decode_vec(text("auth")?).ok()?;
        let both = String::from_utf8(bytes).ok()?;
        let (name, password) = both.split_once(':')?;
        let password = password.trim_end_matches('\0');
        Some(Self::Basic(name.to_owned(), password.to_owned()))
    }

    /// The value of a header that says a name and a password.
    pub(crate) fn header(&self) -> Option<String> {
        match self {
            Self::Basic(name, password) => {
                let both = format!("{name}:{password}");
                Some(format!("Basic {}", Base64::encode_string(both.as_bytes())))
            }
            Self::Token(_) => None,
        }
    }
}

/// Docker's configuration.
pub(crate) fn file() -> Option<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let folder = variable("DOCKER_CONFIG").or_else(|| Some(variable("HOME")?.join(".docker")));
    Some(folder?.join("config.json"))
}

/// Asks a program that keeps credentials.
fn ask(helper: &str, host: &str) -> Result<Option<Credentials>, Error> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let program = format!("docker-credential-{helper}");
    let fault = |what: String| Error::Format(format!("{program}: {what}"));
    if !helper.bytes().all(is_name) {
        return Err(fault("this is no name of a program".to_owned()));
    }
    let child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| {
        fault(format!(
            "docker's configuration names it for {host}, and it cannot be started: {error}"
        ))
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that reads nothing is asked all the same.
        let _ = stdin.write_all(host.as_bytes());
    }
    let mut said = vec![];
    if let Some(stdout) = child.stdout.take() {
        let read = stdout.take(MOST_BYTES).read_to_end(&mut said);
        read.map_err(|error| fault(error.to_string()))?;
    }
    let status = child.wait().map_err(|error| fault(error.to_string()))?;
    if !status.success() {
        let text = String::from_utf8_lossy(&said);
        // Helpers have these words for what they do not know.
        if text.contains("credentials not found") {
            return Ok(None);
        }
        let line: String = text
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect();
        return Err(fault(format!("it failed: {}", line.escape_debug())));
    }
    let answer: Value =
        serde_json::from_slice(&said).map_err(|_| fault("its answer is no JSON".to_owned()))?;
    let text = |key: &str| answer[key].as_str().map(str::to_owned);
    match (text("Username"), text("Secret")) {
        (Some(name), Some(secret)) if name == "<token>" => Ok(Some(Credentials::Token(secret))),
        (Some(name), Some(secret)) => Ok(Some(Credentials::Basic(name, secret))),
        _ => Err(fault("its answer has no Username and Secret".to_owned())),
    }
}

/// What a registry wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token of this address, for this service.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the value of a header `WWW-Authenticate`; of several challenges the one that is known.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let rest = header.trim_start();
        let (scheme, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        let mut rest = rest;
        while let Some((name, value)) = rest.split_once('=') {
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => {
                    let (value, after) = quoted.split_once('"')?;
                    (value, after.trim_start().strip_prefix(',').unwrap_or(""))
                }
                None => value.split_once(',').unwrap_or((value, "")),
            };
            let value = Some(value.trim().to_owned());
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => realm = value,
                "service" => service = value,
                "scope" => scope = value,
                _ => {}
            }
            rest = after;
        }
        Some(Self::Bearer {
            realm: realm?,
            service,
            scope,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        };
        for (header, challenge) in [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a.b/token\",service=\"a.b\",scope=\"repository:x:pull,push\"",
                Some(bearer(
                    "https://a.b/token",
                    Some("a.b"),
                    Some("repository:x:pull,push"),
                )),
            ),
            (
                "bearer service=a.b , realm=https://a.b/token",
                Some(bearer("https://a.b/token", Some("a.b"), None)),
            ),
            ("Bearer service=\"a.b\"", None),
            ("Bearer realm=\"https://a.b", None),
            ("Digest realm=\"x\"", None),
            ("", None),
        ] {
            assert_eq!(Challenge::parse(header), challenge, "{header}");
        }
    }

    /// Whatever a registry says: no panic, and an end.
    #[test]
    fn any_header_is_read_or_not() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % below as u64) as usize
        };
        let words = [
            "Bearer", "basic", " ", "realm", "=", "\"", ",", "scope", "x", "é", "\\",
        ];
        let (mut read, mut none) = (0, 0);
        for _ in 0..50_000 {
            let header: String = (0..random(14))
                .map(|_| words[random(words.len())])
                .collect();
            match Challenge::parse(&header) {
                Some(_) => read += 1,
                None => none += 1,
            }
        }
        assert!(read > 100 && none > 100, "{read} read, {none} not");
    }

    #[test]
    fn entries_of_docker_are_read() {
        let entry = |text: &str| Credentials::of_entry(&serde_json::from_str(text).unwrap());
        let basic = |name: &str, password: &str| {
            Some(Credentials::Basic(name.to_owned(), password.to_owned()))
        };
        // me:pass:word
        assert!(entry(r#"{"auth": "bWU6cGFzczp3b3Jk"}"#) == basic("me", "pass:word"));
        let token = entry(r#"{"auth": "bWU6eA==", "identitytoken": "t"}"#);
        assert!(token == Some(Credentials::Token("t".to_owned())));
        for none in [
            "{}",
            r#"{"auth": ""}"#,
            r#"{"auth": "?"}"#,
            r#"{"auth": "bWU="}"#,
        ] {
            assert!(entry(none).is_none(), "{none}");
        }
    }
}
