//! Requests to one registry: TLS, credentials, answers with bounds.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use ureq::{
    Agent, Body, SendBody,
    config::{Config, RedirectAuthHeaders},
    http::{HeaderMap, Request, Response, Uri, header},
    tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem},
};

use crate::{
    Error,
    auth::{self, Challenge, Credentials},
};

/// Where systems keep the certificates of those they trust.
const BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// Most bytes of an answer with a token, or with the reason of a refusal.
const MOST_ANSWER: u64 = 64 << 10;
/// Most bytes of a file of certificates.
const MOST_BUNDLE: u64 = 8 << 20;

/// How to talk to registries.
#[derive(Clone, Debug)]
pub struct Options {
    /// A file of certificates, in PEM, to trust in place of the system's.
    pub ca: Option<PathBuf>,
    /// Talk without TLS. It is tried with registries on this computer in any case, where TLS is not spoken.
    pub plain_http: bool,
    /// How long nothing may come.
    pub patience: Duration,
    /// Docker's configuration, where names and passwords are, or programs that keep them.
    pub docker_config: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca: None,
            plain_http: false,
            patience: Duration::from_secs(30),
            docker_config: auth::file(),
        }
    }
}

/// What is sent with a request.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// Nothing, with a method that sends nothing.
    None,
    /// Bytes, of this type.
    Bytes(&'a str, &'a [u8]),
    /// A file of so many bytes.
    File(&'a Path, u64),
}

/// A request.
pub(crate) struct Ask<'a> {
    pub(crate) method: &'static str,
    /// Its address, or its path at the registry.
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) content: Content<'a>,
    /// What is wanted of a repository, where a token must say it: `pull`, or `pull,push`.
    pub(crate) scope: &'a str,
    /// Is told how many bytes of a file were sent.
    pub(crate) sent: Option<&'a mut dyn FnMut(u64)>,
}

/// A registry.
pub(crate) struct Server {
    agent: Agent,
    host: String,
    /// Scheme and host, without a `/` at the end.
    origin: String,
    credentials: Option<Credentials>,
    authorization: Option<String>,
}

