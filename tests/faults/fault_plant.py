# io: a plant of the end-to-end tests for rounds of faults: the secondary on a host of its own behind a proxy and a cable, clocks that can be
# set, writes recorded, its secondary on a disk of its own, and a record of everything that was done to it.
import os
import shutil
import struct
import time

import harness
import page_cache
import sandbox
import witness_log
from ckd_image import image_differences
from harness import DSMD, READER, SESSION, Hercules, Plant, Volume, bank_devices, bank_volumes
from processes import Failure, Process, wait_until
from proxy import Proxy
from scenario import BANK_COMMITS, IPL, assert_equal_once_idle, state

FAULT_LIBRARIES = os.path.join(harness.BUILD, "tests", "faults")
RECORDER, CLOCK_SHIFT = (os.path.join(FAULT_LIBRARIES, name) for name in ("recorder.so", "clock_shift.so"))
WITNESS_RECORDS, WITNESS_HEAP_BYTES = 1 << 21, 1 << 30
DISK_SLACK_BYTES = 24 << 20
STANDSTILL_S = 90  # a guest that makes no progress for so long has been hurt


class Prepared:
    """What every round needs and one program makes once: formatted bank volumes, certificates, decks."""

    def __init__(self, folder):
        self.folder = folder

    def copy_to(self, folder, volumes):
        for volume in volumes:
            kept = os.path.join(self.folder, "bank", volume.file)
            if os.path.exists(kept):
                shutil.copyfile(kept, os.path.join(folder, volume.file))
            else:
                harness.make_volumes(folder, [volume], cylinders=WRITER_CYLINDERS)

    def make(self):
        os.makedirs(os.path.join(self.folder, "bank"))
        with harness.Workspace("prepare") as workspace:
            volumes = bank_volumes(("SYSA", "SYSB"))
            harness.make_volumes(os.path.join(self.folder, "bank"), volumes)
            deck = harness.guest(workspace, "bank", RATE=0, COUNT=200)
            started = []
            for system in ("SYSA", "SYSB"):
                devices = [(READER, reader(deck))] + bank_devices(os.path.join(self.folder, "bank"), volumes, system)
                started.append(Hercules(workspace, system, devices).wait_ready())
                started[-1].command(IPL)
            for each in started:
                each.wait_log(BANK_COMMITS, 120)
                each.quit()
            for program, definitions in [("audit", {})] + [("bank", {"RATE": rate}) for rate in BANK_RATES] + [("writer", w) for w in WRITERS]:
                harness.guest(workspace, program, **definitions)
            shutil.copytree(workspace.path("guests"), os.path.join(self.folder, "guests"))
            harness.run(os.path.join(harness.SAMPLES, "make-test-ca.sh"), os.path.join(self.folder, "certs"), "SITEA.DSMLU", "SITEB.DSMLU")


BANK_RATES = (300, 700)
WRITER_CYLINDERS = 20
WRITERS = [{"SIZE": size, "PATTERN": pattern, "VOLUMES": 2, "RATE": 500} for size, pattern in ((4096, 1), (512, 2), (20000, 0))]


def reader(deck):
    return f"3505 {deck} ebcdic eof"


def writer_volumes():
    return [Volume(f"WRT00{i + 1}", harness.FIRST_DEVICE + i, "SYSA", f"wrt00{i + 1}.ckd") for i in range(2)]


