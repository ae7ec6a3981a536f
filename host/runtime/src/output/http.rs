//! HTTP webhooks: a POST of JSON for each line, without redirects, proxies or TLS.

use std::{
    io::Read,
    sync::Arc,
    time::{Duration, Instant},
};

use ureq::{Agent, config::Config, http::Uri};

use super::sink::{HttpSink, Line, Stopped, Then, Writer, secret};

/// How much of an answer is read so that its connection can be used again.
const ANSWER: u64 = 64 << 10;

/// A webhook with a connection that is kept.
pub(super) struct Webhook {
    agent: Agent,
    url: Uri,
    authorization: Option<String>,
}

/// Reads what is needed to talk to the server; does not talk to it yet.
pub(super) fn open(sink: &HttpSink) -> Result<Webhook, String> {
    let url: Uri = sink.url.parse().map_err(|e| format!("{e}"))?;
    if url.scheme_str() != Some("http") || url.host().is_none_or(str::is_empty) {
        return Err("it is not of the form http://HOST/PATH".to_owned());
    }
    let authorization = match &sink.authorization {
        None => None,
        Some(path) => {
            let value = secret(path)?.into_iter().next().unwrap_or_default();
            if value.is_empty() || !value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
                let path = path.display();
                return Err(format!("{path}: its first line is no value of a header"));
            }
            Some(value)
        }
    };
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        // Where lines go is the policy's to say, not the environment's.
        .proxy(None)
        .user_agent(concat!("rune/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections(1)
        .build();
    Ok(Webhook {
        agent: config.new_agent(),
        url,
        authorization,
    })
}

impl Webhook {
    fn post(&self, body: &str, timeout: Duration) -> Result<(), (String, Then)> {
        let mut request = self
            .agent
            .post(&self.url)
            .config()
            .timeout_global(Some(timeout))
            .build()
            .content_type("application/json");
        if let Some(value) = &self.authorization {
            request = request.header("Authorization", value);
        }
        let mut answer = request.send(body).map_err(|error| {
            if let ureq::Error::Io(error) = error {
                return (error.to_string(), Then::Again);
            }
            (error.to_string(), Then::Again)
        })?;
        let status = answer.status().as_u16();
        // Whether the server took the line is said by now.
        let mut reader = answer.body_mut().as_reader().take(ANSWER);
        let _ = std::io::copy(&mut reader, &mut std::io::sink());
        match status {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => Err((format!("status {status}"), Then::Again)),
            _ => Err((format!("status {status}"), Then::Next)),
        }
    }
}

impl Writer for Webhook {
    fn write(&mut self, lines: &[Arc<Line>], until: Instant) -> Result<(), Stopped> {
        for (done, line) in lines.iter().enumerate() {
            let left = until.saturating_duration_since(Instant::now());
            self.post(line.content(), left.max(Duration::from_millis(1)))
                .map_err(|(what, then)| Stopped { done, what, then })?;
        }
        Ok(())
    }
}
