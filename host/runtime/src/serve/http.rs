//! Metrics over HTTP: `/metrics` for Prometheus and others, `/status` as JSON.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use rune_exporters::{
    load::Load,
    metrics::{self, Format, Rune},
};
use rune_saga::Snapshot;
use tiny_http::{Header, Method, Request, Response};

use super::{Phase, Server};

/// How often the thread looks whether there is a server still.
const TICK: Duration = Duration::from_millis(200);

/// Answers at an address until the server is gone; gives the address with its port.
pub(super) fn listen(
    server: &Arc<Server>,
    address: SocketAddr,
) -> Result<SocketAddr, Box<dyn std::error::Error + Send + Sync>> {
    let http = tiny_http::Server::http(address)?;
    let bound = http.server_addr().to_ip().unwrap_or(address);
    let server = Arc::downgrade(server);
    thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || {
            while server.strong_count() > 0 {
                if let Ok(Some(request)) = http.recv_timeout(TICK) {
                    answer(&server, request);
                }
            }
        })?;
    Ok(bound)
}

fn answer(server: &Weak<Server>, request: Request) {
    let Some(server) = server.upgrade() else {
        return;
    };
    let accept = request
        .headers()
        .iter()
        .find(|h| h.field.equiv("Accept"))
        .map_or("", |h| h.value.as_str());
    let path = request.url().split('?').next().unwrap_or_default();
    let (status, kind, body) = match (request.method(), path) {
        (Method::Get | Method::Head, "/metrics") => {
            let format = Format::accepted(accept);
            (200, format.content_type(), server.metrics(format))
        }
        (Method::Get | Method::Head, "/status") => {
            let status = serde_json::json!(server.status());
            (200, "application/json", status.to_string().into_bytes())
        }
        (_, "/metrics" | "/status") => (405, "text/plain", b"only GET\n".to_vec()),
        _ => (
            404,
            "text/plain",
            b"there are /metrics and /status\n".to_vec(),
        ),
    };
    let header = Header::from_bytes("Content-Type", kind).expect("it is ASCII");
    let response = Response::from_data(body)
        .with_status_code(status)
        .with_header(header);
    // Whoever asked may have gone.
    let _ = request.respond(response);
}

impl Server {
    /// What all runes did, and the load of this process and the system.
    pub fn metrics(&self, format: Format) -> Vec<u8> {
        let records: BTreeMap<String, (Phase, Vec<u8>)> = self
            .units()
            .iter()
            .map(|(name, unit)| (name.clone(), unit.record()))
            .collect();
        let runes: BTreeMap<String, Rune<'_>> = records
            .iter()
            .map(|(name, (phase, record))| {
                let phases = Phase::ALL.map(|p| (p.name(), p == *phase)).to_vec();
                let saga = Snapshot::decode(record).ok();
                (name.clone(), Rune { phases, saga })
            })
            .collect();
        let mut out = vec![];
        let load = Load::read().ok();
        metrics::write(&mut out, format, &runes, load.as_ref()).expect("memory takes everything");
        out
    }
}