class FaultPlant(Plant):
    """`guests`: system -> (program, definitions)."""

    def __init__(self, workspace, chance, guests, prepared, namespaces, record=(), clocks=False, disk=False, direct=False, compressed=False,
                 lie=False, **settings):
        self.chance, self.guests, self.namespaces, self.clocks = chance, guests, namespaces, clocks
        self.record, self.disk, self.direct, self.compressed, self.lie = set(record), disk, direct and namespaces, compressed, lie
        for name in ("certs", "guests"):
            shutil.copytree(os.path.join(prepared.folder, name), workspace.path(name))
        writes = any(program == "writer" for program, _ in guests.values())
        super().__init__(workspace, volumes=writer_volumes() if writes else bank_volumes(tuple(guests)), systems=tuple(guests), witness=False,
                         prepared=prepared, **settings)
        if compressed:
            for volume in self.volumes:
                self.compress(self.image("SITEA", volume))
        self.used = []           # kinds of faults
        self.notes, self.killed, self.explained, self.pauses = [], set(), set(), []
        self.faults = 0
        self.small_ring = int(self.settings["ring"][:-1]) < 16  # it does not hold what comes while the link is away
        self.first = 1
        self.checkable = True    # the witness's history since `base` is whole
        self.disturbed_primary = False  # a Hercules was killed: a write may be torn in its files
        self.host = sandbox.SecondaryHost(workspace) if namespaces else None
        address = sandbox.SECONDARY_ADDRESS if namespaces else "127.0.0.1"
        self.proxy = Proxy(harness.free_port(), (address, self.sites["SITEB"].port), chance.randrange(1 << 30))
        self.configs = {"SITEA": workspace.path("sitea.xml"), "SITEB": workspace.path("siteb.xml")}
        told = f'listen="127.0.0.1:{self.sites["SITEB"].port}"'
        there, by_proxy = f'listen="{address}:{self.sites["SITEB"].port}"', f'listen="127.0.0.1:{self.proxy.port}"'
        for site, listen in (("SITEA", there if self.direct else by_proxy), ("SITEB", there)):
            with open(self.configs[site], "w", encoding="utf-8") as handle:
                handle.write(self.config_text().replace(told, listen))
        self.witnesses = []
        self.new_witness()
        for site in self.sites:
            if site in self.record:
                page_cache.create_log(self.recorder_log(site))
            with open(self.clock_file(site), "wb") as handle:
                handle.write(bytes(8))
        if disk:
            folder = self.sites["SITEB"].folder
            used = sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for name in os.listdir(folder))
            sandbox.small_disk(folder, used + int(self.settings["journal"][:-1]) * (1 << 20) + DISK_SLACK_BYTES)

    # ---- compressed volumes at the primary

    @staticmethod
    def compress(path):
        harness.run("dasdcopy", "-q", "-o", "cckd", path, path + ".compressed")
        os.rename(path + ".compressed", path)

    def differences(self):
        """Of closed images; what is compressed is read by Hercules's own utility."""
        if not self.compressed:
            return super().differences()
        found = []
        for volume in self.volumes:
            plain = self.workspace.path("plain.ckd")
            if os.path.exists(plain):
                os.unlink(plain)
            harness.run("dasdcopy", "-q", "-o", "ckd", self.image("SITEA", volume), plain)
            found += [f"{volume.volser}: {phrase}" for phrase in image_differences(plain, self.image("SITEB", volume))]
        return found

    # ---- what is preloaded

    def recorder_log(self, site):
        return self.workspace.path(f"{site.lower()}.recorder")

    def clock_file(self, site):
        return self.workspace.path(f"{site.lower()}.clock")

    def site_environment(self, site, module=False):
        environment, libraries = {}, []
        if site in self.record:
            libraries.append(RECORDER)
            environment.update(RECORDER_LOG=self.recorder_log(site), RECORDER_ROOT=self.sites[site].folder)
            if self.lie and site == "SITEB":
                environment["RECORDER_LIES"] = "1"
        if self.clocks:
            libraries.append(CLOCK_SHIFT)
            environment["CLOCK_SHIFT_FILE"] = self.clock_file(site)
            if module:
                environment["CLOCK_SHIFT_MODULE"] = "dsmchan"
        if libraries:
            environment["LD_PRELOAD"] = ":".join(libraries)
        return environment

    def set_clock(self, site, offset_ns):
        with open(self.clock_file(site), "r+b", buffering=0) as handle:
            handle.write(struct.pack("<q", offset_ns))

    def await_true_times(self):
        """Until the modules have looked at every volume by a clock that is right: what they noted by one that was set is past."""
        if not self.clocks:
            return
        began_us = time.time() * 1e6

        def looked():
            devices = [value.split() for name, value in self.storage().items() if name.startswith("device.")]
            return all(int(words[words.index("looked_us") + 1]) >= began_us for words in devices)

        wait_until(looked, 30, lambda: f"every volume to be looked at: {self.storage()}\n{self.tails()}")

    # ---- processes

    def start_dsmd(self, site, config=None, ready=True, limits=None):
        words = self.host.words if self.host and site == "SITEB" else []
        process = Process(self.workspace, f"dsmd-{site}", [*words, DSMD, "--config", config or self.configs[site], "--site", site],
                          self.site_environment(site), limits=limits)
        self.dsmds[site] = process
        if ready:
            wait_until(lambda: self.answers(site, process), 40, lambda: f"dsmd of {site} to answer:\n{process.tail()}")
        return process

    def start_hercules(self, system="SYSA", modules=("dsmchan", "witness"), guest_deck=None, extra=(), site="SITEA", name=None, arch="z"):
        program, definitions = self.guests[system]
        deck = guest_deck or harness.guest(self.workspace, program, **definitions)
        devices = [(READER, reader(deck))] + bank_devices(self.sites[site].folder, self.volumes, system)
        number = self.systems.index(system)
        process = Hercules(self.workspace, name or system, devices, modules,
                           {"AFTERIMAGE_PLEX": self.plex, "WITNESS_FILE": self.witness_file, "WITNESS_SYSTEM": str(number),
                            **self.site_environment(site, module=True)}, extra)
        self.herculeses[system] = process
        return process.wait_ready()

    def ipl(self, system):
        self.herculeses[system].command(IPL)
        self.herculeses[system].wait_log(r"BANK COMMITTED=|WRITER .*WRITTEN=", 90)

    def start_all(self):
        self.start_dsmd("SITEB")
        self.start_dsmd("SITEA")
        self.first = self.start_session()
        for system in self.systems:
            self.start_hercules(system)
        for system in self.systems:
            self.ipl(system)

    def kill(self, process):
        """SIGKILL that the record explains."""
        self.killed.add(process.child.pid)
        process.kill()

    def kill_together(self, processes):
        self.chance.shuffle(processes)
        for process in processes:
            self.killed.add(process.child.pid)
            if process.alive():
                process.signal(9)
        for process in processes:
            process.kill()

    # ---- the witness

    def new_witness(self):
        """What is written from now on goes to a file of its own, on images as they are now."""
        self.witness_file = self.workspace.path(f"witness{len(self.witnesses)}")
        witness_log.create(self.witness_file, WITNESS_RECORDS, WITNESS_HEAP_BYTES)
        self.witnesses.append(self.witness_file)

    def new_base(self):
        """Both sites are equal and nothing is written: from here the witness's history begins."""
        assert_equal_once_idle(self)
        for volume in self.volumes:
            self.copy_all_files(volume, self.sites["SITEA"].folder, self.workspace.path("base"))
        self.first = int(self.storage()["numbered"]) + 1
        self.checkable = True

    def running(self):
        return [each for each in self.herculeses.values() if each.alive() and each not in [p for p, _, end in self.pauses if end is None]]

    def gap(self, low, high):
        """Lets the guests get on by a random number of records; where none can, passes a moment."""
        count = self.chance.randrange(low, high)
        running = self.running()
        if not running:
            time.sleep(count / 5000)
            return
        goal = witness_log.next_ordinal(self.witness_file) + count

        def reached():
            for each in running:
                if not each.alive() or "HHCCP011I" in each.log():
                    raise Failure(f"{each.name}: Hercules or its guest has stopped:\n{each.tail()}")
            return witness_log.next_ordinal(self.witness_file) >= goal

        wait_until(reached, STANDSTILL_S, lambda: f"{count} more records of the witness: the guest stands still\n{self.tails()}", 0.02)

    def tails(self):
        return "\n".join(f"--- {process.name}\n{process.tail()}" for process in [*self.herculeses.values(), *self.dsmds.values()])

    def settle(self, timeout_s=90):
        """Without faults the copy catches up, and the session is as it was. No fault here lasts long enough to fill the ring."""

        def active():
            if state(self) != "ACTIVE":
                raise Failure(f"the session is {state(self)}, and is not resumed by itself: {self.storage()}\n{self.tails()}")
            return True

        active()
        goal = int(self.storage()["numbered"])
        wait_until(lambda: int(self.storage()["acknowledged"]) >= goal or not active(), timeout_s,
                   lambda: f"{goal} to be acknowledged: {self.storage()}\n{self.tails()}", 0.05)

    def note(self, text, fault=True):
        self.notes.append(text)
        self.faults += fault

    def explain(self, *codes):
        self.explained.update(codes)

    def release(self):
        self.proxy.close()
        if self.disk:
            for each in self.workspace.processes:
                each.kill()
            sandbox.run("umount", "-l", self.sites["SITEB"].folder)