impl Server {
    /// Finds out how to talk to a registry; talks to it only where it is on this computer.
    pub(crate) fn new(host: &str, is_loopback: bool, options: &Options) -> Result<Self, Error> {
        // What docker calls its hub is not where it is.
        let address = if host == "docker.io" {
            "registry-1.docker.io"
        } else {
            host
        };
        let mut server = Self {
            agent: agent(options, !options.plain_http)?,
            host: host.to_owned(),
            origin: format!("https://{address}"),
            credentials: match &options.docker_config {
                Some(path) => Credentials::find(path, host)?,
                None => None,
            },
            authorization: None,
        };
        if options.plain_http || (is_loopback && !server.speaks_tls()?) {
            server.agent = agent(options, false)?;
            server.origin = format!("http://{address}");
        }
        Ok(server)
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    fn speaks_tls(&self) -> Result<bool, Error> {
        match self.agent.get(format!("{}/v2/", self.origin)).call() {
            Ok(_) => Ok(true),
            Err(ureq::Error::Rustls(error @ rustls::Error::InvalidCertificate(_))) => {
                Err(self.lost(&ureq::Error::Rustls(error)))
            }
            Err(ureq::Error::Io(error)) if is_certificate(&error) => {
                Err(self.lost(&ureq::Error::Io(error)))
            }
            Err(_) => Ok(false),
        }
    }

    /// Asks, and once more with credentials if they are wanted. Whatever the registry answers then is given, but for
    /// being refused.
    pub(crate) fn ask(&mut self, mut ask: Ask<'_>) -> Result<Response<Body>, Error> {
        let url = self.resolve(ask.url)?;
        let mut answer = self.send(&url, &mut ask)?;
        if answer.status().as_u16() == 401 && self.is_own(&url) {
            let challenge = challenge(answer.headers());
            drain(answer.body_mut());
            self.authorization = Some(self.authorize(challenge, ask.scope)?);
            answer = self.send(&url, &mut ask)?;
        }
        match answer.status().as_u16() {
            401 => Err(self.refused(
                "it does not take the name and password that docker's configuration has for it",
            )),
            403 => {
                let message = message(answer.body_mut());
                let what = match message.as_str() {
                    "" => "whoever this is may not do that".to_owned(),
                    message => format!("whoever this is may not do that ({message})"),
                };
                Err(self.refused(&what))
            }
            _ => Ok(answer),
        }
    }

    fn refused(&self, what: &str) -> Error {
        Error::Refused {
            host: self.host.clone(),
            what: format!(
                "{what}; `docker login {0}` or `skopeo login {0}` tells it who you are",
                self.host
            ),
        }
    }

    /// An address that the registry gave, or a path at it. One of another host is taken over TLS only, unless there is
    /// none here either.
    fn resolve(&self, url: &str) -> Result<String, Error> {
        if url.starts_with('/') {
            return Ok(format!("{}{url}", self.origin));
        }
        let is_right = url.starts_with("https://")
            || (url.starts_with("http://") && self.origin.starts_with("http://"));
        if is_right && url.parse::<Uri>().is_ok() {
            return Ok(url.to_owned());
        }
        let shown: String = url.chars().take(100).collect();
        Err(Error::Format(format!(
            "{} sends us to `{}`, which is not where we go",
            self.host,
            shown.escape_debug()
        )))
    }

    /// Whether an address is of the registry itself, which alone gets to see who asks.
    fn is_own(&self, url: &str) -> bool {
        let rest = url.strip_prefix(&self.origin);
        rest.is_some_and(|rest| rest.starts_with(['/', '?']))
    }

    fn send(&self, url: &str, ask: &mut Ask<'_>) -> Result<Response<Body>, Error> {
        let mut request = Request::builder().method(ask.method).uri(url);
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        if let Some(value) = self.authorization.as_ref().filter(|_| self.is_own(url)) {
            request = request.header(header::AUTHORIZATION, value);
        }
        let bad = |error: ureq::http::Error| Error::Format(error.to_string());
        let answer = match ask.content {
            Content::None => self.agent.run(request.body(()).map_err(bad)?),
            Content::Bytes(media_type, bytes) => {
                let request = request.header(header::CONTENT_TYPE, media_type);
                self.agent.run(request.body(bytes).map_err(bad)?)
            }
            Content::File(path, size) => {
                let file = File::open(path).map_err(|error| Error::file(path, error))?;
                let mut counted = Counted {
                    file: file.take(size),
                    count: 0,
                    told: ask.sent.as_deref_mut(),
                };
                let request = request
                    .header(header::CONTENT_TYPE, "application/octet-stream")
                    .header(header::CONTENT_LENGTH, size);
                let body = SendBody::from_reader(&mut counted);
                self.agent.run(request.body(body).map_err(bad)?)
            }
        };
        answer.map_err(|error| self.lost(&error))
    }

    /// That an answer did not come, or not whole.
    pub(crate) fn lost(&self, error: &dyn std::fmt::Display) -> Error {
        let what = error.to_string();
        let host = self.host.clone();
        if what.contains("invalid peer certificate") {
            let what = format!(
                "its certificate is not one that is trusted here ({what}); --ca-file names a file with who vouches for it"
            );
            return Error::Network { host, what };
        }
        Error::Network { host, what }
    }

    /// The value of the header that a challenge asks for.
    fn authorize(&self, challenge: Option<Challenge>, scope: &str) -> Result<String, Error> {
        let Some(challenge) = challenge else {
            return Err(self.refused("it wants to know who asks, in a way that is not known here"));
        };
        match challenge {
            Challenge::Basic => {
                let header = self.credentials.as_ref().and_then(Credentials::header);
                header.ok_or_else(|| self.refused("it wants to know who asks"))
            }
            Challenge::Bearer {
                realm,
                service,
                scope: wanted,
            } => {
                let url = self.resolve(&realm)?;
                let scope = wanted.unwrap_or_else(|| scope.to_owned());
                self.token(&url, service.as_deref().unwrap_or(&self.host), &scope)
            }
        }
    }

    /// A token of where the registry says that they are had.
    fn token(&self, url: &str, service: &str, scope: &str) -> Result<String, Error> {
        let answer = match &self.credentials {
            Some(Credentials::Token(token)) => self.agent.post(url).send_form([
                ("grant_type", "refresh_token"),
                ("client_id", "rune"),
                ("service", service),
                ("scope", scope),
                ("refresh_token", token),
            ]),
            credentials => {
                let mut request = self.agent.get(url).query("service", service);
                request = request.query("scope", scope);
                if let Some(header) = credentials.as_ref().and_then(Credentials::header) {
                    request = request.header("Authorization", header);
                }
                request.call()
            }
        };
        let mut answer = answer.map_err(|error| self.lost(&error))?;
        match answer.status().as_u16() {
            200 => {}
            401 | 403 => return Err(self.refused("it gives no token")),
            status => {
                return Err(Error::Status {
                    what: "a token".to_owned(),
                    status,
                    message: message(answer.body_mut()),
                });
            }
        }
        let bytes = self.read(&mut answer, "a token", MOST_ANSWER)?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let token = answer["token"].as_str().or(answer["access_token"].as_str());
        let token = token.filter(|t| t.bytes().all(|b| (0x21..0x7f).contains(&b)) && !t.is_empty());
        let token =
            token.ok_or_else(|| Error::Format(format!("{}: its token is none", self.host)))?;
        Ok(format!("Bearer {token}"))
    }

    /// The bytes of an answer, of which there are at most so many.
    pub(crate) fn read(
        &self,
        answer: &mut Response<Body>,
        what: &'static str,
        most: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![];
        let read = answer
            .body_mut()
            .as_reader()
            .take(most + 1)
            .read_to_end(&mut bytes);
        read.map_err(|error| self.lost(&error))?;
        if bytes.len() as u64 > most {
            return Err(Error::TooLarge { what, most });
        }
        Ok(bytes)
    }
}

/// That an answer is not the one that was asked for.
pub(crate) fn unexpected(answer: &mut Response<Body>, what: &str) -> Error {
    match answer.status().as_u16() {
        404 => Error::NotFound(what.to_owned()),
        status => Error::Status {
            what: what.to_owned(),
            status,
            message: message(answer.body_mut()),
        },
    }
}

/// A file that is sent, and how much of it was.
struct Counted<'a, 'b> {
    file: io::Take<File>,
    count: u64,
    told: Option<&'a mut (dyn FnMut(u64) + 'b)>,
}

