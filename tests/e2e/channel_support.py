# io: what the module's end-to-end tests share: a plex without dsmd (token_dump stands in), a Hercules with the module, guest programs made of
# channel programs, and images compared as records.
import os
import re
import shutil
import struct
import subprocess
from collections import namedtuple

from ckd_image import CkdImage, image_differences
from harness import BUILD, REPOSITORY, free_port, run
from processes import Failure, Process, Workspace, wait_until

DSMCHAN = os.environ.get("AFTERIMAGE_DSMCHAN", os.path.join(BUILD, "channel", "dsmchan.so"))
TOKEN_DUMP = os.path.join(BUILD, "channel", "token_dump")
WRAPPER = os.path.join(BUILD, "tests", "witness", "witness.so")
GEOMETRY = {"3390": ("3390", 15, 56832), "3350": ("3350", 30, 19456), "2311": ("2311", 10, 4096)}
DRIVER = os.path.join(REPOSITORY, "tests", "e2e", "guests_channel", "driver.S")
ROUNDS, TABLE, CODE, DATA = 0x814, 0x2000, 0x10000, 0x40000
DONE = r"PSW=000A0000 00000000\s*\n"  # the guest's last wait state, as HHCCP011I tells it; other messages may come in between
KIND_WRITE, KIND_SHARED, KIND_IMAGE, KIND_VERIFY = 1, 2, 3, 4
OPEN, CLOSED, LOST = 2, 3, 4
DUPLEX, SUSPENDED_VOLUME = 1, 2

Token = namedtuple("Token", "sequence device kind ccw cylinder head record event void flushed crc ranges")
DeviceView = namedtuple("DeviceView", "state duplex reason last flushed changed unhardened verify compressed")


class Plex:
    """The common storage of one plex of its own, as dsmd would make it."""

    def __init__(self, workspace, ring_bytes=16 << 20, pace_ms=2000, freeze_ms=120000, create=True):
        self.name = "T" + os.path.basename(workspace.folder)[-6:].upper().replace("_", "X").replace("-", "X").replace(".", "X")
        self.segment = f"afterimage.{self.name}.{os.getpid()}"
        self.shape = (ring_bytes, pace_ms, freeze_ms, 1 << 16)
        workspace.shared_memory.append(self.segment)
        self.environment = {"AFTERIMAGE_PLEX": self.name, "AFTERIMAGE_STORAGE": self.segment}
        if create:
            self.create()

    def create(self):
        self.do("create", self.name, *self.shape)

    def do(self, *words):
        return run(TOKEN_DUMP, self.segment, *words)

    def define(self, volume, system="SYSA"):
        return int(self.do("define", volume.volser, system, f"{volume.device:04X}", volume.type, volume.cylinders, volume.heads,
                           volume.track_bytes, volume.path))

    def state(self, before, after):
        self.do("state", before, after)

    def tokens(self, device=None):
        found = []
        for line in self.do("dump").splitlines():
            w = line.split()
            ranges = [tuple(int(n) for n in text.split(":")) for text in w[11:]]
            found.append(Token(int(w[0]), int(w[1]), int(w[2]), int(w[3], 16), int(w[4]), int(w[5]), int(w[6]), int(w[7]), w[8] == "1",
                               w[9] == "1", w[10], ranges))
        return [t for t in found if device is None or t.device == device]

    def show(self):
        return dict(line.split("=", 1) for line in self.do("show").splitlines())

    def session_state(self):
        return ("INACTIVE", "ACTIVE", "SUSPENDED", "FROZEN")[int(self.show()["state"])]

    def device(self, index):
        return DeviceView(*(int(n) for n in self.show()[f"device.{index}"].split()))


class Volume:
    def __init__(self, workspace, volser, device, type_name="3390", cylinders=4, compressed=False, options=""):
        self.volser, self.device, self.type, self.cylinders, self.options = volser, device, type_name, cylinders, options
        _, self.heads, self.track_bytes = GEOMETRY[type_name]
        self.path = workspace.path(volser.lower() + (".cckd" if compressed else ".ckd"))
        run("dasdinit", *(["-z"] if compressed else []), self.path, type_name, volser, cylinders)
        self.workspace = workspace

    def statement(self):
        return f"{self.device:04X} {self.type} {self.path} {self.options}".rstrip()

    def copy(self, suffix="base"):
        """A plain CKD copy of the image, made while nothing has it open."""
        target = self.workspace.path(f"{self.volser.lower()}.{suffix}.img")
        if os.path.exists(target):
            os.unlink(target)
        if self.path.endswith(".cckd"):
            run("dasdcopy", "-o", "ckd", self.path, target)
        else:
            shutil.copyfile(self.path, target)
        return target


