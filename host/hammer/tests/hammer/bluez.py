"""What BlueZ has on the bus for a central, with a controller at a TCP port below it: an adapter, the devices that are
heard, and of those that are connected services and characteristics. It says `ready`, and ends with standard input.

python bluez.py HOST:PORT
"""

import asyncio
import sys

from bumble.core import AdvertisingData
from bumble.device import Device, Peer
from bumble.gatt import Characteristic
from bumble.hci import Address
from bumble.transport import open_transport
from dbus_fast import BusType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface, dbus_property, method

ADAPTER = "/org/bluez/hci0"
OWN_ADDRESS = "F0:5C:81:00:00:01"
MTU = 247


def long(uuid):
    """A UUID as BlueZ writes it."""
    plain = uuid.to_hex_str()
    if len(plain) == 4:
        plain = f"0000{plain}00001000800000805F9B34FB"
    return "-".join([plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]]).lower()


def constant(interface, kind, name, value):
    """A property that is read: a method of a class, as dbus-fast wants it."""

    def get(self):
        return value(self)

    get.__name__ = name
    get.__annotations__ = {"return": kind}
    setattr(interface, name, dbus_property(access=PropertyAccess.READ)(get))


class Adapter(ServiceInterface):
    def __init__(self, host):
        self.host = host
        self.looks = False
        super().__init__("org.bluez.Adapter1")

    @method()
    def SetDiscoveryFilter(self, wanted: "a{sv}"):
        self.wanted = wanted

    @method()
    async def StartDiscovery(self):
        if not self.looks:
            self.looks = True
            await self.host.device.start_scanning()

    @method()
    async def StopDiscovery(self):
        if self.looks:
            self.looks = False
            await self.host.device.stop_scanning()

    @dbus_property()
    def Powered(self) -> "b":
        return True

    @Powered.setter
    def Powered(self, value: "b"):
        pass


for kind, name, value in [
    ("s", "Address", lambda _: OWN_ADDRESS),
    ("s", "AddressType", lambda _: "random"),
    ("s", "Name", lambda _: "bumble"),
    ("s", "Alias", lambda _: "bumble"),
    ("s", "Modalias", lambda _: "usb:v1D6Bp0246d0542"),
    ("u", "Class", lambda _: 0),
    ("u", "DiscoverableTimeout", lambda _: 0),
    ("u", "PairableTimeout", lambda _: 0),
    ("b", "Discoverable", lambda _: False),
    ("b", "Pairable", lambda _: False),
    ("b", "Discovering", lambda adapter: adapter.looks),
    ("as", "UUIDs", lambda _: []),
    ("as", "Roles", lambda _: ["central"]),
]:
    constant(Adapter, kind, name, value)


class Near(ServiceInterface):
    """A device that was heard."""

    def __init__(self, host, address, name, uuids):
        self.host = host
        self.address = address
        self.plain = address.to_string(with_type_qualifier=False)
        self.path = f"{ADAPTER}/dev_{self.plain.replace(':', '_')}"
        self.called = name
        self.uuids = uuids
        self.link = None
        self.resolved = False
        self.parts = []
        super().__init__("org.bluez.Device1")

    @method()
    async def Connect(self):
        if self.link is not None:
            return
        try:
            self.link = await asyncio.wait_for(self.host.device.connect(self.address), 10)
        except Exception as error:
            raise DBusError("org.bluez.Error.Failed", str(error))
        self.link.on("disconnection", self.gone)
        self.emit_properties_changed({"Connected": True})
        peer = Peer(self.link)
        await peer.request_mtu(MTU)
        await peer.discover_services()
        for service in peer.services:
            await service.discover_characteristics()
            path = f"{self.path}/service{service.handle:04x}"
            self.put(path, Service(self.path, long(service.uuid)))
            for one in service.characteristics:
                self.put(f"{path}/char{one.handle:04x}", Part(path, one, self.link))
        self.resolved = True
        self.emit_properties_changed({"ServicesResolved": True})

    @method()
    async def Disconnect(self):
        if self.link is not None:
            await self.link.disconnect()

    def put(self, path, interface):
        self.host.bus.export(path, interface)
        self.parts.append(path)

    def gone(self, _):
        self.link = None
        self.resolved = False
        for path in reversed(self.parts):
            self.host.bus.unexport(path)
        self.parts = []
        self.emit_properties_changed({"ServicesResolved": False, "Connected": False})


