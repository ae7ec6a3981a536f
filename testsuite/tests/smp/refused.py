"""What a locked device answers to whoever has no key.

python refused.py (udp ADDRESS | serial PATH | ble CONTROLLER,ADDRESS) FILE
"""

import asyncio
import hashlib
import json
import sys

from client import About, AboutResponse, OwnV1, OwnV2, ask, client
from smp import message
from smpclient.requests.image_management import ImageErase, ImageStatesRead, ImageStatesWrite, ImageUploadWrite
from smpclient.requests.os_management import EchoWrite


class LockedResponse(AboutResponse):
    id: bytes
    seq: int
    nonce: bytes


class LockedAbout(About):
    _Response = LockedResponse


class StopResponse(message.WriteResponse):
    _GROUP_ID = 64
    _COMMAND_ID = 7


class Stop(message.WriteRequest):
    _GROUP_ID = 64
    _COMMAND_ID = 7
    _Response = StopResponse
    _ErrorV1 = OwnV1
    _ErrorV2 = OwnV2
    name: str


def code(response):
    """The number of an error of either version; none where it was done."""
    if getattr(response, "err", None) is not None:
        return int(response.err.rc)
    return int(getattr(response, "rc", None) or 0)


async def main(kind, address, path):
    file = open(path, "rb").read()
    sha = hashlib.sha256(file).digest()
    told = {}
    async with client(kind, address) as connection:
        told["mode"] = (await ask(connection, LockedAbout())).mode
        told["echo"] = (await ask(connection, EchoWrite(d="here"))).r
        begin = ImageUploadWrite(len=len(file), sha=sha, image=0, off=0, data=file[:64])
        told["upload"] = code(await connection.request(begin))
        told["test"] = code(await connection.request(ImageStatesWrite(hash=sha, confirm=False)))
        told["erase"] = code(await connection.request(ImageErase(slot=1)))
        told["stop"] = code(await connection.request(Stop(name="noise")))
        told["images"] = [i.image for i in (await ask(connection, ImageStatesRead())).images]
    print(json.dumps(told))


asyncio.run(main(*sys.argv[1:]))
