"""Bluetooth controllers of bumble that hear each other, each at a TCP port, until standard input ends.

python air.py HOST:PORT...
"""

import asyncio
import sys

from bumble.controller import Controller
from bumble.link import LocalLink
from bumble.transport import open_transport


async def main(places):
    link = LocalLink()
    kept = []
    for number, place in enumerate(places):
        line = await open_transport(f"tcp-server:{place}")
        kept.append(Controller(f"C{number}", host_source=line.source, host_sink=line.sink, link=link))
        kept.append(line)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(sys.argv[1:]))
