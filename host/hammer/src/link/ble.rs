//! Bluetooth Low Energy, by what the system has for it: packets in pieces that one characteristic takes and gives.

use std::{
    future::Future,
    io,
    pin::Pin,
    time::{Duration, Instant},
};

use btleplug::{
    api::{
        BDAddr, Central as _, Characteristic, Manager as _, Peripheral as _, PeripheralProperties,
        ScanFilter, ValueNotification, WriteType,
    },
    platform::{Adapter, Manager, Peripheral},
};
use futures::stream::{Stream, StreamExt as _};
use rune_smp::fragments::{Assembler, CHARACTERISTIC, SERVICE};
use tokio::{
    runtime::{Builder, Runtime},
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::Link;

/// Most bytes of a packet that is sent, until a device says how many it takes.
const PACKET: usize = 1024;
/// Most bytes of a reply.
const REPLY: usize = 16 << 10;
/// Bytes of what carries a piece that are the protocol's.
const ATT_HEADER: u16 = 3;
/// How long a device is looked for that was named.
const LOOK: Duration = Duration::from_secs(10);
/// How long it may take to connect, and to do one thing then.
const CONNECT: Duration = Duration::from_secs(15);
const STEP: Duration = Duration::from_secs(5);
/// How often it is looked what was found.
const PAUSE: Duration = Duration::from_millis(100);

type Heard = Pin<Box<dyn Stream<Item = ValueNotification> + Send>>;

/// A device that is near, and connected for as long as this is there.
pub struct Ble {
    peripheral: Peripheral,
    smp: Characteristic,
    /// There until this goes.
    heard: Option<Heard>,
    pieces: Box<Assembler<REPLY>>,
    /// Most bytes of a piece.
    piece: usize,
    begun: Instant,
    /// The last to go.
    runtime: Runtime,
}

fn failed(error: btleplug::Error) -> io::Error {
    io::Error::other(error)
}

fn none(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, what)
}

