//! The service: advertised until a central comes, and there for it until it goes.

use core::{fmt, future::poll_fn, task::Poll};

use bt_hci::controller::ExternalController;
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use trouble_host::{
    Address, BleHostError, Controller, Error, HostResources,
    attribute::{AttributeTable, Characteristic, CharacteristicProp, Service},
    gap::{GAP_SERVICE_ATTRIBUTE_COUNT, GapConfig},
    gatt::{GattConnection, GattConnectionEvent, GattEvent},
    peripheral::Peripheral,
    prelude::{
        AdStructure, Advertisement, AdvertisementParameters, AttributeServer, BR_EDR_NOT_SUPPORTED,
        DefaultPacketPool, LE_GENERAL_DISCOVERABLE, Uuid,
    },
};

use rune_smp::fragments::{CHARACTERISTIC, SERVICE};

use crate::{
    IDLE, Mailbox, Port,
    transport::{Fault, Packets},
};

/// Most bytes of a name: more have no room in what answers a scan.
pub const NAME_BYTES: usize = 22;
/// Most bytes of a notification: a link that carries more is not made use of.
const PIECE: usize = 244;
/// Bytes of a notification that are the protocol's.
const ATT_HEADER: usize = 3;
/// How long a central may leave a reply lying.
const PATIENCE_NS: u64 = 10_000_000_000;
/// Bytes that an advertisement has room for.
const ADVERTISED: usize = 31;
/// Of these, what the name has: flags take three, the service eighteen, and the name two more.
const ADVERTISED_NAME: usize = ADVERTISED - 3 - 18 - 2;
/// Attributes: those that every device has, the service, its characteristic in two, and what turns notifications on.
const ATTRIBUTES: usize = GAP_SERVICE_ATTRIBUTE_COUNT + 4;

type Pool = DefaultPacketPool;

/// What a device is on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// What it is called, in at most [`NAME_BYTES`] bytes; more are cut. Those that have room stand in the advertisement.
    pub name: &'a str,
    /// Its address, the least byte first. The two highest bits are set, as those of an address that was drawn and stays.
    pub address: [u8; 6],
}

/// Why the service is no more.
#[derive(Debug)]
pub struct Stopped(BleHostError<Fault>);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the Bluetooth controller cannot be used: ")?;
        match &self.0 {
            BleHostError::Controller(fault) => fault.fmt(f),
            BleHostError::BleHost(error) => write!(f, "{error:?}"),
        }
    }
}

impl core::error::Error for Stopped {}

/// Resets a controller and offers the service on it, to one central after the other. `now_ns` is any clock that does not go
/// back. See the crate's page for who polls it, and what the mailbox is for.
pub async fn serve<P: Port, const N: usize>(
    port: P,
    identity: Identity<'_>,
    now_ns: fn() -> u64,
    mailbox: &Mailbox<N>,
) -> Stopped {
    let name = identity.name;
    let name = &name[..name.floor_char_boundary(NAME_BYTES)];
    let mut address = identity.address;
    address[5] |= 0xC0;
    // One connection, and beside the attribute protocol the channel of signals.
    let mut resources: HostResources<Pool, 1, 2> = HostResources::new();
    let controller = ExternalController::<_, 4>::new(Packets::new(port));
    let stack = trouble_host::new(controller, &mut resources)
        .set_random_address(Address::random(address))
        .build();
    let mut table: AttributeTable<'_, NoopRawMutex, ATTRIBUTES> = AttributeTable::new();
    GapConfig::default(name)
        .build(&mut table)
        .expect("the name is short enough");
    let properties = [
        CharacteristicProp::WriteWithoutResponse,
        CharacteristicProp::Notify,
    ];
    let smp: Characteristic<[u8; 0]> = {
        let mut service = table.add_service(Service::new(uuid(SERVICE)));
        service
            .add_characteristic_small(uuid(CHARACTERISTIC), properties, [])
            .build()
    };
    let server: AttributeServer<'_, NoopRawMutex, Pool, ATTRIBUTES, 1> =
        AttributeServer::new(table);
    let mut runner = stack.runner();
    let mut peripheral = stack.peripheral();
    let centrals = async {
        loop {
            mailbox.clear();
            let connection = match advertise(&mut peripheral, name).await {
                Ok(connection) => connection,
                // The controller has stopped by itself; it begins anew.
                Err(BleHostError::BleHost(Error::Timeout)) => continue,
                Err(error) => return error,
            };
            let connection = match connection.with_attribute_server(&server) {
                Ok(connection) => connection,
                Err(error) => return error.into(),
            };
            talk(&connection, &smp, now_ns, mailbox).await;
        }
    };
    match select(runner.run(), centrals).await {
        Either::First(Ok(())) => Stopped(Error::Other.into()),
        Either::First(Err(error)) | Either::Second(error) => Stopped(error),
    }
}

