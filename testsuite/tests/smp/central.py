"""A central that does what it should not; after each thing the device must answer as before.

python central.py ble CONTROLLER,ADDRESS FILE
"""

import asyncio
import json
import random
import sys

from bumble.device import Device, Peer
from bumble.hci import Address
from bumble.transport import open_transport

SERVICE = "8D53DC1D-1DB7-4CD3-868B-8A527460AA84"
CHARACTERISTIC = "DA2E7828-FBCE-4E01-AE9E-261174997C48"
ATT, SIGNALS, PAIRING = 4, 5, 6
# An echo of SMPv2: {"d": "hello"}, and what answers it: {"r": "hello"}.
ECHO = bytes([0x0A, 0, 0, 9, 0, 0, 7, 0]) + b"\xa1\x61d\x65hello"
ECHOED = b"\x61r\x65hello"


class Central:
    def __init__(self, device, address):
        self.device = device
        self.address = address
        self.random = random.Random(9)

    async def connect(self, mtu=247):
        self.link = await self.device.connect(Address(self.address))
        self.peer = Peer(self.link)
        if mtu is not None:
            await self.peer.request_mtu(mtu)
        await self.peer.discover_services()
        (service,) = self.peer.get_services_by_uuid(SERVICE)
        await service.discover_characteristics()
        (self.smp,) = service.get_characteristics_by_uuid(CHARACTERISTIC)
        self.heard = asyncio.Queue()
        await self.smp.subscribe(self.heard.put_nowait)

    async def write(self, piece):
        await self.smp.write_value(piece)

    async def leave(self):
        try:
            await self.link.disconnect()
        except Exception:
            # The device was the first to go.
            pass

    def some(self, most):
        return self.random.randbytes(self.random.randint(0, most))

    async def answers(self):
        """Whether an echo is answered, on a link of its own."""
        await self.connect()
        await self.write(ECHO)
        reply = await asyncio.wait_for(self.heard.get(), 20)
        await self.leave()
        return ECHOED in reply


async def main(kind, where, _):
    controller, address = where.split(",")
    line = await open_transport(f"tcp-client:{controller}")
    device = Device.with_hci("central", Address("F0:5C:81:00:00:02"), line.source, line.sink)
    await device.power_on()
    central = Central(device, address)
    told = {}

    # On the smallest link, and byte by byte.
    await central.connect(None)
    for size in (20, 1):
        for at in range(0, len(ECHO), size):
            await central.write(ECHO[at : at + size])
        reply = b""
        while ECHOED not in reply:
            reply += await asyncio.wait_for(central.heard.get(), 20)
    await central.leave()
    told["pieces"] = await central.answers()

    # Pieces that are no packets, faster than they are taken.
    await central.connect()
    for _ in range(300):
        await central.write(central.some(244))
    await central.leave()
    told["rubbish"] = await central.answers()

    # It goes in the middle of a packet, and the next one begins anew.
    await central.connect()
    await central.write(ECHO[:11])
    await central.leave()
    told["cut"] = await central.answers()

    # It goes before the answer comes, which the next one does not get.
    await central.connect()
    await central.write(ECHO)
    await central.leave()
    await central.connect()
    await asyncio.sleep(0.5)
    silent = central.heard.empty()
    await central.leave()
    told["gone"] = silent and await central.answers()

    # Requests of the attribute protocol that are cut, or name what does not exist.
    for opcode in (0x02, 0x04, 0x06, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x12, 0x16, 0x18, 0x1E, 0x20, 0x52, 0xD2, 0xFF):
        await central.connect()
        for length in (0, 1, 2, 3, 4, 6, 7, 19, 20, 100):
            central.link.send_l2cap_pdu(ATT, bytes([opcode]) + central.random.randbytes(length))
        await asyncio.sleep(0.05)
        await central.leave()
    told["protocol"] = await central.answers()

    # Other channels, also such as do not exist.
    for channel in (SIGNALS, PAIRING, 0, 1, 0x3A, 0x40, 0x7F):
        await central.connect()
        for _ in range(40):
            central.link.send_l2cap_pdu(channel, central.some(60))
        await asyncio.sleep(0.05)
        await central.leave()
    told["channels"] = await central.answers()
    print(json.dumps(told))
    await device.power_off()
    await line.close()


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 240))
