//! The Ethernet controller LAN9118: frames in and out of its FIFOs, and starting it anew when it does not go on.
//!
//! Every wait has an end, and what a frame takes is bounded by its length.

use cortex_m::singleton;
use smoltcp::{
    phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
    time::{Duration, Instant},
    wire::EthernetAddress,
};

use crate::chip::{ETHERNET, Register};

const RX_DATA: Register = ETHERNET.register(0);
const TX_DATA: Register = ETHERNET.register(0x20);
const RX_STATUS: Register = ETHERNET.register(0x40);
const TX_STATUS: Register = ETHERNET.register(0x48);
const IRQ_CONFIG: Register = ETHERNET.register(0x54);
const INTERRUPTS: Register = ETHERNET.register(0x58);
const INTERRUPTS_ON: Register = ETHERNET.register(0x5C);
const BYTE_TEST: Register = ETHERNET.register(0x64);
const FIFO_LEVELS: Register = ETHERNET.register(0x68);
const RX_CONFIG: Register = ETHERNET.register(0x6C);
const TX_CONFIG: Register = ETHERNET.register(0x70);
const HARDWARE_CONFIG: Register = ETHERNET.register(0x74);
const RX_FIFO: Register = ETHERNET.register(0x7C);
const TX_FIFO: Register = ETHERNET.register(0x80);
const POWER: Register = ETHERNET.register(0x84);
const MAC_COMMAND: Register = ETHERNET.register(0xA4);
const MAC_DATA: Register = ETHERNET.register(0xA8);
const FLOW_CONFIG: Register = ETHERNET.register(0xAC);

/// What [`BYTE_TEST`] holds, whatever happens.
const TEST: u32 = 0x8765_4321;

const SOFT_RESET: u32 = 1;
/// 5 KB of the FIFOs are for frames to send, and a frame is sent when it is whole.
const TX_FIFO_5K_WHOLE_FRAMES: u32 = 5 << 16 | 1 << 20;
const PHY_RESET: u32 = 1 << 10;
/// When to hold up the other side, as the manual has it for this size of FIFOs.
const FLOW_LEVELS: u32 = 0x006E_3740;
/// The first received frame interrupts.
const LEVELS: u32 = 0x4800_0000;
const TRANSMITTER_ON: u32 = 1 << 1;
const IRQ_ON_HIGH_PUSH_PULL: u32 = 1 << 8 | 1 << 4 | 1;
const RECEIVED: u32 = 1 << 3;
/// Errors after which a FIFO may be out of step: of the receiver, of the transmitter, too much written.
const OUT_OF_STEP: u32 = 1 << 14 | 1 << 13 | 1 << 10;

/// Registers behind [`MAC_COMMAND`].
#[derive(Clone, Copy)]
enum Mac {
    Control = 1,
    AddressHigh,
    AddressLow,
    HashHigh,
    HashLow,
    MiiAccess,
    MiiData,
}

const BUSY: u32 = 1 << 31;
const READ: u32 = 1 << 30;

const FULL_DUPLEX: u32 = 1 << 20;
/// Groups by the hash of their address, the board by its own.
const HASH_FOR_GROUPS: u32 = 1 << 13;
const TX_ON: u32 = 1 << 3;
const RX_ON: u32 = 1 << 2;

/// The PHY inside, and its registers.
const PHY: u32 = 1;
const PHY_CONTROL: u32 = 0;
const PHY_STATUS: u32 = 1;
const PHY_OURS: u32 = 4;
const PHY_THEIRS: u32 = 5;
const MII_BUSY: u32 = 1;
const MII_WRITE: u32 = 1 << 1;
const NEGOTIATE: u32 = 1 << 12 | 1 << 9;
const LINK_IS_UP: u32 = 1 << 2;
/// Of what both sides can: 100 and 10 Mbit/s with full duplex, 100 with half. The fastest is taken.
const FULL_100: u32 = 1 << 8;
const HALF_100: u32 = 1 << 7;
const FULL_10: u32 = 1 << 6;

/// Most bytes of a frame, without its checksum.
const FRAME: usize = 1514;
/// Of a checksum.
const CHECKSUM: usize = 4;
const FRAME_WORDS: usize = FRAME.div_ceil(4);
/// Most damaged frames that are passed over at once.
const DAMAGED: usize = 8;
/// How often a register is read that should change: more than the microseconds that a reset takes.
const READS: u32 = 100_000;
/// How long the controller may take no frame.
const PATIENCE: Duration = Duration::from_secs(2);

/// The groups whose frames are received: all hosts, and multicast DNS.
const GROUPS: [[u8; 6]; 2] = [[0x01, 0x00, 0x5E, 0, 0, 1], [0x01, 0x00, 0x5E, 0, 0, 0xFB]];
const GROUP_HASHES: u64 = {
    let (mut hashes, mut i) = (0, 0);
    while i < GROUPS.len() {
        hashes |= 1 << hash(GROUPS[i]);
        i += 1;
    }
    hashes
};

