"""A client made of smpclient: an upload that is cut and goes on, and requests of the group of our own.

python client.py (udp ADDRESS | serial PATH | ble CONTROLLER,ADDRESS) FILE
"""

import asyncio
import hashlib
import json
import sys

from smp import error, message
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.image_management import ImageStatesRead, ImageUploadWrite
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead


class OwnV1(error.ErrorV1):
    _GROUP_ID = 64


class OwnV2(error.ErrorV2[error.MGMT_ERR]):
    _GROUP_ID = 64


class AboutResponse(message.ReadResponse):
    _GROUP_ID = 64
    _COMMAND_ID = 0
    abi: int
    mode: str
    name: str = ""
    board: str
    slots: int
    up_ms: int
    version: str
    slot_bytes: int
    memory_bytes: int


class About(message.ReadRequest):
    _GROUP_ID = 64
    _COMMAND_ID = 0
    _Response = AboutResponse
    _ErrorV1 = OwnV1
    _ErrorV2 = OwnV2


def client(kind, address):
    if kind == "udp":
        from smpclient.transport.udp import SMPUDPTransport

        return SMPClient(SMPUDPTransport(), address, timeout_s=20)
    if kind == "ble":
        from smpclient.transport.bumble import SMPBumbleTransport

        controller, address = address.split(",")
        return SMPClient(SMPBumbleTransport(hci=f"tcp-client:{controller}"), address, timeout_s=20)
    from smpclient.transport.serial import SMPSerialTransport

    return SMPClient(SMPSerialTransport(), address, timeout_s=20)


async def ask(connection, request):
    response = await connection.request(request)
    assert success(response), response
    return response


async def main(kind, address, path):
    file = open(path, "rb").read()
    sha = hashlib.sha256(file).digest()
    half = len(file) // 2
    first = {"len": len(file), "sha": sha, "image": 0, "off": 0}
    told = {}
    async with client(kind, address) as connection:
        told["echo"] = (await ask(connection, EchoWrite(d="over there"))).r
        told["buf_size"] = (await ask(connection, MCUMgrParametersRead())).buf_size
        at = 0
        while at < half:
            part = file[at : at + 256]
            request = ImageUploadWrite(data=part, **first) if at == 0 else ImageUploadWrite(off=at, data=part)
            at = (await ask(connection, request)).off
        told["cut"] = at
    if kind == "ble":
        # The port of bumble's controller may take the end of a connection for that of the next one.
        await asyncio.sleep(0.5)
    # Another connection, which knows nothing of the one before.
    async with client(kind, address) as connection:
        response = await ask(connection, ImageUploadWrite(data=file[:64], **first))
        told["resumed"] = response.off
        async for offset in connection.upload(file):
            told["uploaded"] = offset
        about = await ask(connection, About())
        told["about"] = [about.mode, about.board, about.slots]
        states = await ask(connection, ImageStatesRead())
        told["images"] = [[i.image, i.slot, i.version, bytes(i.hash).hex(), i.bootable, i.active] for i in states.images]
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 240))
