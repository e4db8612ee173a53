# io: a TCP proxy between the two movers that does to their link what networks do: resets it, refuses, holds either way still, delays with
# jitter, stalls now and then as lost segments do, damages a byte. It knows nothing of what passes. One thread of its own.
import asyncio
import random
import socket
import struct
import threading
from dataclasses import dataclass

CHUNK_BYTES = 16384
TO_SECONDARY, TO_PRIMARY = 0, 1
REOPEN_INTERVAL_S = 0.05


@dataclass
class Way:
    """What is done to one direction."""
    held: bool = False
    delay_s: float = 0.0
    jitter_s: float = 0.0
    stall_chance: float = 0.0  # per chunk
    stall_s: float = 0.0
    damage: int = 0  # chunks still to be damaged
    bytes_passed: int = 0


class Proxy:
    """`target`: (address, port) of the secondary's listener. The settings may be changed at any time from the test's thread."""

    def __init__(self, port, target, seed):
        self.port, self.target = port, target
        self.ways = (Way(), Way())
        self.refusing = False
        self.connections = 0
        self._chance = random.Random(seed)
        self._pairs = set()
        self._server = None
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait()

    # ---- from the test's thread

    def reset(self):
        """Every connection ends with a RST on both sides."""
        self._call(self._reset_all)

    def refuse(self, on):
        """No connection is taken any more, and those there are end; or all is as before."""
        self.refusing = on
        self._call(self._listen_or_not)

    def close(self):
        self._call(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _call(self, function):
        asyncio.run_coroutine_threadsafe(function(), self._loop).result(10)

    # ---- in the proxy's thread

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen_or_not())
        ready.set()
        self._loop.run_forever()

    async def _listen_or_not(self):
        if self.refusing and self._server:
            self._server.close()
            self._server = None
            await self._reset_all()
        elif not self.refusing and not self._server:
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port, limit=CHUNK_BYTES)

    async def _reset_all(self):
        for pair in list(self._pairs):
            for writer in pair:
                abort(writer)

    async def _end(self):
        if self._server:
            self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accepted(self, reader, writer):
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target, limit=CHUNK_BYTES)
        except OSError:
            abort(writer)
            return
        pair = (writer, far_writer)
        self._pairs.add(pair)
        pumps = [asyncio.ensure_future(self._pump(*ends)) for ends in ((reader, far_writer, self.ways[TO_SECONDARY]),
                                                                       (far_reader, writer, self.ways[TO_PRIMARY]))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pairs.discard(pair)
            for each in pair:
                abort(each)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader, writer, way):
        """Until either end is gone; then the connection is over as a whole."""
        while True:
            chunk = await reader.read(CHUNK_BYTES)
            while way.held:
                await asyncio.sleep(0.01)
            if not chunk:
                return
            if way.delay_s or way.jitter_s:
                await asyncio.sleep(way.delay_s + way.jitter_s * self._chance.random())
            if way.stall_chance and self._chance.random() < way.stall_chance:
                await asyncio.sleep(way.stall_s)
            if way.damage:
                way.damage -= 1
                at = self._chance.randrange(len(chunk))
                chunk = chunk[:at] + bytes([chunk[at] ^ 1 << self._chance.randrange(8)]) + chunk[at + 1:]
            way.bytes_passed += len(chunk)
            writer.write(chunk)
            await writer.drain()


def abort(writer):
    """With a RST: nothing is said to the other side in order."""
    plain = writer.get_extra_info("socket")
    if plain is not None and plain.fileno() >= 0:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
