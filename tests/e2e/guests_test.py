#!/usr/bin/env python3
# io: runs the guest programs of samples/ under plain Hercules: bank killed at random moments, audit's verdicts, writer's records.
"""Rows B17 (log, data base, commit) and A27 (the volumes IPL, a log checker passes) of the mechanisms, on Hercules without the mirror.

A second reader of the records, written here independently of the guests, checks every byte of what they wrote. Usage:
guests_test.py [unittest arguments]. The seed (AFTERIMAGE_SEED gives another) is printed; it decides the moments of the kills.
"""

import os
import random
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

from seeds import seeded

SAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "samples")
CYLINDERS = 4
WINDOW = 16
BRANCHES, ACCOUNTS, OPENING = 8, 592, 100000
VOLSERS = ("BKLOG1", "BKDB01", "BKCMT1")
LOG, DATA, COMMIT = range(3)
TYPES = tuple(name.encode("cp037") for name in ("LOG ", "DATA", "CMIT"))
LENGTHS = (2048, 1024, 512)
PER_TRACK = {"z": (20, 30, 40), "370": (8, 15, 27)}
HEADS = {"z": 15, "370": 30}
HEADER = 64
MASK = 0xFFFFFFFF
PATIENCE_S = 60

random_moments = random.Random()


def checksum(record):
    first = second = 0
    for (word,) in struct.iter_unpack(">I", record[:-4]):
        first = (first + word) & MASK
        second = (second + first) & MASK
    return first ^ second


