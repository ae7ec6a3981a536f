//! Gives boards their addresses: the part of DHCP (RFC 2131) that a board asks for.

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    thread,
};

/// Of a network card.
pub(super) type Mac = [u8; 6];

const SERVER: u16 = 67;
const CLIENT: u16 = 68;
/// What options begin with.
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Bytes before it.
const FIXED: usize = 236;
/// Seconds for which an address is given.
const LEASE: u32 = 86_400;

/// What is asked for.
const DISCOVER: u8 = 1;
const REQUEST: u8 = 3;
/// What is answered.
const OFFER: u8 = 2;
const ACK: u8 = 5;

/// Gives the cards of a network their addresses, from this one, until the process ends.
///
/// # Errors
/// The port cannot be had.
pub(super) fn serve(own: Ipv4Addr, mask: Ipv4Addr, leases: Vec<(Mac, Ipv4Addr)>) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, SERVER))?;
    socket.set_broadcast(true)?;
    let run = move || {
        let mut packet = [0; 1500];
        while let Ok((bytes, _)) = socket.recv_from(&mut packet) {
            if let Some(reply) = answer(&packet[..bytes], own, mask, &leases) {
                // What is lost is asked for again.
                let _ = socket.send_to(&reply, (Ipv4Addr::BROADCAST, CLIENT));
            }
        }
    };
    thread::Builder::new()
        .name("dhcp".to_owned())
        .spawn(run)
        .map(drop)
}

/// The answer to a packet; `None` where it is no question of one of these cards.
fn answer(
    packet: &[u8],
    own: Ipv4Addr,
    mask: Ipv4Addr,
    leases: &[(Mac, Ipv4Addr)],
) -> Option<Vec<u8>> {
    let (fixed, options) = packet.split_at_checked(FIXED)?;
    let card: Mac = *fixed.get(28..)?.first_chunk()?;
    let (_, address) = leases.iter().find(|(mac, _)| *mac == card)?;
    let kind = match (fixed[0], kind(options.strip_prefix(&COOKIE)?)?) {
        (1, DISCOVER) => OFFER,
        (1, REQUEST) => ACK,
        _ => return None,
    };
    let mut reply = fixed.to_vec();
    reply[0] = 2;
    reply[16..20].copy_from_slice(&address.octets());
    reply[20..24].copy_from_slice(&own.octets());
    reply.extend(COOKIE);
    reply.extend([53, 1, kind]);
    for (option, value) in [
        (54, own.octets()),
        (51, LEASE.to_be_bytes()),
        (1, mask.octets()),
    ] {
        reply.extend([option, 4]);
        reply.extend(value);
    }
    reply.push(255);
    Some(reply)
}

/// The kind of message, which is option 53.
fn kind(mut options: &[u8]) -> Option<u8> {
    loop {
        match *options {
            [0, ref rest @ ..] => options = rest,
            [53, 1, kind, ..] => return Some(kind),
            [255, ..] | [] => return None,
            [_, length, ref rest @ ..] => options = rest.get(usize::from(length)..)?,
            [_] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{ACK, COOKIE, DISCOVER, FIXED, OFFER, REQUEST, answer};

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 1);

    fn question(kind: u8, card: u8) -> Vec<u8> {
        let mut packet = vec![0; FIXED];
        packet[0] = 1;
        packet[4..8].copy_from_slice(b"xid!");
        packet[28..34].copy_from_slice(&[2, 0, 0, 0, 0, card]);
        // One option that is padding, one of another kind.
        [&packet[..], &COOKIE, &[0, 12, 2, 7, 7, 53, 1, kind, 255]].concat()
    }

    #[test]
    fn a_card_that_is_known_gets_its_address() {
        let leases = [([2, 0, 0, 0, 0, 1], GIVEN)];
        let ask = |packet: &[u8]| answer(packet, OWN, Ipv4Addr::new(255, 255, 0, 0), &leases);
        for (asked, answered) in [(DISCOVER, OFFER), (REQUEST, ACK)] {
            let reply = ask(&question(asked, 1)).expect("it is known");
            assert_eq!((reply[0], &reply[4..8]), (2, &b"xid!"[..]));
            assert_eq!(reply[16..20], GIVEN.octets());
            assert_eq!(reply[FIXED + 4..FIXED + 7], [53, 1, answered]);
        }
        assert_eq!(ask(&question(DISCOVER, 2)), None);
        assert_eq!(ask(&question(7, 1)), None);
        let whole = question(DISCOVER, 1);
        for length in 0..whole.len() - 2 {
            assert_eq!(ask(&whole[..length]), None, "{length}");
        }
    }
}