class Hercules(Process):
    """A Hercules with the module. Commands go in on stdin, through dyngui, which a daemon needs for that."""

    def __init__(self, workspace, name, statements, environment=None, extra=(), module=DSMCHAN, system="SYSA", limits=None):
        config = workspace.path(f"{name}.cnf")
        lines = ["CPUSERIAL 000001", "CPUMODEL 2064", "MAINSIZE 16", "NUMCPU 1", "ARCHMODE ESA/390", "PANRATE SLOW", "LDMOD dyngui"]
        lines += ([f"LDMOD {module}"] if module else []) + list(extra) + list(statements)
        with open(config, "w", encoding="ascii") as handle:
            handle.write("\n".join(lines) + "\n")
        super().__init__(workspace, name, ["hercules", "-d", "-f", config], {"AFTERIMAGE_SYSTEM": system, **(environment or {})}, stdin=True,
                         limits=limits)
        self.workspace = workspace
        self.wait_log(r"HHCDG001I|HHCAO001I", 30)

    def ask(self, line, pattern, timeout_s=15):
        since = self.mark()
        self.command(line)
        return self.wait_log(pattern, timeout_s, since)

    def run_guest(self, guest, timeout_s=30):
        """Runs a guest to its end; returns its (unit status, channel status) by entry."""
        since = self.start_guest(guest)
        self.wait_log(DONE, timeout_s, since)
        return self.results(guest)

    def start_guest(self, guest):
        path = self.workspace.path("guest.bin")
        with open(path, "wb") as handle:
            handle.write(guest.image())
        self.ask(f"loadcore {path} 0", "HHCPN113I")
        since = self.mark()
        self.command("restart")
        return since

    def word(self, address):
        found = self.ask(f"r {address:X}.4", rf"R:0*{address:X}:K:..=([0-9A-F]{{8}})")
        return int(found.group(1), 16)

    def results(self, guest):
        return [((self.word(TABLE + 32 * i + 16) >> 24) & 255, (self.word(TABLE + 32 * i + 16) >> 16) & 255) for i in range(len(guest.entries))]

    def quit(self, timeout_s=30):
        self.command("quit")
        return self.wait(timeout_s)


class Guest:
    """Storage of a stand-alone guest: the driver, a table of channel programs, their CCWs and data."""

    _driver = None

    def __init__(self):
        self.entries, self.ccws, self.data, self.rounds = [], bytearray(), bytearray(), 0

    @classmethod
    def driver(cls):
        if cls._driver is None:
            with Workspace("driver") as workspace:
                obj, raw = workspace.path("driver.o"), workspace.path("driver.bin")
                run("s390x-linux-gnu-as", "-m31", "-march=g5", "-o", obj, DRIVER)
                run("s390x-linux-gnu-objcopy", "-O", "binary", "-j", ".text", obj, raw)
                with open(raw, "rb") as handle:
                    cls._driver = handle.read()
        return cls._driver

    def put(self, content):
        while len(self.data) % 8:
            self.data.append(0)
        self.data += content
        return DATA + len(self.data) - len(content)

    def start(self, subchannel, chain, operation=0):
        """`chain`: (code, flags, bytes or count); TIC is ("tic", steps back). Command chaining is set on all but the last."""
        while len(self.ccws) % 8:
            self.ccws.append(0)
        first = CODE + len(self.ccws)
        words = []
        for position, step in enumerate(chain):
            code, operand = step[0], step[1] if len(step) > 1 else b""
            flags = 0x60 if position + 1 < len(chain) else 0x20
            if code == "tic":
                words.append(struct.pack(">BBHI", 8, 0, 0, first + 8 * (position - operand)))
            else:
                count = step[2] if len(step) > 2 else len(operand)
                words.append(struct.pack(">BBHI", code, flags, max(count, 1), self.put(operand or b"\0" * max(count, 1))))
        self.ccws += b"".join(words)
        orb = self.put(struct.pack(">III", 0, 0x0080FF00, first))
        self.entries.append((0x00010000 + subchannel, orb, operation, 0))

    def operate(self, subchannel, operation, count=0):
        self.entries.append((0x00010000 + subchannel, 0, operation, count))

    def image(self):
        table = b"".join(struct.pack(">IIII", *entry) + bytes(16) for entry in self.entries)
        table += struct.pack(">I", 0xFFFFFFFF if self.rounds else 0)
        assert TABLE + len(table) <= CODE and CODE + len(self.ccws) <= DATA, "the guest is too large"
        out = bytearray(DATA + len(self.data))
        out[:len(self.driver())] = self.driver()
        out[ROUNDS:ROUNDS + 4] = struct.pack(">I", self.rounds)
        out[TABLE:TABLE + len(table)] = table
        out[CODE:CODE + len(self.ccws)] = self.ccws
        out[DATA:] = self.data
        return bytes(out)


def seek(cylinder, head):
    return (0x07, struct.pack(">HHH", 0, cylinder, head))


def search_id(cylinder, head, record):
    return (0x31, struct.pack(">HHB", cylinder, head, record))


def count_key_data(cylinder, head, record, key, data):
    return struct.pack(">HHBBH", cylinder, head, record, len(key), len(data)) + key + data


def file_mask(mask=0xC0):
    return (0x1F, bytes([mask]))


def define_extent(first, last, mask=0xC0, attributes=0xE0):
    return (0x63, struct.pack(">BBHHHHHHH", mask, attributes, 0, 0, 0, *first, *last))


def locate(operation, cylinder, head, record, count, transfer=0, auxiliary=0, orientation=0x00):
    return (0x47, struct.pack(">BBBBHHHHBBH", orientation | operation, auxiliary, 0, count, cylinder, head, cylinder, head, record, 0,
                              transfer))


def plain_write(cylinder, head, record, data, code=0x05):
    return [seek(cylinder, head), search_id(cylinder, head, record), ("tic", 1), (code, data)]


def format_records(cylinder, head, records, after=0):
    """Write CKD of `records` (key, data) behind record `after`."""
    chain = [file_mask(), seek(cylinder, head), search_id(cylinder, head, after), ("tic", 1)]
    return chain + [(0x1D, count_key_data(cylinder, head, after + 1 + i, key, data)) for i, (key, data) in enumerate(records)]
