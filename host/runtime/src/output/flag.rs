//! Sinks as flags name them: `--out NAME=file:PATH`.

use std::{num::NonZeroU32, path::PathBuf};

use rune_abi::Manifest;

use super::sink::{Delivery, FileSink, HttpSink, MqttSink, Sink, TtySink};

/// What a flag may say, for messages.
const FORMS: &str = "`stdout`, `discard`, `file:PATH`, `tty:DEVICE[,BAUD]`, `mqtt://HOST[:PORT]/TOPIC` or `http://HOST/PATH`";
/// The baud rate where none is said.
pub(crate) const BAUD: NonZeroU32 = NonZeroU32::new(115_200).expect("it is not zero");
/// The port of MQTT.
pub(crate) const PORT: u16 = 1883;

/// The sink that a flag gives to each output, in the order of the manifest. A flag with a name in front is
/// for the output of that name, one without for all that no other flag names.
pub(crate) fn sinks(manifest: &Manifest, flags: &[String]) -> Result<Vec<Option<Sink>>, String> {
    let outputs = &manifest.outputs;
    let names = || {
        let names = outputs.iter().map(|o| format!("`{}`", o.name));
        names.collect::<Vec<_>>().join(" and ")
    };
    let mut sinks = vec![None; outputs.len()];
    let mut others = None;
    for flag in flags {
        let named = flag.split_once('=').and_then(|(name, value)| {
            let index = outputs.iter().position(|o| o.name == name)?;
            Some((index, value))
        });
        if outputs.is_empty() {
            return Err(format!("`--out {flag}`: the rune writes nothing"));
        }
        let value = named.map_or(flag.as_str(), |(_, value)| value);
        let sink = parse(value).map_err(|what| match flag.split_once('=') {
            Some((name, _)) if named.is_none() && !name.contains(':') => format!(
                "`--out {flag}`: the rune has no output `{name}`; it writes {}",
                names()
            ),
            _ => format!("`--out {flag}`: {what}"),
        })?;
        let place = named.map_or(&mut others, |(index, _)| &mut sinks[index]);
        if place.replace(sink).is_some() {
            return Err(format!(
                "`--out {flag}`: another `--out` is for the same output"
            ));
        }
    }
    for sink in &mut sinks {
        if sink.is_none() {
            sink.clone_from(&others);
        }
    }
    Ok(sinks)
}

fn parse(text: &str) -> Result<Sink, String> {
    let unknown = || format!("a sink is {FORMS}");
    match text {
        "stdout" => return Ok(Sink::Stdout),
        "discard" => return Ok(Sink::Discard),
        _ => {}
    }
    let (scheme, rest) = text.split_once(':').ok_or_else(unknown)?;
    match scheme {
        "file" if !rest.is_empty() => Ok(Sink::File(FileSink {
            folder: None,
            file: PathBuf::from(rest),
            max_bytes: None,
            keep: 0,
        })),
        "tty" if !rest.is_empty() => {
            let (device, baud) = match rest.rsplit_once(',') {
                None => (rest, BAUD),
                Some((device, baud)) => {
                    let number = baud.parse();
                    let baud = number.map_err(|_| format!("`{baud}` is no baud rate"))?;
                    (device, baud)
                }
            };
            let sink = TtySink {
                device: PathBuf::from(device),
                baud,
            };
            Ok(Sink::Tty(sink, Delivery::default()))
        }
        "mqtt" => {
            let rest = rest.strip_prefix("//").ok_or_else(unknown)?;
            let (address, topic) = rest.split_once('/').ok_or_else(unknown)?;
            let (host, port) = match address.rsplit_once(':') {
                Some((host, port)) if !port.contains(']') => {
                    let number = port.parse().ok().filter(|p| *p != 0);
                    (host, number.ok_or_else(|| format!("`{port}` is no port"))?)
                }
                _ => (address, PORT),
            };
            check_host(host)?;
            check_topic(topic)?;
            let sink = MqttSink {
                host: host.to_owned(),
                port,
                topic: topic.to_owned(),
                acknowledged: true,
                client_id: String::new(),
                login: None,
            };
            Ok(Sink::Mqtt(sink, Delivery::default()))
        }
        "http" | "https" => {
            check_url(text)?;
            let sink = HttpSink {
                url: text.to_owned(),
                authorization: None,
            };
            Ok(Sink::Http(sink, Delivery::default()))
        }
        _ => Err(unknown()),
    }
}

/// Whether a text can be a host; the resolver decides whether there is one.
pub(crate) fn check_host(host: &str) -> Result<(), String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@?#".contains(c);
    if host.is_empty() || host.contains(odd) {
        return Err(format!("`{}` is no host", host.escape_debug()));
    }
    Ok(())
}

/// Whether messages can be published to a topic.
pub(crate) fn check_topic(topic: &str) -> Result<(), String> {
    if topic.is_empty()
        || topic.len() > usize::from(u16::MAX)
        || topic.contains(|c: char| c == '+' || c == '#' || c.is_control())
    {
        let topic = topic.escape_debug();
        return Err(format!(
            "`{topic}` is no topic to publish to: it must not be empty or have `+`, `#` or control characters"
        ));
    }
    Ok(())
}

/// Whether a text can be the URL of a webhook.
pub(crate) fn check_url(url: &str) -> Result<(), String> {
    if url.starts_with("https:") {
        let what = "this version has no TLS: use `http` to a proxy on this machine";
        return Err(what.to_owned());
    }
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let (host, _) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    if url.contains(|c: char| !c.is_ascii_graphic()) || check_host(host).is_err() {
        let url = url.escape_debug();
        return Err(format!("`{url}` is not of the form `http://HOST/PATH`"));
    }
    Ok(())
}
