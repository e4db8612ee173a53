# io: the witness file (layout: tests/witness/witness_file.h): prepared before Hercules starts, read after it was killed.
import bisect
import mmap
import os
import struct
from dataclasses import dataclass, field

MAGIC = b"AIWITN01"
HEADER = struct.Struct("<8sQQQQ")
ORDINAL_AT, HEAP_AT, DROPPED_AT = 64, 128, 192
RECORD = struct.Struct("<IHHHHIIIQQQB15x")
OPEN, CLOSE, START, END, CCW_BEGIN, CCW_END, WRITE = range(1, 8)
RETRY = 1
NEVER = 1 << 62  # ordinal of something that had not happened when the process died


class WitnessError(Exception):
    pass


def create(path, records=1 << 20, heap_bytes=256 << 20):
    """Makes a file with all its space allocated, so that the module never needs the file system."""
    heap_at = 4096 + records * RECORD.size
    heap_at += -heap_at % 4096
    with open(path, "wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, heap_at + heap_bytes)
        handle.write(HEADER.pack(MAGIC, records, 4096, heap_bytes, heap_at))


@dataclass
class Unit:
    """What one write CCW (or one update outside any CCW) put on one device: all of it or none belongs to an image."""
    device: tuple          # (system, device number)
    begin: int             # ordinal before the CCW ran
    end: int               # ordinal after it, NEVER if the process died first
    program_start: int
    program_end: int
    ccw: int
    writes: list = field(default_factory=list)  # (track, offset, bytes)
    retried: bool = False
    start_ns: int = 0
    end_ns: int = 0

    def text(self):
        track, offset, data = self.writes[0]
        return (f"device {self.device[1]:04X} of system {self.device[0]}, CCW X'{self.ccw:02X}' at ordinal {self.begin}, "
                f"track {track} offset {offset} length {len(data)}" + (f" and {len(self.writes) - 1} more" if len(self.writes) > 1 else ""))


@dataclass
class Event:
    ordinal: int
    kind: int
    device: tuple
    data: bytes
    monotonic_ns: int


class WitnessLog:
    """Reads a file nobody writes any more (or a snapshot of a growing one, up to what is published)."""

    def __init__(self, path):
        with open(path, "rb") as handle:
            data = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        magic, count, records_at, heap_bytes, heap_at = HEADER.unpack_from(data, 0)
        if magic != MAGIC:
            raise WitnessError(f"{path} is not a witness file")
        self.next_ordinal, = struct.unpack_from("<Q", data, ORDINAL_AT)
        dropped, = struct.unpack_from("<Q", data, DROPPED_AT)
        if dropped or self.next_ordinal > count:
            raise WitnessError(f"{path} was too small: {dropped} records were dropped; give the test a larger one")
        self.units = {}   # device -> [Unit] in order
        self.opens = []   # Event, data = file name
        self._read(data, records_at, heap_at)
        data.close()

    def _read(self, data, records_at, heap_at):
        starts, ends, open_units = {}, {}, {}
        stamps = {}
        window = memoryview(data)[records_at:records_at + self.next_ordinal * RECORD.size]
        for ordinal, row in enumerate(RECORD.iter_unpack(window)):
            published, kind, flags, system, number, track, offset, length, heap, begin, when, ccw = row
            if not published:
                continue  # a thread was killed inside it; it had not returned to the handler
            device = (system, number)
            if kind == WRITE:
                self._write(device, ordinal, begin, ccw, (track, offset, data[heap_at + heap:heap_at + heap + length]), open_units)
            elif kind == START:
                starts.setdefault(device, []).append(ordinal)
                stamps[ordinal] = when
            elif kind == END:
                ends.setdefault(device, []).append(ordinal)
                stamps[ordinal] = when
            elif kind == CCW_END:
                unit = open_units.pop(device, None)
                if unit is not None and unit.begin == begin - 1:
                    unit.end, unit.retried = ordinal, bool(flags & RETRY)
            elif kind in (OPEN, CLOSE):
                self.opens.append(Event(ordinal, kind, device, data[heap_at + heap:heap_at + heap + length], when))
                open_units.pop(device, None)
        window.release()
        for device, units in self.units.items():
            self._programs(units, starts.get(device, []), ends.get(device, []), stamps)

    def _write(self, device, ordinal, begin, ccw, write, open_units):
        unit = open_units.get(device)
        if begin == 0:  # the shared-device server: each update stands alone
            self.units.setdefault(device, []).append(Unit(device, ordinal, ordinal, 0, NEVER, 0, [write]))
            return
        if unit is None or unit.begin != begin - 1:
            unit = Unit(device, begin - 1, NEVER, 0, NEVER, ccw)
            open_units[device] = unit
            self.units.setdefault(device, []).append(unit)
        unit.writes.append(write)

    @staticmethod
    def _programs(units, starts, ends, stamps):
        for unit in units:
            at = bisect.bisect_left(starts, unit.begin) - 1
            unit.program_start = starts[at] if at >= 0 else 0
            unit.start_ns = stamps.get(unit.program_start, 0)
            at = bisect.bisect_right(ends, unit.begin)
            following = ends[at] if at < len(ends) else NEVER
            # A start in between means that the end belongs to a later life of the device: this program never ended.
            next_start = bisect.bisect_right(starts, unit.begin)
            if next_start < len(starts) and starts[next_start] < following:
                following = NEVER
            unit.program_end = following
            unit.end_ns = stamps.get(following, 0)
            if unit.retried:  # the channel drives the CCW again, so its handling is over at the end of the program at the latest
                unit.end = following

    def count(self):
        return sum(len(units) for units in self.units.values())


def next_ordinal(path):
    """How far a running witness has come; cheap, for waiting on progress."""
    with open(path, "rb") as handle:
        handle.seek(ORDINAL_AT)
        return struct.unpack("<Q", handle.read(8))[0]


def records_by_system(path):
    """system number -> published records so far; reads the whole file, for occasional use on a running witness."""
    counts = {}
    with open(path, "rb") as handle:
        _, count, records_at, _, _ = HEADER.unpack(handle.read(HEADER.size))
        handle.seek(ORDINAL_AT)
        used = min(count, struct.unpack("<Q", handle.read(8))[0])
        handle.seek(records_at)
        for row in RECORD.iter_unpack(handle.read(used * RECORD.size)):
            if row[0]:
                counts[row[3]] = counts.get(row[3], 0) + 1
    return counts