/// The upper 6 bits of the checksum of Ethernet.
const fn hash(address: [u8; 6]) -> u32 {
    let (mut sum, mut i) = (u32::MAX, 0);
    while i < 48 {
        let bit = (address[i / 8] >> (i % 8) & 1) as u32;
        let is_set = sum >> 31 ^ bit != 0;
        sum = sum << 1 ^ if is_set { 0x04C1_1DB7 } else { 0 };
        i += 1;
    }
    sum >> 26
}

/// The address of a board whose controller has none: of those that everyone may use.
const NO_ADDRESS: [u8; 6] = *b"\x02RUNE\x01";

/// The controller does not do what it was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stuck;

/// What is known of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speed {
    /// In Mbit/s.
    pub(super) megabits: u8,
    pub(super) is_full_duplex: bool,
}

/// Reads a register until it is as it should be.
fn wait(register: Register, is_so: impl Fn(u32) -> bool) -> Result<u32, Stuck> {
    let mut values = (0..READS).map(|_| register.read());
    values.find(|value| is_so(*value)).ok_or(Stuck)
}

impl Mac {
    fn command(self, read: u32) -> Result<(), Stuck> {
        MAC_COMMAND.write(BUSY | read | self as u32);
        wait(MAC_COMMAND, |command| command & BUSY == 0).map(drop)
    }

    fn read(self) -> Result<u32, Stuck> {
        self.command(READ)?;
        Ok(MAC_DATA.read())
    }

    fn write(self, value: u32) -> Result<(), Stuck> {
        MAC_DATA.write(value);
        self.command(0)
    }
}

/// Has the PHY read or write one of its registers.
fn phy(register: u32, write: u32) -> Result<(), Stuck> {
    Mac::MiiAccess.write(PHY << 11 | register << 6 | write | MII_BUSY)?;
    let mut states = (0..READS).map(|_| Mac::MiiAccess.read());
    let ended = states.find(|state| !matches!(state, Ok(state) if state & MII_BUSY != 0));
    ended.ok_or(Stuck)?.map(drop)
}

fn phy_read(register: u32) -> Result<u32, Stuck> {
    phy(register, 0)?;
    Mac::MiiData.read()
}

fn phy_write(register: u32, value: u32) -> Result<(), Stuck> {
    Mac::MiiData.write(value)?;
    phy(register, MII_WRITE)
}

/// The controller. Only one is made.
pub(super) struct Lan9118 {
    address: [u8; 6],
    /// Frames as words, as the FIFOs have them.
    received: &'static mut [u32; FRAME_WORDS],
    sent: &'static mut [u32; FRAME_WORDS],
    /// When it last took a frame, or had none to take.
    went_on: Instant,
    /// Whether there is a frame that it did not take.
    waits: bool,
    /// Before then it is not started anew once more.
    restart_next: Instant,
}

impl Lan9118 {
    /// Starts the controller, if there is one. To be called once.
    pub(super) fn start() -> Result<Self, Stuck> {
        let mut controller = Self {
            address: [0; 6],
            received: singleton!(: [u32; FRAME_WORDS] = [0; FRAME_WORDS]).ok_or(Stuck)?,
            sent: singleton!(: [u32; FRAME_WORDS] = [0; FRAME_WORDS]).ok_or(Stuck)?,
            went_on: Instant::ZERO,
            waits: false,
            restart_next: Instant::ZERO,
        };
        controller.reset()?;
        Ok(controller)
    }

    /// Its hardware address.
    pub(super) fn address(&self) -> EthernetAddress {
        EthernetAddress(self.address)
    }

    /// From its reset to receiving and sending.
    fn reset(&mut self) -> Result<(), Stuck> {
        wait(BYTE_TEST, |test| test == TEST)?;
        INTERRUPTS_ON.write(0);
        HARDWARE_CONFIG.write(SOFT_RESET);
        wait(HARDWARE_CONFIG, |config| config & SOFT_RESET == 0)?;
        POWER.write(PHY_RESET);
        wait(POWER, |power| power & PHY_RESET == 0)?;
        HARDWARE_CONFIG.write(TX_FIFO_5K_WHOLE_FRAMES);
        FLOW_CONFIG.write(FLOW_LEVELS);
        FIFO_LEVELS.write(LEVELS);
        RX_CONFIG.write(0);
        // It has read its address from its EEPROM, where that has one.
        let [low, high] = [Mac::AddressLow.read()?, Mac::AddressHigh.read()?];
        let mut read = [0; 6];
        read[..4].copy_from_slice(&low.to_le_bytes());
        read[4..].copy_from_slice(&high.to_le_bytes()[..2]);
        let is_one = EthernetAddress(read).is_unicast() && read != [0; 6];
        self.address = if is_one { read } else { NO_ADDRESS };
        let mut words = [0; 8];
        words[..6].copy_from_slice(&self.address);
        for (register, word) in [Mac::AddressLow, Mac::AddressHigh]
            .into_iter()
            .zip(words.as_chunks().0)
        {
            register.write(u32::from_le_bytes(*word))?;
        }
        Mac::HashLow.write(GROUP_HASHES as u32)?;
        Mac::HashHigh.write((GROUP_HASHES >> 32) as u32)?;
        phy_write(PHY_CONTROL, NEGOTIATE)?;
        Mac::Control.write(HASH_FOR_GROUPS | FULL_DUPLEX | TX_ON | RX_ON)?;
        TX_CONFIG.write(TRANSMITTER_ON);
        IRQ_CONFIG.write(IRQ_ON_HIGH_PUSH_PULL);
        INTERRUPTS.write(u32::MAX);
        Ok(())
    }

