//! Frames as they are on the wire, made byte for byte.

use std::net::Ipv4Addr;

use super::{Mac, OUR, US};

/// The sum of the Internet's checksums.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

pub(super) fn ipv4(protocol: u8, from: Ipv4Addr, to: Ipv4Addr, data: &[u8]) -> Vec<u8> {
    let len = (20 + data.len()) as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 255, protocol, 0, 0];
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet.extend(from.octets());
    packet.extend(to.octets());
    let check = !sum(&packet);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
    packet.extend(data);
    packet
}

pub(super) fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    let ports = [from.1, to.1, len, 0].map(u16::to_be_bytes);
    let mut datagram = [ports.as_flattened(), data].concat();
    let pseudo = [
        &from.0.octets()[..],
        &to.0.octets(),
        &[0, 17],
        &len.to_be_bytes(),
        &datagram,
    ]
    .concat();
    let check = match !sum(&pseudo) {
        0 => 0xFFFF,
        check => check,
    };
    datagram[6..8].copy_from_slice(&check.to_be_bytes());
    ipv4(17, from.0, to.0, &datagram)
}

pub(super) fn ethernet(to: Mac, kind: u16, data: &[u8]) -> Vec<u8> {
    [&to[..], &US, &kind.to_be_bytes(), data].concat()
}

/// Types of frames.
pub(super) const IPV4: u16 = 0x0800;
pub(super) const ARP: u16 = 0x0806;

/// Who has this address, or who is it.
pub(super) fn arp(operation: u8, to: Mac, target: Ipv4Addr) -> Vec<u8> {
    let start = [0, 1, 8, 0, 6, 4, 0, operation];
    let target_mac = if operation == 1 { [0; 6] } else { to };
    let data = [
        &start[..],
        &US,
        &OUR.octets(),
        &target_mac,
        &target.octets(),
    ]
    .concat();
    ethernet(to, ARP, &data)
}
