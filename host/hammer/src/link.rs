//! What packets of SMP travel on to a device.

#[cfg(feature = "ble")]
mod ble;
mod serial;
mod udp;

use std::{fmt, io, net::SocketAddr, path::PathBuf, time::Duration};

#[cfg(feature = "ble")]
pub use ble::{Ble, near};
pub use serial::{Serial, ports};
pub use udp::{Udp, resolve};

/// A way to a device. Packets may be lost, come twice or late; none comes changed, since links have checksums.
pub trait Link {
    /// Sends a packet.
    ///
    /// # Errors
    /// The link does not work. That a packet is lost is none.
    fn send(&mut self, packet: &[u8]) -> io::Result<()>;

    /// The next packet that comes within this time; `None` where none does.
    ///
    /// # Errors
    /// The link does not work.
    fn receive(&mut self, within: Duration) -> io::Result<Option<Vec<u8>>>;

    /// The time since some instant.
    fn now(&self) -> Duration;

    /// Waits.
    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Most bytes of a packet that is sent.
    fn packet_bytes(&self) -> usize;
}

impl<L: Link + ?Sized> Link for Box<L> {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        (**self).send(packet)
    }

    fn receive(&mut self, within: Duration) -> io::Result<Option<Vec<u8>>> {
        (**self).receive(within)
    }

    fn now(&self) -> Duration {
        (**self).now()
    }

    fn pause(&mut self, time: Duration) {
        (**self).pause(time);
    }

    fn packet_bytes(&self) -> usize {
        (**self).packet_bytes()
    }
}

/// Where a device is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A serial port.
    Serial(PathBuf),
    /// A UDP port.
    Udp(SocketAddr),
    /// A device that is near, by its address or the begin of its name.
    Ble(String),
}

impl Address {
    /// The kind of link, as a list shows it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Serial(_) => "SERIAL",
            Self::Udp(_) => "WIFI",
            Self::Ble(_) => "BLE",
        }
    }

    /// Whether only who is near the device has it, and not a network.
    pub fn is_near(&self) -> bool {
        match self {
            Self::Serial(_) | Self::Ble(_) => true,
            Self::Udp(_) => false,
        }
    }

    /// Opens the way.
    ///
    /// # Errors
    /// There is no such port, or it cannot be had.
    pub fn open(&self) -> io::Result<Box<dyn Link>> {
        Ok(match self {
            Self::Serial(path) => Box::new(Serial::open(path)?),
            Self::Udp(address) => Box::new(Udp::open(*address)?),
            #[cfg(feature = "ble")]
            Self::Ble(device) => Box::new(Ble::open(device)?),
            #[cfg(not(feature = "ble"))]
            Self::Ble(_) => {
                let error = "this program is built without Bluetooth, its feature `ble`";
                return Err(io::Error::new(io::ErrorKind::Unsupported, error));
            }
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(path) => path.display().fmt(f),
            Self::Udp(address) => address.fmt(f),
            Self::Ble(device) => f.write_str(device),
        }
    }
}