impl Read for Counted<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.count += count as u64;
        if let Some(told) = &mut self.told {
            told(self.count);
        }
        Ok(count)
    }
}

fn agent(options: &Options, only_tls: bool) -> Result<Agent, Error> {
    let mut config = Config::builder()
        .http_status_as_error(false)
        .https_only(only_tls)
        .max_redirects(5)
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .user_agent(concat!("rune/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(options.patience))
        .timeout_per_read(Some(options.patience))
        .timeout_per_write(Some(options.patience));
    if only_tls {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::new_with_certs(&trusted(options.ca.as_deref())?))
            .build();
        config = config.tls_config(tls);
    }
    Ok(config.build().new_agent())
}

/// The certificates of a file, or of the system.
fn trusted(ca: Option<&Path>) -> Result<Vec<Certificate<'static>>, Error> {
    let variable = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let path = ca.map(Path::to_owned).or(variable).or_else(|| {
        let mut bundles = BUNDLES.iter().map(PathBuf::from);
        bundles.find(|path| path.is_file())
    });
    let Some(path) = path else {
        let what = "no file with the certificates of those who are trusted is in this system; --ca-file names one";
        return Err(Error::Format(what.to_owned()));
    };
    let mut pem = vec![];
    File::open(&path)
        .and_then(|file| file.take(MOST_BUNDLE).read_to_end(&mut pem))
        .map_err(|error| Error::file(&path, error))?;
    let items = parse_pem(&pem).filter_map(Result::ok);
    let all: Vec<_> = items
        .filter_map(|item| {
            if let PemItem::Certificate(certificate) = item {
                Some(certificate)
            } else {
                None
            }
        })
        .collect();
    if all.is_empty() {
        let what = format!("{} has no certificate in PEM", path.display());
        return Err(Error::Format(what));
    }
    Ok(all)
}

fn is_certificate(error: &io::Error) -> bool {
    let inner = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut all = headers.get_all(header::WWW_AUTHENTICATE).into_iter();
    all.find_map(|value| Challenge::parse(value.to_str().ok()?))
}

/// Reads the rest of a short answer, so that its connection can be used again.
fn drain(body: &mut Body) {
    let _ = io::copy(&mut body.as_reader().take(MOST_ANSWER), &mut io::sink());
}

/// What a registry says of an error, in a line without anything that a terminal would obey.
fn message(body: &mut Body) -> String {
    let mut bytes = vec![];
    // That it says nothing is no error of its own.
    let _ = body.as_reader().take(MOST_ANSWER).read_to_end(&mut bytes);
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let first = &answer["errors"][0];
    let parts = [&first["code"], &first["message"]]
        .into_iter()
        .filter_map(Value::as_str);
    let text = parts.collect::<Vec<_>>().join(": ");
    let line: String = text.chars().take(200).collect();
    line.escape_debug().to_string()
}