def filler(record):
    kind, number, slot = struct.unpack_from(">4xIII", record)
    word = (number * 0x01000193 & MASK) ^ kind ^ slot
    words = []
    for _ in range((len(record) - HEADER - 4) // 4):
        words.append(word)
        word = (word + 0x1E3779B9) & MASK
    return struct.pack(">%dI" % len(words), *words)


def sealed(record):
    """The record with its filler and checksum made right for its header."""
    record = record[:HEADER] + filler(record) + record[-4:]
    return record[:-4] + struct.pack(">I", checksum(record))


class Volume:
    """A CKD image, read and changed record by record."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as image:
            self.bytes = bytearray(image.read())
        self.heads, self.track_size = struct.unpack_from("<II", self.bytes, 8)

    def find(self, cylinder, head, wanted):
        """Offset and length of a record's data."""
        at = 512 + (cylinder * self.heads + head) * self.track_size + 5
        while True:
            _, _, number, key, data = struct.unpack_from(">HHBBH", self.bytes, at)
            if self.bytes[at : at + 8] == b"\xff" * 8:
                raise AssertionError("%s: no record %d/%d/%d" % (self.path, cylinder, head, wanted))
            if number == wanted:
                return at + 8 + key, data
            at += 8 + key + data

    def read(self, cchhr):
        at, length = self.find(*cchhr)
        return bytes(self.bytes[at : at + length])

    def write(self, cchhr, data):
        at, length = self.find(*cchhr)
        assert length == len(data)
        self.bytes[at : at + length] = data

    def save(self):
        with open(self.path, "wb") as image:
            image.write(self.bytes)


class Bank:
    """The three volumes of a bank in a directory."""

    def __init__(self, directory, arch):
        self.arch = arch
        self.volumes = [Volume(os.path.join(directory, volser + ".ckd")) for volser in VOLSERS]
        self.tracks = (CYLINDERS - 1) * HEADS[arch] - 1
        self.capacities = [self.tracks * PER_TRACK[arch][LOG], BRANCHES + ACCOUNTS, self.tracks * PER_TRACK[arch][COMMIT]]

    def cchhr(self, volume, slot):
        track, record = divmod(slot, PER_TRACK[self.arch][volume])
        return divmod(track + HEADS[self.arch] + 1, HEADS[self.arch]) + (record + 1,)

    def cchhr_text(self, volume, slot):
        return "%04X%04X%02X" % self.cchhr(volume, slot)

    def record(self, volume, slot):
        return self.volumes[volume].read(self.cchhr(volume, slot))

    def put(self, volume, slot, record):
        self.volumes[volume].write(self.cchhr(volume, slot), record)

    def number(self, volume, slot):
        return struct.unpack_from(">I", self.record(volume, slot), 8)[0]

    def highest(self, volume):
        return max(self.number(volume, slot) for slot in range(self.capacities[volume]))

    def renumbered(self, volume, slot, number):
        """The record of the slot as if of another transaction, sound in itself."""
        record = bytearray(self.record(volume, slot))
        struct.pack_into(">I", record, 8, number & MASK)
        struct.pack_into(">I", record, 16, number // self.capacities[volume] & MASK)
        return sealed(bytes(record))

    def save(self):
        for volume in self.volumes:
            volume.save()


def updates(number):
    return number % BRANCHES, BRANCHES + number % ACCOUNTS


def last_update(number, slot):
    step, phase = (BRANCHES, slot) if slot < BRANCHES else (ACCOUNTS, slot - BRANCHES)
    return max(0, number - (number - phase) % step)


class Hercules:
    """A Hercules under test."""

    def __init__(self, directory, arch, deck, ipl="00c", volumes=VOLSERS, console=True):
        self.log_path = os.path.join(directory, "hercules.log")
        kind = {"z": "3390", "370": "3350"}[arch]
        lines = ["MAINSIZE 4", "NUMCPU 1", "ARCHMODE " + {"z": "z/Arch", "370": "S/370"}[arch]]
        if console:
            lines.append("0009 3215-C /")
        lines.append("000C 3505 %s ebcdic" % deck)
        for index, volser in enumerate(volumes):
            lines.append("%04X %s %s.ckd" % (0x120 + index, kind, os.path.join(directory, volser)))
        with open(os.path.join(directory, "hercules.cnf"), "w") as config:
            config.write("\n".join(lines) + "\n")
        with open(os.path.join(directory, "hercules.rc"), "w") as script:
            script.write("ipl %s\n" % ipl)
        environment = dict(os.environ, HERCULES_RC="hercules.rc")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                ["hercules", "-d", "-f", "hercules.cnf"],
                cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def wait_for(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            value = condition(self.log())
            if value:
                return value
            if self.process.poll() is not None or time.monotonic() > deadline:
                value = condition(self.log())
                if value:
                    return value
                self.kill()
                raise AssertionError("%s did not come:\n%s" % (what, self.log()[-3000:]))
            time.sleep(0.01)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def wait_end(self):
        """The code of the disabled wait PSW."""
        found = self.wait_for(lambda log: re.search(r"HHCCP011I.*\n *PSW=([0-9A-F ]+)\n", log), "a disabled wait")
        self.kill()
        return int(found.group(1).split()[-1], 16) & 0xFFFFFF


def committed(log):
    numbers = re.findall(r"^BANK COMMITTED=(\d+) LOGGED=\d+$", log, re.M)
    return int(numbers[-1]) if numbers else 0


class GuestCase(unittest.TestCase):
    arch = "z"

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="guests_test.")
        try:
            cls.bank = cls.build("bank", "CYLS=%d" % CYLINDERS, "RATE=2500")
            cls.audit = cls.build("audit", "CYLS=%d" % CYLINDERS)
        except BaseException:
            shutil.rmtree(cls.top)
            raise

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top)

    @classmethod
    def build(cls, program, *defines):
        deck = os.path.join(tempfile.mkdtemp(dir=cls.top), program + ".deck")
        command = [os.path.join(SAMPLES, "build-guest.sh"), program, "--arch", cls.arch]
        for define in defines:
            command += ["--define", define]
        subprocess.run(command + [deck], check=True, capture_output=True, text=True)
        return deck

    def volumes(self):
        directory = tempfile.mkdtemp(dir=self.top)
        subprocess.run(
            [os.path.join(SAMPLES, "make-bank-volumes.sh"), directory, "--arch", self.arch, "--cylinders", str(CYLINDERS)],
            check=True)
        return directory

    def start(self, directory, deck, **options):
        hercules = Hercules(directory, self.arch, deck, **options)
        self.addCleanup(hercules.kill)
        return hercules

    def run_bank(self, directory, transactions):
        """Runs the bank for about so many transactions and a random moment more, then kills Hercules; the last reported commit."""
        hercules = self.start(directory, self.bank)
        began = hercules.wait_for(lambda log: re.search(r"CONTINUES AFTER TRANSACTION (\d+)|VOLUMES FORMATTED", log), "the bank's start")
        target = int(began.group(1) or 0) + transactions
        hercules.wait_for(lambda log: committed(log) >= target, "commit %d" % target)
        time.sleep(random_moments.uniform(0, 0.3))
        hercules.kill()
        return committed(hercules.log())

    def verdict(self, directory, ipl="00c"):
        hercules = self.start(directory, self.audit, ipl=ipl)
        code = hercules.wait_end()
        lines = re.findall(r"^AUDIT .*$", hercules.log(), re.M)
        self.assertEqual(1, len(lines), hercules.log())
        return code, lines[0]

    def assert_passed(self, directory, ipl="00c"):
        code, line = self.verdict(directory, ipl)
        found = re.fullmatch(r"AUDIT PASSED COMMITTED=(\d+) LOGGED=(\d+) IN FLIGHT=(\d+)", line)
        self.assertTrue(found, line)
        self.assertEqual(0, code)
        return tuple(int(number) for number in found.groups())


class BankAndAudit:
    def check_every_byte(self, bank):
        """The rule and the content, by the reader in this file; returns the highest commit and log numbers."""
        high = [bank.highest(volume) for volume in range(3)]
        identities = set()
        for volume in range(3):
            for slot in range(bank.capacities[volume]):
                record = bank.record(volume, slot)
                self.assertEqual("BANK".encode("cp037") + TYPES[volume], record[:8])
                self.assertEqual(sealed(record), record, "volume %d slot %d" % (volume, slot))
                identities.add(record[20:28])
                number, own_slot = struct.unpack_from(">II", record, 8)
                self.assertEqual(slot, own_slot)
                if volume != DATA:
                    self.assertEqual(max(0, high[volume] - (high[volume] - slot) % bank.capacities[volume]), number)
                else:
                    self.assertGreaterEqual(number, last_update(high[COMMIT], slot))
                    self.assertLessEqual(number, high[LOG])
                    self.check_balance(bank, slot, record)
        self.assertEqual(1, len(identities))
        self.assertLessEqual(high[COMMIT], high[DATA] if high[COMMIT] else high[LOG])
        self.assertLessEqual(high[DATA], high[LOG])
        return high[COMMIT], high[LOG]

    def check_balance(self, bank, slot, record):
        number, balance = struct.unpack_from(">I", record, 8)[0], struct.unpack_from(">i", record, 36)[0]
        if number == 0:
            self.assertEqual(OPENING, balance)
            return
        logged = bank.record(LOG, number % bank.capacities[LOG])
        branch, _, branch_after, account, _, account_after = struct.unpack_from(">IiiIii", logged, 40)
        self.assertEqual(updates(number), (branch, account))
        self.assertEqual({branch: branch_after, account: account_after}[slot], balance)

    def testB17_KilledBankAlwaysPassesTheAudit(self):
        directory = self.volumes()
        done = 0
        # Enough transactions for both areas to wrap, and each restart begins on volumes left by a kill.
        for _ in range(4):
            reported = self.run_bank(directory, 1500)
            commits, logged, in_flight = self.assert_passed(directory)
            self.assertGreaterEqual(commits, reported)
            self.assertGreaterEqual(commits, done)
            self.assertEqual(logged - commits, in_flight)
            self.assertEqual((commits, logged), self.check_every_byte(Bank(directory, self.arch)))
            done = commits
        self.assertGreater(done, Bank(directory, self.arch).capacities[COMMIT])

    def testA27_TheCommitVolumeIplsAudit(self):
        directory = self.volumes()
        self.run_bank(directory, 1)
        self.assertEqual(self.assert_passed(directory), self.assert_passed(directory, ipl="122"))

    def testAuditFindsEachKindOfDamage(self):
        directory = self.volumes()
        self.run_bank(directory, 100)
        self.assert_passed(directory)
        bank = Bank(directory, self.arch)
        for name, damage in self.damages(bank):
            with self.subTest(name):
                copy = tempfile.mkdtemp(dir=self.top)
                for volser in VOLSERS:
                    shutil.copy(os.path.join(directory, volser + ".ckd"), copy)
                damaged = Bank(copy, self.arch)
                expected = damage(damaged)
                damaged.save()
                code, line = self.verdict(copy)
                self.assertEqual("AUDIT FAILED: " + expected, line)
                self.assertEqual(0xBAD, code)
                shutil.rmtree(copy)

    def damages(self, bank):
        """Name and damage; a damage changes a Bank and returns what audit must say of it."""
        commits, logged = bank.highest(COMMIT), bank.highest(LOG)

        def where(volume, slot, number):
            return " TRANSACTION=%d VOLUME=%04X CCHHR=%s" % (number, 0x120 + volume, bank.cchhr_text(volume, slot))

        def torn(volume):
            def damage(target):
                slot = commits % target.capacities[volume] if volume != DATA else updates(commits)[1]
                record, other = target.record(volume, slot), target.record(volume, slot - 1)
                half = len(record) // 2
                target.put(volume, slot, record[:half] + other[half:])
                return "RECORD TORN OR DAMAGED" + where(volume, slot, target.number(volume, slot))
            return damage

        def no_log(target):
            slot = (commits - 5) % target.capacities[LOG]
            target.put(LOG, slot, target.renumbered(LOG, slot, 0))
            return "LOG RECORD MISSING" + where(LOG, slot, commits - 5)

        def no_log_tail(target):
            for number in range(commits - 1, logged + 1):
                slot = number % target.capacities[LOG]
                target.put(LOG, slot, target.renumbered(LOG, slot, 0))
            return "COMMITTED BUT NOT LOGGED" + where(COMMIT, commits % target.capacities[COMMIT], commits)

        def no_data(target):
            slot = updates(commits)[1]
            target.put(DATA, slot, target.renumbered(DATA, slot, last_update(commits - 1, slot)))
            number = commits
            return "COMMITTED BUT NOT IN THE DATA BASE" + where(DATA, slot, number)

        def unlogged_data(target):
            slot = BRANCHES + 3
            ahead = 3 + ACCOUNTS * (logged // ACCOUNTS + 1)
            target.put(DATA, slot, target.renumbered(DATA, slot, ahead))
            return "IN THE DATA BASE BUT NOT LOGGED" + where(DATA, updates(ahead)[0], ahead)

        def no_commit(target):
            slot = (commits - 7) % target.capacities[COMMIT]
            target.put(COMMIT, slot, target.renumbered(COMMIT, slot, 0))
            return "COMMIT RECORD MISSING" + where(COMMIT, slot, commits - 7)

        def no_commit_tail(target):
            last = logged - WINDOW - 1
            for number in range(last + 1, commits + 1):
                slot = number % target.capacities[COMMIT]
                older = max(0, number - target.capacities[COMMIT])
                target.put(COMMIT, slot, target.renumbered(COMMIT, slot, older))
            return "MORE IN FLIGHT THAN THE BANK ALLOWS" + where(COMMIT, (last + 1) % target.capacities[COMMIT], last + 1)

        def out_of_range(target):
            slot = commits % target.capacities[COMMIT]
            number = -7
            target.put(COMMIT, slot, target.renumbered(COMMIT, slot, number))
            return "TRANSACTION NUMBER OUT OF RANGE" + where(COMMIT, slot, 7)

        def wrong_place(target):
            slot = commits % target.capacities[LOG]
            target.put(LOG, slot, target.renumbered(LOG, slot, commits - 1))
            return "TRANSACTION NUMBER OUT OF RANGE" + where(LOG, slot, commits - 1)

        def misplaced(target):
            slot = commits % target.capacities[COMMIT]
            target.put(COMMIT, slot, target.record(COMMIT, slot - 1))
            return "RECORD OF ANOTHER PLACE OR BANK" + where(COMMIT, slot, target.number(COMMIT, slot - 1))

        def content(target):
            slot = commits % target.capacities[LOG]
            record = bytearray(target.record(LOG, slot))
            record[HEADER + 100] ^= 1
            record[-4:] = struct.pack(">I", checksum(bytes(record)))
            target.put(LOG, slot, bytes(record))
            return "CONTENT IS NOT THAT OF THE TRANSACTION" + where(LOG, slot, commits)

        def balance(target):
            slot = updates(commits - 20)[1]
            record = bytearray(target.record(DATA, slot))
            struct.pack_into(">i", record, 36, struct.unpack_from(">i", record, 36)[0] + 1)
            target.put(DATA, slot, sealed(bytes(record)))
            return "BALANCE IS NOT THE ONE IN THE LOG" + where(DATA, slot, commits - 20)

        def other_bank(target):
            at = (1, 0, 1)
            record = bytearray(target.volumes[COMMIT].read(at))
            record[27] ^= 1
            target.volumes[COMMIT].write(at, sealed(bytes(record)))
            return "CONTROL RECORD DAMAGED OR OF ANOTHER BANK TRANSACTION=0 VOLUME=0122 CCHHR=0001000001"

        yield "torn log record", torn(LOG)
        yield "torn data base record", torn(DATA)
        yield "torn commit record", torn(COMMIT)
        for damage in (no_log, no_log_tail, no_data, unlogged_data, no_commit, no_commit_tail, out_of_range, wrong_place,
                       misplaced, content, balance, other_bank):
            yield damage.__name__, damage

    def testEmptyVolumesAreNotPassed(self):
        directory = self.volumes()
        code, line = self.verdict(directory)
        self.assertEqual("AUDIT FAILED: NO BANK ON THE VOLUME TRANSACTION=0 VOLUME=0120 CCHHR=0001000001", line)
        self.assertEqual(0xBAD, code)

    def testAuditOfOtherSizesRefuses(self):
        directory = self.volumes()
        self.run_bank(directory, 1)
        deck = self.build("audit", "CYLS=%d" % (CYLINDERS + 1))
        hercules = self.start(directory, deck)
        self.assertEqual(0xBAD, hercules.wait_end())
        self.assertIn("AUDIT FAILED: CONTROL RECORD HAS OTHER SIZES THAN THIS AUDIT", hercules.log())

    def testRecordThatCannotBeFoundIsAFailedAudit(self):
        directory = self.volumes()
        self.run_bank(directory, 1)
        bank = Bank(directory, self.arch)
        at, _ = bank.volumes[DATA].find(*bank.cchhr(DATA, 40))
        bank.volumes[DATA].bytes[at - 4] = 0xEE  # R in the count field
        bank.save()
        hercules = self.start(directory, self.audit)
        self.assertEqual(0xE01, hercules.wait_end(), hercules.log())
        # Unit check, no record found.
        self.assertRegex(hercules.log(), r"AUDIT FAILED: I/O ERROR DEVICE=0121 STATUS=0E\d\d SENSE=..08")

    def testBankKilledWhileFormattingBeginsAgain(self):
        directory = self.volumes()
        hercules = self.start(directory, self.bank)
        hercules.wait_for(lambda log: "BANK FORMATS THE VOLUMES\n" in log, "the formatting")
        hercules.kill()
        finished = "BANK VOLUMES FORMATTED\n" in hercules.log()
        code, line = self.verdict(directory)
        self.assertEqual("AUDIT PASSED" if finished else "AUDIT FAILED", line[:12])
        self.run_bank(directory, 100)
        self.assert_passed(directory)

    def testMissingVolumeIsNamed(self):
        directory = self.volumes()
        hercules = self.start(directory, self.bank, volumes=VOLSERS[:2])
        self.assertEqual(0xE01, hercules.wait_end())
        self.assertIn("BANK STOPPED: NO DEVICE 0122 IN THE HERCULES CONFIGURATION\n", hercules.log())

    def testBankRefusesVolumesOfTwoBanks(self):
        first, second = self.volumes(), self.volumes()
        self.run_bank(first, 1)
        self.run_bank(second, 1)
        shutil.copy(os.path.join(second, "BKDB01.ckd"), first)
        hercules = self.start(first, self.bank)
        self.assertEqual(0xE04, hercules.wait_end())
        self.assertIn("BANK STOPPED: VOLUME 0121 IS NOT OF THE SAME BANK.", hercules.log())

    def testVerdictWithoutConsoleIsTheWaitCode(self):
        directory = self.volumes()
        self.run_bank(directory, 1)
        self.assertEqual(0, self.start(directory, self.audit, console=False).wait_end())


class Writer:
    def run_writer(self, size, pattern, count, volumes=2):
        deck = self.build("writer", "SIZE=%d" % size, "PATTERN=%d" % pattern, "COUNT=%d" % count, "VOLUMES=%d" % volumes,
                          "RATE=0", "SEED=5", "CYLS=%d" % CYLINDERS)
        directory = self.volumes()
        hercules = self.start(directory, deck, volumes=VOLSERS[:volumes])
        self.assertEqual(0, hercules.wait_end())
        self.assertIn("WRITER WRITTEN=%d\n" % count, hercules.log())
        records = {}
        for index in range(volumes):
            volume = Volume(os.path.join(directory, VOLSERS[index] + ".ckd"))
            for track in range(volume.heads + 1, CYLINDERS * volume.heads):
                self.collect(volume, divmod(track, volume.heads), records, index)
        for record in records.values():
            self.assertEqual(size, len(record))
            self.assertEqual(sealed(record), record)
        return {key: struct.unpack_from(">I", record, 8)[0] for key, record in records.items()}

    def collect(self, volume, cchh, records, index):
        number = 1
        while True:
            try:
                record = volume.read(cchh + (number,))
            except AssertionError:
                self.assertGreater(number, 1)
                return
            records[index, struct.unpack_from(">I", record, 12)[0]] = record
            number += 1

    def testWriterSequentialWritesEachNumberOnce(self):
        written = self.run_writer(4096, 0, 200)
        self.assertEqual(list(range(1, 201)), sorted(number for number in written.values() if number))

    def testWriterRandomSpreadsFullTracks(self):
        written = self.run_writer({"z": 56664, "370": 19068}[self.arch], 1, 60)
        numbers = [number for number in written.values() if number]
        self.assertEqual(len(numbers), len(set(numbers)))
        self.assertGreater(len(numbers), 20)

    def testWriterHotRewritesOneRecord(self):
        written = self.run_writer(512, 2, 3000)
        self.assertEqual({0}, {slot for (_, slot), number in written.items() if number})
        self.assertEqual(3000, max(written.values()))


class ZArchitecture(BankAndAudit, Writer, GuestCase):
    arch = "z"


class System370(BankAndAudit, Writer, GuestCase):
    arch = "370"


class BuildRefusals(unittest.TestCase):
    def refused(self, *arguments):
        run = subprocess.run([os.path.join(SAMPLES, "build-guest.sh"), *arguments], capture_output=True, text=True)
        self.assertNotEqual(0, run.returncode)
        return run.stderr

    def testUnknownProgramArchitectureAndSymbolAreNamed(self):
        self.assertIn("no program named ledger", self.refused("ledger", "/dev/null"))
        self.assertIn("--arch 360: it is z or 370", self.refused("bank", "--arch", "360", "/dev/null"))
        self.assertIn("expected SYMBOL=NUMBER", self.refused("bank", "--define", "rate=5", "/dev/null"))

    def testWriterSizesOutOfRangeAreRefused(self):
        for define in ("SIZE=70", "SIZE=4097", "SIZE=56668", "VOLUMES=9", "PATTERN=3"):
            self.assertIn("must be", self.refused("writer", "--define", define, "/dev/null"), define)


if __name__ == "__main__":
    random_moments = seeded("guests")
    unittest.main(verbosity=2)
