//! Finds devices: on serial ports by asking, on networks by multicast DNS (RFC 6762, RFC 6763), and near by what they say
//! over Bluetooth.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};

use crate::{
    client::{About, Client, Patience},
    hex,
    link::{Address, ports},
};

/// The service of devices that SMP manages.
const SERVICE: &str = "_mcumgr._udp.local.";
/// A device is asked on a serial port.
const PROBE: Patience = Patience {
    first: Duration::from_millis(250),
    tries: 2,
};

/// A device that was found.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is called: no other device has this name.
    pub id: String,
    /// What it runs on.
    pub name: String,
    /// The ways to it, the best first.
    pub addresses: Vec<Address>,
    /// What it says of itself; `None` where it does not answer.
    pub about: Option<About>,
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Search {
    /// How long to wait for answers on networks, and for devices that are near.
    pub time: Duration,
    /// Ports and addresses to ask beside those that are found.
    pub extra: Vec<Address>,
    /// Whether to look on networks, near, and at the serial ports of this machine.
    pub is_wide: bool,
}

/// All devices that answer, by their names. A device on several links is one.
///
/// # Errors
/// Multicast cannot be had.
pub fn search(search: &Search) -> Result<Vec<Target>, String> {
    let mut candidates: Vec<(Option<String>, Address)> = search
        .extra
        .iter()
        .map(|address| (None, address.clone()))
        .collect();
    if search.is_wide {
        candidates.extend(
            ports()
                .into_iter()
                .map(|port| (None, Address::Serial(port))),
        );
        let near = thread::spawn({
            let time = search.time;
            move || near(time)
        });
        candidates.extend(announced(search.time)?);
        candidates.extend(near.join().unwrap_or_default());
    }
    candidates.sort();
    candidates.dedup_by(|a, b| a.1 == b.1);
    let asked: Vec<_> = thread::scope(|scope| {
        let asking: Vec<_> = candidates
            .into_iter()
            .map(|(name, address)| {
                scope.spawn(move || {
                    let about = probe(&address);
                    (name, address, about)
                })
            })
            .collect();
        asking
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let mut targets: BTreeMap<String, Target> = BTreeMap::new();
    for (name, address, about) in asked {
        // A port at which nobody answers is no device; one that announces itself is.
        let id = match (&about, name) {
            (Some(about), name) => id(about, name, &address),
            (None, Some(name)) => name,
            (None, None) => continue,
        };
        let name = about
            .as_ref()
            .map_or_else(String::new, |about| about.board.clone());
        let target = targets.entry(id.clone()).or_insert(Target {
            id,
            name,
            addresses: vec![],
            about: None,
        });
        target.addresses.push(address);
        target.addresses.sort();
        target.about = about.or(target.about.take());
    }
    Ok(targets.into_values().collect())
}

/// What a device is called, on whichever link: the id of a locked one, its own name, what it announces, or where it is.
fn id(about: &About, announced: Option<String>, address: &Address) -> String {
    if let Some((lock, _)) = &about.lock {
        return hex(&lock.device);
    }
    let own = Some(&about.name).filter(|name| **name != about.board);
    own.cloned()
        .or(announced)
        .unwrap_or_else(|| address.to_string())
}

/// The devices that are near. Without Bluetooth there are none.
#[cfg(feature = "ble")]
fn near(time: Duration) -> Vec<(Option<String>, Address)> {
    let found = crate::link::near(time).unwrap_or_default();
    // What they say there is a part of a name.
    let found = found
        .into_iter()
        .map(|(address, _)| (None, Address::Ble(address)));
    found.collect()
}

#[cfg(not(feature = "ble"))]
fn near(_: Duration) -> Vec<(Option<String>, Address)> {
    vec![]
}

/// What a device at an address says of itself.
fn probe(address: &Address) -> Option<About> {
    let link = address.open().ok()?;
    Client::new(link, seed(), PROBE).meet().ok()
}

/// A number for the first request of a client: no two that run one after the other have the same.
pub fn seed() -> u8 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| (since.as_nanos() / 1000) as u8)
}

/// The devices that announce themselves, with the names that they have there.
fn announced(time: Duration) -> Result<Vec<(Option<String>, Address)>, String> {
    let failed = |error| format!("multicast DNS cannot be had: {error}");
    let daemon = ServiceDaemon::new().map_err(failed)?;
    let events = daemon.browse(SERVICE).map_err(failed)?;
    let until = Instant::now() + time;
    let mut found = vec![];
    while let Ok(event) = events.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if let ServiceEvent::ServiceResolved(service) = event {
            found.extend(address(&service));
        }
    }
    // Its thread ends by itself.
    let _ = daemon.shutdown();
    Ok(found)
}

/// The name and the address of a service; IPv4 before IPv6.
fn address(service: &ResolvedService) -> Option<(Option<String>, Address)> {
    let name = service.fullname.strip_suffix(SERVICE)?;
    let name = name.trim_end_matches('.').to_owned();
    let mut all: Vec<IpAddr> = service
        .addresses
        .iter()
        .map(mdns_sd::ScopedIp::to_ip_addr)
        .collect();
    all.sort();
    let address = all.into_iter().next()?;
    Some((
        Some(name),
        Address::Udp(SocketAddr::new(address, service.port)),
    ))
}