for kind, name, value in [
    ("s", "Address", lambda near: near.plain),
    ("s", "AddressType", lambda _: "random"),
    ("s", "Name", lambda near: near.called),
    ("s", "Alias", lambda near: near.called),
    ("b", "Paired", lambda _: False),
    ("b", "Trusted", lambda _: False),
    ("b", "Blocked", lambda _: False),
    ("b", "LegacyPairing", lambda _: False),
    ("n", "RSSI", lambda _: -50),
    ("b", "Connected", lambda near: near.link is not None),
    ("b", "ServicesResolved", lambda near: near.resolved),
    ("as", "UUIDs", lambda near: near.uuids),
    ("o", "Adapter", lambda _: ADAPTER),
]:
    constant(Near, kind, name, value)


class Service(ServiceInterface):
    def __init__(self, device, uuid):
        self.device = device
        self.uuid = uuid
        super().__init__("org.bluez.GattService1")


for kind, name, value in [
    ("s", "UUID", lambda service: service.uuid),
    ("b", "Primary", lambda _: True),
    ("o", "Device", lambda service: service.device),
    ("ao", "Includes", lambda _: []),
]:
    constant(Service, kind, name, value)


class Part(ServiceInterface):
    """A characteristic."""

    def __init__(self, service, one, link):
        self.service = service
        self.one = one
        self.link = link
        self.value = b""
        self.notifies = False
        super().__init__("org.bluez.GattCharacteristic1")

    @method()
    async def WriteValue(self, value: "ay", options: "a{sv}"):
        kind = options.get("type", Variant("s", "request")).value
        await self.one.write_value(bytes(value), with_response=kind != "command")

    @method()
    async def ReadValue(self, options: "a{sv}") -> "ay":
        return bytes(await self.one.read_value())

    @method()
    async def StartNotify(self):
        if not self.notifies:
            self.notifies = True
            await self.one.subscribe(self.heard)

    @method()
    async def StopNotify(self):
        self.notifies = False
        await self.one.unsubscribe(self.heard)

    def heard(self, value):
        self.value = bytes(value)
        self.emit_properties_changed({"Value": self.value})


FLAGS = [
    (Characteristic.Properties.READ, "read"),
    (Characteristic.Properties.WRITE_WITHOUT_RESPONSE, "write-without-response"),
    (Characteristic.Properties.WRITE, "write"),
    (Characteristic.Properties.NOTIFY, "notify"),
]
for kind, name, value in [
    ("s", "UUID", lambda part: long(part.one.uuid)),
    ("o", "Service", lambda part: part.service),
    ("ay", "Value", lambda part: part.value),
    ("b", "Notifying", lambda part: part.notifies),
    ("q", "MTU", lambda part: part.link.att_mtu),
    ("as", "Flags", lambda part: [name for flag, name in FLAGS if part.one.properties & flag]),
]:
    constant(Part, kind, name, value)


class Host:
    async def run(self, place):
        line = await open_transport(f"tcp-client:{place}")
        self.device = Device.with_hci("bluez", Address(OWN_ADDRESS), line.source, line.sink)
        await self.device.power_on()
        self.near = {}
        self.device.on("advertisement", self.advertised)
        self.bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self.bus.export(ADAPTER, Adapter(self))
        await self.bus.request_name("org.bluez")
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    def advertised(self, heard):
        key = str(heard.address)
        if key in self.near:
            return
        uuids = heard.data.get(AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS) or []
        name = heard.data.get(AdvertisingData.COMPLETE_LOCAL_NAME) or heard.data.get(AdvertisingData.SHORTENED_LOCAL_NAME)
        near = Near(self, heard.address, name or "", [long(uuid) for uuid in uuids])
        self.near[key] = near
        self.bus.export(near.path, near)


asyncio.run(Host().run(sys.argv[1]))
