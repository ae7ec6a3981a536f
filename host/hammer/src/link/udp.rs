//! UDP: a datagram is a packet.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant},
};

use rune_smp::UDP_PORT;

use super::Link;

/// Most bytes of a datagram that no link of Ethernet cuts.
const DATAGRAM: usize = 1472;
/// Most bytes of a datagram at all.
const MOST: usize = 65_535;

/// A UDP port of a device.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    begun: Instant,
}

impl Udp {
    /// A socket for one device; what comes from others never arrives.
    ///
    /// # Errors
    /// The system gives none, or knows no way there.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
        }?;
        socket.connect(address)?;
        Ok(Self {
            socket,
            begun: Instant::now(),
        })
    }
}

/// The address of `HOST` or `HOST:PORT`; without a port that of SMP.
///
/// # Errors
/// Nobody knows the host.
pub fn resolve(text: &str) -> io::Result<SocketAddr> {
    let with_port = text.to_socket_addrs();
    let mut all = with_port.or_else(|_| (text, UDP_PORT).to_socket_addrs())?;
    all.next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it has no address"))
}

/// Whether a device that is starting, or a full queue, explains an error: then the packet is lost.
fn is_loss(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut
            | io::ErrorKind::Interrupted
    )
}

impl Link for Udp {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self.socket.send(packet) {
            Err(error) if !is_loss(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn receive(&mut self, within: Duration) -> io::Result<Option<Vec<u8>>> {
        let until = Instant::now() + within;
        let mut packet = vec![0; MOST];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.recv(&mut packet) {
                Ok(bytes) => {
                    packet.truncate(bytes);
                    return Ok(Some(packet));
                }
                // Nobody is there yet; it comes at once, so there is something to wait for.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::thread::sleep(left.min(Duration::from_millis(20)));
                }
                Err(error) if is_loss(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn packet_bytes(&self) -> usize {
        DATAGRAM
    }
}
