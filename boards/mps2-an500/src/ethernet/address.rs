//! The address that the firmware was built for: `RUNE_ETHERNET` is `dhcp`, as without it, or an address with its
//! prefix and maybe a router, as `192.168.7.2/24` or `192.168.7.2/24,192.168.7.1`.

use core::net::Ipv4Addr;

/// A static address.
#[derive(Clone, Copy)]
pub(super) struct Static {
    pub(super) address: Ipv4Addr,
    pub(super) prefix: u8,
    pub(super) router: Option<Ipv4Addr>,
}

/// What it was built for; `None` is DHCP. What makes no sense does not compile.
pub(super) const STATIC: Option<Static> = match option_env!("RUNE_ETHERNET") {
    None => None,
    Some(text) => read(text.as_bytes()),
};

const fn read(text: &[u8]) -> Option<Static> {
    if let b"" | b"dhcp" = text {
        return None;
    }
    let (address, at) = quad(text, 0);
    assert!(
        at < text.len() && text[at] == b'/',
        "RUNE_ETHERNET: a prefix is missing, as in 192.168.7.2/24"
    );
    let (prefix, at) = number(text, at + 1);
    assert!(
        prefix >= 1 && prefix <= 30,
        "RUNE_ETHERNET: a prefix has 1 to 30 bits"
    );
    assert!(
        is_host(address),
        "RUNE_ETHERNET: it is no address of a host"
    );
    let router = if at == text.len() {
        None
    } else {
        assert!(text[at] == b',', "RUNE_ETHERNET: a router follows a comma");
        let (router, at) = quad(text, at + 1);
        assert!(
            at == text.len(),
            "RUNE_ETHERNET: something follows the router"
        );
        assert!(is_host(router), "RUNE_ETHERNET: the router is no host");
        assert!(
            (router.to_bits() ^ address.to_bits()) >> (32 - prefix) == 0,
            "RUNE_ETHERNET: the router is not in the network of the address"
        );
        Some(router)
    };
    Some(Static {
        address,
        prefix: prefix as u8,
        router,
    })
}

const fn is_host(address: Ipv4Addr) -> bool {
    !address.is_multicast() && !address.is_broadcast() && address.octets()[0] != 0
}

/// Four numbers with dots between them, and where they end.
const fn quad(text: &[u8], mut at: usize) -> (Ipv4Addr, usize) {
    let (mut octets, mut i) = ([0; 4], 0);
    while i < 4 {
        if i > 0 {
            assert!(
                at < text.len() && text[at] == b'.',
                "RUNE_ETHERNET: an address has four numbers"
            );
            at += 1;
        }
        let (octet, end) = number(text, at);
        octets[i] = octet as u8;
        at = end;
        i += 1;
    }
    (Ipv4Addr::from_octets(octets), at)
}

/// A number up to 255, and where it ends.
const fn number(text: &[u8], mut at: usize) -> (u32, usize) {
    let (mut value, start) = (0, at);
    while at < text.len() && text[at].is_ascii_digit() && at < start + 3 {
        value = value * 10 + (text[at] - b'0') as u32;
        at += 1;
    }
    assert!(
        at > start && value < 256,
        "RUNE_ETHERNET: a number from 0 to 255 is missing"
    );
    (value, at)
}
