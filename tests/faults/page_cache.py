# io: what a host's files may hold after it lost its page cache: from the recorder's log (recorder.c, recorder_log.h) it drops or tears any of
# the writes that no sync had made durable, undoes names that no sync of their folder had made durable, and says how much. Uses none of
# the product's code.
#
# Model. A sector of 512 bytes is written whole or not at all; each sector holds any of its contents since the last sync that covered it,
# whatever its neighbours hold (so a write of several sectors is torn, and a later write may be there without an earlier one). A file's size
# is any of its sizes since then; what it gained without its bytes is zero. Entries of a folder keep their order: a first part of those
# since the folder's last sync is there, the rest is not.
import mmap
import os
import shutil
import struct
from dataclasses import dataclass, field

SECTOR = 512
MAGIC = b"AIRECO01"
HEADER = struct.Struct("<8sQQQQ")
COUNTS_AT = (64, 128, 192, 256)  # next record, next heap, tick, dropped
RECORD = struct.Struct("<IIQQQQQQQQQQQ")
PATH, WRITE, SIZE, SYNC, CREATE, RENAME, UNLINK, DIRSYNC = range(1, 9)
MODES = ("all lost", "any", "any", "later kept, earlier lost", "one lost", "one kept", "all kept")
KEEP = ".recorder"


class RecorderError(Exception):
    pass


def create_log(path, records=1 << 20, heap_bytes=4 << 30):
    """Sparse: only what is used takes space."""
    heap_at = 4096 + records * RECORD.size
    heap_at += -heap_at % 4096
    with open(path, "wb") as handle:
        handle.truncate(heap_at + heap_bytes)
        handle.write(HEADER.pack(MAGIC, records, 4096, heap_bytes, heap_at))


@dataclass
class Change:
    """One write or change of size of one file. `before`: what its sectors held, from sector `first` on."""
    begun: int
    done: int
    first: int
    before: bytes
    size_before: int
    size_after: int
    durable: bool = False


@dataclass
class File:
    changes: list = field(default_factory=list)
    syncs: list = field(default_factory=list)  # (begun, done)


@dataclass
class Entry:
    """One change of a folder."""
    kind: int
    begun: int
    done: int
    words: list


@dataclass
class Damage:
    mode: str = ""
    unsynced_writes: int = 0
    unsynced_sectors: int = 0
    sectors_set_back: int = 0
    writes_torn: int = 0
    sizes_set_back: int = 0
    names_undone: int = 0

    def text(self):
        return (f"page cache lost ({self.mode}): {self.unsynced_writes} writes of {self.unsynced_sectors} sectors unsynced, "
                f"{self.sectors_set_back} sectors set back, {self.writes_torn} writes torn, {self.sizes_set_back} sizes, {self.names_undone} names")


