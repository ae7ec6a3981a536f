//! The output part of a policy: which keys belong to which sink, and the sinks they make.

use std::{ops::Range, path::Path, time::Duration};

use rune_abi::OutputKind;
use toml::Spanned;

use super::{
    schema::{Output, SinkKind},
    unknown,
};
use crate::output::{
    flag,
    sink::{Delivery, FileSink, HttpSink, MqttSink, Sink, TtySink},
};

type Fault = (Range<usize>, String);

/// A key, where it stands, if it does, and the sinks that have it.
type Key = (&'static str, Option<Range<usize>>, &'static [SinkKind]);

/// Sinks behind a queue.
const QUEUED: &[SinkKind] = &[SinkKind::Tty, SinkKind::Mqtt, SinkKind::Http];

impl Output {
    /// What serde does not see: a kind that there is not, keys of another sink, keys that are missing.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if OutputKind::from_name(self.kind.get_ref()).is_none() {
            let known = rune_abi::OUTPUTS.iter().map(|s| s.name);
            return Err(unknown(&self.kind, "output", known));
        }
        let own = *self.sink.get_ref();
        for (key, span, sinks) in self.keys() {
            if let Some(span) = span
                && !sinks.contains(&own)
            {
                let names: Vec<&str> = sinks.iter().map(|s| s.name()).collect();
                let what = format!(
                    "`{key}` is a key of {}, not of {}",
                    names.join(", "),
                    own.name()
                );
                return Err((span, what));
            }
        }
        let missing = |key: &str| {
            let what = format!("the sink {} needs `{key}`", own.name());
            Err((self.sink.span(), what))
        };
        match own {
            SinkKind::File if self.file.is_none() => missing("file"),
            SinkKind::Tty if self.device.is_none() => missing("device"),
            SinkKind::Mqtt if self.host.is_none() => missing("host"),
            SinkKind::Mqtt if self.topic.is_none() => missing("topic"),
            SinkKind::Http if self.url.is_none() => missing("url"),
            SinkKind::Stdout
            | SinkKind::Discard
            | SinkKind::File
            | SinkKind::Tty
            | SinkKind::Mqtt
            | SinkKind::Http => Ok(()),
        }?;
        if let (Some(keep), None) = (&self.keep, &self.max_bytes) {
            let what = "`keep` says how many files stay when `max-bytes` begins another".to_owned();
            return Err((keep.span(), what));
        }
        if let Some(keep) = &self.keep
            && *keep.get_ref() > 1000
        {
            return Err((keep.span(), "at most 1000 files stay".to_owned()));
        }
        if let Some(qos) = &self.qos
            && *qos.get_ref() > 1
        {
            return Err((qos.span(), "`qos` is 0 or 1".to_owned()));
        }
        verify(self.host.as_ref(), flag::check_host)?;
        verify(self.topic.as_ref(), flag::check_topic)?;
        verify(self.url.as_ref(), flag::check_url)
    }

    /// Every key but `kind` and `sink`.
    fn keys(&self) -> [Key; 20] {
        fn span<T>(value: Option<&Spanned<T>>) -> Option<Range<usize>> {
            value.map(Spanned::span)
        }
        let (file, mqtt) = (&[SinkKind::File], &[SinkKind::Mqtt]);
        let (tty, http) = (&[SinkKind::Tty], &[SinkKind::Http]);
        [
            ("folder", span(self.folder.as_ref()), file),
            ("file", span(self.file.as_ref()), file),
            ("max-bytes", span(self.max_bytes.as_ref()), file),
            ("keep", span(self.keep.as_ref()), file),
            ("device", span(self.device.as_ref()), tty),
            ("baud", span(self.baud.as_ref()), tty),
            ("host", span(self.host.as_ref()), mqtt),
            ("port", span(self.port.as_ref()), mqtt),
            ("topic", span(self.topic.as_ref()), mqtt),
            ("qos", span(self.qos.as_ref()), mqtt),
            ("client-id", span(self.client_id.as_ref()), mqtt),
            ("login", span(self.login.as_ref()), mqtt),
            ("url", span(self.url.as_ref()), http),
            ("authorization", span(self.authorization.as_ref()), http),
            ("when-full", span(self.when_full.as_ref()), QUEUED),
            ("queue-records", span(self.queue_records.as_ref()), QUEUED),
            ("queue-bytes", span(self.queue_bytes.as_ref()), QUEUED),
            ("timeout-ms", span(self.timeout_ms.as_ref()), QUEUED),
            ("retries", span(self.retries.as_ref()), QUEUED),
            ("drain-ms", span(self.drain_ms.as_ref()), QUEUED),
        ]
    }

    /// Makes its paths relative to the folder of the policy.
    pub(super) fn lie_beside(&mut self, folder: &Path) {
        if *self.sink.get_ref() == SinkKind::File {
            let own = self.folder.as_ref().map(|f| folder.join(f.get_ref()));
            let own = own.unwrap_or_else(|| folder.to_owned());
            self.folder = Some(Spanned::new(0..0, own));
        }
        let paths = [&mut self.device, &mut self.login, &mut self.authorization];
        for path in paths.into_iter().flatten() {
            let joined = folder.join(path.get_ref());
            *path.get_mut() = joined;
        }
    }

    /// The sink; nothing, if a key is missing, which [`check`](Self::check) does not let pass.
    pub(super) fn sink(&self) -> Option<Sink> {
        fn get<T: Clone>(value: Option<&Spanned<T>>) -> Option<T> {
            value.map(|v| v.get_ref().clone())
        }
        Some(match self.sink.get_ref() {
            SinkKind::Stdout => Sink::Stdout,
            SinkKind::Discard => Sink::Discard,
            SinkKind::File => Sink::File(FileSink {
                folder: Some(get(self.folder.as_ref()).unwrap_or_default()),
                file: get(self.file.as_ref())?,
                max_bytes: get(self.max_bytes.as_ref()),
                keep: get(self.keep.as_ref()).unwrap_or(1),
            }),
            SinkKind::Tty => {
                let sink = TtySink {
                    device: get(self.device.as_ref())?,
                    baud: get(self.baud.as_ref()).unwrap_or(flag::BAUD),
                };
                Sink::Tty(sink, self.delivery())
            }
            SinkKind::Mqtt => {
                let sink = MqttSink {
                    host: get(self.host.as_ref())?,
                    port: get(self.port.as_ref()).map_or(flag::PORT, u16::from),
                    topic: get(self.topic.as_ref())?,
                    acknowledged: get(self.qos.as_ref()) != Some(0),
                    client_id: get(self.client_id.as_ref()).unwrap_or_default(),
                    login: get(self.login.as_ref()),
                };
                Sink::Mqtt(sink, self.delivery())
            }
            SinkKind::Http => {
                let sink = HttpSink {
                    url: get(self.url.as_ref())?,
                    authorization: get(self.authorization.as_ref()),
                };
                Sink::Http(sink, self.delivery())
            }
        })
    }

    fn delivery(&self) -> Delivery {
        let otherwise = Delivery::default();
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        Delivery {
            when_full: self
                .when_full
                .as_ref()
                .map_or(otherwise.when_full, |v| *v.get_ref()),
            queue_records: self
                .queue_records
                .as_ref()
                .map_or(otherwise.queue_records, |v| v.get_ref().get() as usize),
            queue_bytes: self
                .queue_bytes
                .as_ref()
                .map_or(otherwise.queue_bytes, |v| v.get_ref().get() as usize),
            timeout: self
                .timeout_ms
                .as_ref()
                .map_or(otherwise.timeout, |v| ms(v.get_ref().get())),
            retries: self
                .retries
                .as_ref()
                .map_or(otherwise.retries, |v| *v.get_ref()),
            drain: self
                .drain_ms
                .as_ref()
                .map_or(otherwise.drain, |v| ms(*v.get_ref())),
        }
    }
}

fn verify(
    value: Option<&Spanned<String>>,
    check: fn(&str) -> Result<(), String>,
) -> Result<(), Fault> {
    match value {
        Some(value) => check(value.get_ref()).map_err(|what| (value.span(), what)),
        None => Ok(()),
    }
}