    /// Starts it anew where a FIFO is out of step, or where it takes no frame for too long.
    pub(super) fn check(&mut self, now: Instant) -> Result<(), Stuck> {
        if !self.waits {
            self.went_on = now;
        }
        let is_late = now > self.went_on + PATIENCE;
        if BYTE_TEST.read() == TEST && INTERRUPTS.read() & OUT_OF_STEP == 0 && !is_late {
            return Ok(());
        }
        if now < self.restart_next {
            return Err(Stuck);
        }
        self.restart_next = now + PATIENCE;
        (self.went_on, self.waits) = (now, false);
        self.reset()
    }

    /// The speed of the link, if there is one; the controller is told how to send.
    #[expect(clippy::unused_self, reason = "who has the value has the controller")]
    pub(super) fn link(&mut self) -> Result<Option<Speed>, Stuck> {
        // The first time it tells whether the link was lost since it was last asked.
        phy_read(PHY_STATUS)?;
        if phy_read(PHY_STATUS)? & LINK_IS_UP == 0 {
            return Ok(None);
        }
        let both = phy_read(PHY_OURS)? & phy_read(PHY_THEIRS)?;
        let is_full_duplex = both & FULL_100 != 0 || both & (HALF_100 | FULL_10) == FULL_10;
        let duplex = if is_full_duplex { FULL_DUPLEX } else { 0 };
        Mac::Control.write(HASH_FOR_GROUPS | duplex | TX_ON | RX_ON)?;
        Ok(Some(Speed {
            megabits: if both & (FULL_100 | HALF_100) != 0 {
                100
            } else {
                10
            },
            is_full_duplex,
        }))
    }

    /// Lets the next frame wake the processor.
    #[expect(clippy::unused_self, reason = "who has the value has the controller")]
    pub(super) fn arm(&mut self) {
        INTERRUPTS.write(RECEIVED);
        INTERRUPTS_ON.write(RECEIVED);
    }

    /// Takes the next whole frame out; gives its bytes.
    fn take(&mut self) -> Option<usize> {
        const ERRORS: u32 = 1 << 30 | 1 << 15;
        for _ in 0..DAMAGED {
            if (RX_FIFO.read() >> 16) as u8 == 0 {
                return None;
            }
            let status = RX_STATUS.read();
            let bytes = (status >> 16 & 0x3FFF) as usize;
            let len = bytes.saturating_sub(CHECKSUM);
            let is_whole = status & ERRORS == 0 && len <= FRAME;
            for i in 0..bytes.div_ceil(4) {
                let word = RX_DATA.read();
                if let Some(place) = self.received.get_mut(i).filter(|_| is_whole) {
                    *place = word;
                }
            }
            if is_whole {
                return Some(len);
            }
        }
        None
    }

    /// Whether there is room for a frame.
    fn has_room(&mut self) -> bool {
        const COMMANDS: u32 = 8;
        let state = TX_FIFO.read();
        // What became of frames that were sent, for which the FIFO must have room.
        for _ in 0..state >> 16 & 0xFF {
            TX_STATUS.read();
        }
        self.waits = state & 0xFFFF < FRAME_WORDS as u32 * 4 + COMMANDS;
        !self.waits
    }
}

/// A frame that was received.
pub(super) struct Received<'a>(&'a [u8]);

/// Room for a frame.
pub(super) struct Room<'a>(&'a mut [u32; FRAME_WORDS]);

impl Device for Lan9118 {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Room<'_>)> {
        // A reply must have room.
        if !self.has_room() {
            return None;
        }
        let len = self.take()?;
        let received = bytes(self.received).get(..len)?;
        Some((Received(received), Room(self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        self.has_room().then_some(Room(self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        const FIRST_AND_LAST: u32 = 1 << 13 | 1 << 12;
        let result = f(&mut bytes(self.0)[..len]);
        TX_DATA.write(FIRST_AND_LAST | len as u32);
        TX_DATA.write(len as u32);
        for &word in &self.0[..len.div_ceil(4)] {
            TX_DATA.write(word);
        }
        result
    }
}

/// The bytes of words, which are little-endian here as in the FIFOs.
fn bytes(words: &mut [u32]) -> &mut [u8] {
    // SAFETY: every byte of a word is a byte, and there are four of them in each.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 4) }
}

/// The handler of the controller's interrupt: it has woken the processor, which is all it is for.
pub(crate) fn woken() {
    INTERRUPTS_ON.write(0);
}