class Log:
    def __init__(self, path):
        self.files, self.folders = {}, {}
        with open(path, "rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            magic, count, records_at, _, heap_at = HEADER.unpack_from(data, 0)
            used, _, _, dropped = (struct.unpack_from("<Q", data, at)[0] for at in COUNTS_AT)
            if magic != MAGIC:
                raise RecorderError(f"{path} is not a recorder's log")
            if dropped or used > count:
                raise RecorderError(f"{path} lacks {dropped} operations: give the test a larger log")
            for number in range(used):
                row = RECORD.unpack_from(data, records_at + number * RECORD.size)
                if row[0]:
                    self._take(row, data[heap_at + row[8]:heap_at + row[8] + row[9]])

    def _take(self, row, payload):
        _, kind, device, inode, offset, length, a, b, _, _, begun, done, _ = row
        file = self.files.setdefault((device, inode), File()) if kind in (WRITE, SIZE, SYNC) else None
        if kind == WRITE:
            file.changes.append(Change(begun, done, offset // SECTOR, payload, a, max(a, offset + length)))
        elif kind == SIZE:
            skip = -offset % SECTOR if payload else 0
            whole = payload[skip:] + bytes(-(len(payload) - skip) % SECTOR)
            file.changes.append(Change(begun, done, (offset + skip) // SECTOR, whole, a, b))
        elif kind == SYNC:
            file.syncs.append((begun, done))
        elif kind in (CREATE, RENAME, UNLINK, DIRSYNC):
            words = [word.decode() for word in payload.split(b"\0")[:-1]]
            folder = words[0] if kind == DIRSYNC else os.path.dirname(words[0])
            self.folders.setdefault(folder, []).append(Entry(kind, begun, done, words))


def lose_page_cache(log_path, root, chance, mode=None):
    """Every process of the host is dead. The files below `root` become what a host might find at its next start; the log is begun anew."""
    log = Log(log_path)
    damage = Damage(mode or chance.choice(MODES))
    for entries in log.folders.values():
        damage.names_undone += undo_names(entries, chance, damage.mode)
    places = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            places[(status.st_dev, status.st_ino)] = path
    plan = choose(log, chance, damage)
    for key, file in log.files.items():
        if key in places:
            set_back(places[key], file, plan, chance, damage)
    shutil.rmtree(os.path.join(root, KEEP), ignore_errors=True)
    create_log(log_path)
    return damage


def undo_names(entries, chance, mode):
    synced = [entry.begun for entry in entries if entry.kind == DIRSYNC and entry.done]
    last_sync = max(synced, default=0)
    open_entries = [entry for entry in entries if entry.kind != DIRSYNC and entry.done and entry.done > last_sync]
    keep = {"all lost": 0, "all kept": len(open_entries)}.get(mode, chance.randint(0, len(open_entries)))
    for entry in reversed(open_entries[keep:]):
        if entry.kind == CREATE:
            if os.path.lexists(entry.words[0]):
                os.unlink(entry.words[0])
        elif entry.kind == RENAME:
            source, target, kept = entry.words
            if os.path.lexists(target):
                os.rename(target, source)
            if kept:
                os.link(kept, target)
        elif entry.words[1]:
            os.link(entry.words[1], entry.words[0])
    return len(open_entries) - keep


@dataclass
class Plan:
    mode: str
    lost: object = None     # the one change that is lost
    kept: object = None     # the one that is kept
    middle: int = 0         # ticks


def choose(log, chance, damage):
    unsynced = []
    for file in log.files.values():
        through = 0  # a sync covers what had returned before it was called
        syncs = [begun for begun, done in file.syncs if done]
        through = max(syncs, default=0)
        for change in file.changes:
            change.durable = bool(change.done) and change.done < through
            if not change.durable:
                unsynced.append(change)
    damage.unsynced_writes = len(unsynced)
    damage.unsynced_sectors = sum(len(change.before) // SECTOR for change in unsynced)
    plan = Plan(damage.mode)
    if unsynced:
        plan.lost = plan.kept = chance.choice(unsynced)
        plan.middle = chance.choice(unsynced).begun
    return plan


def version(writers, plan, chance):
    """Of the unsynced writers of one sector, oldest first: how many of them it shows."""
    if plan.mode == "all lost":
        return 0
    if plan.mode == "any":
        return chance.randint(0, len(writers))
    if plan.mode == "later kept, earlier lost":
        return 0 if writers[-1].begun < plan.middle else len(writers)
    if plan.mode == "one lost":
        return len(writers) - 1 if writers[-1] is plan.lost and chance.random() < 0.7 else len(writers)
    if plan.mode == "one kept":
        return next((n + 1 for n, writer in enumerate(writers) if writer is plan.kept and chance.random() < 0.7), 0)
    return len(writers)


def set_back(path, file, plan, chance, damage):
    writers = {}  # sector -> its writers since it was last durable
    sizes = [file.changes[0].size_before] if file.changes else []
    for change in file.changes:
        if change.durable:
            sizes = [change.size_after]
        elif change.size_after != change.size_before:
            sizes.append(change.size_after)
        for sector in range(change.first, change.first + len(change.before) // SECTOR):
            if change.durable:
                writers.pop(sector, None)
            else:
                writers.setdefault(sector, []).append(change)
    shown, hidden = set(), set()
    with open(path, "r+b", buffering=0) as handle:
        size_now = os.fstat(handle.fileno()).st_size
        if len(sizes) > 1 and plan.mode != "all kept":
            size = sizes[0] if plan.mode in ("all lost", "one kept") else chance.choice(sizes) if plan.mode == "any" else sizes[-1]
            if size != size_now:
                handle.truncate(size)
                size_now = size
                damage.sizes_set_back += 1
        for sector, changes in writers.items():
            count = version(changes, plan, chance)
            if count < len(changes):
                change = changes[count]
                at = (sector - change.first) * SECTOR
                old = change.before[at:at + SECTOR][:max(0, size_now - sector * SECTOR)]
                if old:
                    handle.seek(sector * SECTOR)
                    handle.write(old)
                damage.sectors_set_back += 1
                hidden.add(id(changes[-1]))
            else:
                shown.add(id(changes[-1]))
    damage.writes_torn += len(shown & hidden)