fn uuid(uuid: u128) -> Uuid {
    Uuid::new_long(uuid.to_le_bytes())
}

/// Lets it be found until a central is connected.
async fn advertise<'s, C: Controller>(
    peripheral: &mut Peripheral<'s, C, Pool>,
    name: &str,
) -> Result<trouble_host::connection::Connection<'s, Pool>, BleHostError<C::Error>> {
    let service = [SERVICE.to_le_bytes()];
    let short = &name[..name.floor_char_boundary(ADVERTISED_NAME)];
    // Not all centrals ask for more than the advertisement: it has as much of the name as there is room for.
    let advertised = if short == name {
        AdStructure::CompleteLocalName(name.as_bytes())
    } else {
        AdStructure::ShortenedLocalName(short.as_bytes())
    };
    let (mut first, mut second) = ([0; ADVERTISED], [0; ADVERTISED]);
    let advertised = [
        AdStructure::Flags(LE_GENERAL_DISCOVERABLE | BR_EDR_NOT_SUPPORTED),
        AdStructure::CompleteServiceUuids128(&service),
        advertised,
    ];
    let answered = [AdStructure::CompleteLocalName(name.as_bytes())];
    let room = |_| BleHostError::BleHost(Error::InsufficientSpace);
    let first_bytes = AdStructure::encode_slice(&advertised, &mut first).map_err(room)?;
    let second_bytes = AdStructure::encode_slice(&answered, &mut second).map_err(room)?;
    let data = Advertisement::ConnectableScannableUndirected {
        adv_data: &first[..first_bytes],
        scan_data: &second[..second_bytes],
    };
    let advertiser = peripheral
        .advertise(&AdvertisementParameters::default(), data)
        .await?;
    Ok(advertiser.accept().await?)
}

/// Answers a central until it has gone.
async fn talk<const N: usize>(
    connection: &GattConnection<'_, '_, Pool>,
    smp: &Characteristic<[u8; 0]>,
    now_ns: fn() -> u64,
    mailbox: &Mailbox<N>,
) {
    let mut heard = now_ns();
    loop {
        let idle = u64::try_from(IDLE.as_nanos()).unwrap_or(u64::MAX);
        let answered = poll_fn(|_| when(mailbox.is_answered()));
        let silence = passed(now_ns, heard, idle);
        match select3(connection.next(), answered, silence).await {
            Either3::First(GattConnectionEvent::Disconnected { .. }) => return,
            Either3::First(GattConnectionEvent::Gatt { event }) => {
                heard = now_ns();
                let reply = match event {
                    GattEvent::Write(write) if write.handle() == smp.handle => {
                        write.with_data(|_, piece| mailbox.piece(piece));
                        write.accept_unprocessed()
                    }
                    event @ (GattEvent::Write(_)
                    | GattEvent::Read(_)
                    | GattEvent::Other(_)
                    | GattEvent::NotAllowed(_)) => event.accept(),
                };
                // What has no room for a reply is asked again.
                if let Ok(reply) = reply {
                    select(reply.send(), passed(now_ns, heard, PATIENCE_NS)).await;
                }
            }
            // What links agree on among themselves.
            Either3::First(_) => {}
            Either3::Second(()) => {
                let late = passed(now_ns, now_ns(), PATIENCE_NS);
                if let Either::Second(()) = select(send(connection, smp, mailbox), late).await {
                    connection.raw().disconnect();
                }
                mailbox.sent();
            }
            Either3::Third(()) => {
                connection.raw().disconnect();
                heard = now_ns();
            }
        }
    }
}

/// Sends the reply in pieces that the link carries.
async fn send<const N: usize>(
    connection: &GattConnection<'_, '_, Pool>,
    smp: &Characteristic<[u8; 0]>,
    mailbox: &Mailbox<N>,
) {
    let mut piece = [0; PIECE];
    let most = usize::from(connection.raw().att_mtu());
    let most = most.saturating_sub(ATT_HEADER).clamp(1, PIECE);
    let mut sent = 0;
    loop {
        let bytes = mailbox.part(sent, &mut piece[..most]);
        if bytes == 0 {
            return;
        }
        match smp.notify_raw(connection, &piece[..bytes], false).await {
            Ok(()) => sent += bytes,
            // All packets are on their way; some will be free.
            Err(Error::OutOfMemory) => embassy_futures::yield_now().await,
            // Nobody listens.
            Err(_) => return,
        }
    }
}

fn when(is_so: bool) -> Poll<()> {
    if is_so {
        Poll::Ready(())
    } else {
        Poll::Pending
    }
}

/// Is over when so much time has passed since.
async fn passed(now_ns: fn() -> u64, since: u64, nanoseconds: u64) {
    poll_fn(|_| when(now_ns().saturating_sub(since) >= nanoseconds)).await;
}