/// What is done in time.
async fn within<T>(
    time: Duration,
    does: impl Future<Output = btleplug::Result<T>>,
) -> io::Result<T> {
    match timeout(time, does).await {
        Ok(done) => done.map_err(failed),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it takes too long")),
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The first adapter of this machine.
async fn adapter() -> io::Result<Adapter> {
    let adapters = within(STEP, async { Manager::new().await?.adapters().await }).await?;
    let adapter = adapters.into_iter().next();
    adapter.ok_or_else(|| none("this machine has no Bluetooth adapter that is on"))
}

/// Where a device is: its address, or what the system has in its place.
fn address(peripheral: &Peripheral) -> String {
    let address = peripheral.address();
    if address == BDAddr::default() {
        peripheral.id().to_string()
    } else {
        address.to_string()
    }
}

/// The devices so far that offer the service.
async fn found(adapter: &Adapter) -> io::Result<Vec<(Peripheral, PeripheralProperties)>> {
    let mut found = vec![];
    for peripheral in within(STEP, adapter.peripherals()).await? {
        // One that has gone in between is none.
        if let Ok(Some(properties)) = within(STEP, peripheral.properties()).await
            && properties.services.contains(&Uuid::from_u128(SERVICE))
        {
            found.push((peripheral, properties));
        }
    }
    Ok(found)
}

async fn look(adapter: &Adapter) -> io::Result<()> {
    let filter = ScanFilter {
        services: vec![Uuid::from_u128(SERVICE)],
    };
    within(STEP, adapter.start_scan(filter)).await
}

/// The devices that offer SMP, with the addresses they have and the names that they say; what can be heard in this time.
///
/// # Errors
/// There is no Bluetooth, or it does not work.
pub fn near(time: Duration) -> io::Result<Vec<(String, String)>> {
    runtime()?.block_on(async {
        let adapter = adapter().await?;
        look(&adapter).await?;
        sleep(time).await;
        let found = found(&adapter).await?;
        // Whether it goes on looking matters to nobody.
        let _ = within(STEP, adapter.stop_scan()).await;
        let found = found.into_iter().map(|(peripheral, properties)| {
            let name = properties.local_name.unwrap_or_default();
            (address(&peripheral), name)
        });
        Ok(found.collect())
    })
}

/// The device with an address, or with a name that begins so.
async fn named(adapter: &Adapter, name: &str) -> io::Result<Peripheral> {
    let until = Instant::now() + LOOK;
    let mut looks = false;
    loop {
        let found = found(adapter).await?;
        let is_meant = |(peripheral, properties): &&(Peripheral, PeripheralProperties)| {
            let own = properties.local_name.as_deref().unwrap_or_default();
            // As much of the name is said as there is room for.
            address(peripheral).eq_ignore_ascii_case(name)
                || !own.is_empty() && (own.starts_with(name) || name.starts_with(own))
        };
        if let Some((peripheral, _)) = found.iter().find(is_meant) {
            if looks {
                let _ = within(STEP, adapter.stop_scan()).await;
            }
            return Ok(peripheral.clone());
        }
        if Instant::now() >= until {
            return Err(none("no such device is near"));
        }
        if !looks {
            look(adapter).await?;
            looks = true;
        }
        sleep(PAUSE).await;
    }
}

impl Ble {
    /// Looks for a device by its address or the begin of its name, and connects to it.
    ///
    /// # Errors
    /// There is no Bluetooth, the device is not near, or it offers no SMP.
    pub fn open(device: &str) -> io::Result<Self> {
        let runtime = runtime()?;
        let (peripheral, smp, heard) = runtime.block_on(async {
            let peripheral = named(&adapter().await?, device).await?;
            within(CONNECT, peripheral.connect()).await?;
            match Self::listen(&peripheral).await {
                Ok((smp, heard)) => Ok((peripheral, smp, heard)),
                Err(error) => {
                    // It stays the first error.
                    let _ = within(STEP, peripheral.disconnect()).await;
                    Err(error)
                }
            }
        })?;
        let piece = usize::from(peripheral.mtu().saturating_sub(ATT_HEADER).max(1));
        Ok(Self {
            peripheral,
            smp,
            heard: Some(heard),
            pieces: Box::new(Assembler::new()),
            piece,
            begun: Instant::now(),
            runtime,
        })
    }

    async fn listen(peripheral: &Peripheral) -> io::Result<(Characteristic, Heard)> {
        within(CONNECT, peripheral.discover_services()).await?;
        let mut all = peripheral.characteristics().into_iter();
        let smp = all.find(|one| {
            one.service_uuid.as_u128() == SERVICE && one.uuid.as_u128() == CHARACTERISTIC
        });
        let smp = smp.ok_or_else(|| none("it offers no SMP"))?;
        let heard = within(STEP, peripheral.notifications()).await?;
        within(STEP, peripheral.subscribe(&smp)).await?;
        Ok((smp, heard))
    }
}

impl Link for Ble {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        for piece in packet.chunks(self.piece) {
            let write = self
                .peripheral
                .write(&self.smp, piece, WriteType::WithoutResponse);
            self.runtime.block_on(within(STEP, write))?;
        }
        Ok(())
    }

    fn receive(&mut self, within: Duration) -> io::Result<Option<Vec<u8>>> {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let heard = self.heard.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            let next = async { timeout(left, heard.next()).await };
            let piece = match self.runtime.block_on(next) {
                Err(_) => return Ok(None),
                Ok(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(Some(piece)) if piece.uuid == self.smp.uuid => piece.value,
                Ok(Some(_)) => continue,
            };
            // Pieces that are no packet are a packet that was lost.
            if let Ok(Some(packet)) = self.pieces.take(&piece) {
                return Ok(Some(packet.to_vec()));
            }
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn packet_bytes(&self) -> usize {
        PACKET
    }
}

impl Drop for Ble {
    fn drop(&mut self) {
        // What listens wants to say that it does no more.
        let entered = self.runtime.enter();
        self.heard = None;
        drop(entered);
        // The next one finds it only when it is free.
        let _ = self
            .runtime
            .block_on(within(STEP, self.peripheral.disconnect()));
    }
}
