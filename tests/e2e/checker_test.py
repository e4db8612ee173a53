# Tests of the checker itself on made-up volumes and witness files: it must accept every consistent cut and name every kind of damage.
import itertools
import os
import random
import shutil
import struct
import tempfile
import unittest

import checker
import witness_log
from seeds import seeded
from ckd_image import END_OF_TRACK, HEADER_BYTES, image_differences, track_difference, used_bytes
from witness_log import CCW_BEGIN, CCW_END, END, START, WRITE

HEADS, TRACK_BYTES, CYLINDERS = 2, 512, 3


def record_offset(record, data_bytes=16):
    """Of a record's data field, in a track formatted by new_track."""
    return 5 + (record - 1) * (8 + data_bytes) + 8


def new_track(number, records=4, data_bytes=16, fill=0):
    cylinder, head = divmod(number, HEADS)
    track = bytearray(struct.pack(">BHH", 0, cylinder, head))
    for record in range(1, records + 1):
        track += struct.pack(">HHBBH", cylinder, head, record, 0, data_bytes) + bytes([fill]) * data_bytes
    track += END_OF_TRACK
    return track + bytes(TRACK_BYTES - len(track))


def write_image(path, tracks):
    header = b"CKD_P370" + struct.pack("<IIBBH", HEADS, TRACK_BYTES, 0x90, 0, 0)
    with open(path, "wb") as handle:
        handle.write(header.ljust(HEADER_BYTES, b"\0") + b"".join(bytes(t) for t in tracks))


class WitnessWriter:
    """Writes what the module would have written, record by record."""

    def __init__(self, path, records=4096, heap_bytes=1 << 20):
        witness_log.create(path, records, heap_bytes)
        self.path, self.ordinal, self.heap = path, 0, 0
        self.heap_at = 4096 + records * 64
        self.heap_at += -self.heap_at % 4096
        self.begin = {}

    def add(self, kind, device, track=0, offset=0, data=b"", published=1, flags=0):
        if kind == CCW_BEGIN:
            self.begin[device] = self.ordinal + 1
        begin = self.begin.get(device, 0)
        with open(self.path, "r+b") as handle:
            handle.seek(4096 + self.ordinal * 64)
            handle.write(witness_log.RECORD.pack(published, kind, flags, 0, device, track, offset, len(data), self.heap, begin,
                                                 self.ordinal * 1000, 0x05))
            handle.seek(self.heap_at + self.heap)
            handle.write(data)
            self.ordinal += 1
            self.heap += (len(data) + 7) // 8 * 8
            handle.seek(witness_log.ORDINAL_AT)
            handle.write(struct.pack("<Q", self.ordinal))
        if kind == CCW_END:
            self.begin.pop(device, None)

    def program(self, device, *writes):
        """One channel program of one write CCW."""
        for kind in (START, CCW_BEGIN):
            self.add(kind, device)
        for track, offset, data in writes:
            self.add(WRITE, device, track, offset, data)
        for kind in (CCW_END, END):
            self.add(kind, device)


class CheckerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="checker.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.base = [new_track(n) for n in range(HEADS * CYLINDERS)]
        write_image(self.path("base"), self.base)
        self.witness = WitnessWriter(self.path("witness"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def recovered(self, name, *writes):
        tracks = [bytearray(t) for t in self.base]
        for track, offset, data in writes:
            tracks[track][offset:offset + len(data)] = data
        write_image(self.path(name), tracks)
        return self.path(name)

    def check(self, *names, **more):
        volumes = [(name, (0, 0xA80 + i), self.path("base"), self.path(name)) for i, name in enumerate(names)]
        return checker.check(self.path("witness"), volumes, **more)

    @staticmethod
    def write(track, record, letter):
        return (track, record_offset(record), letter * 16)

    def test_every_prefix_is_accepted_and_counted(self):
        writes = [self.write(i % 3, i % 4 + 1, bytes([65 + i])) for i in range(9)]
        for write in writes:
            self.witness.program(0xA80, write)
        for k in range(10):
            self.recovered("VOL1", *writes[:k])
            verdict = self.check("VOL1", total=k)
            self.assertEqual(verdict.problem, "")
            self.assertEqual(verdict.low, {"VOL1": k})
            self.assertEqual(verdict.high, {"VOL1": k})
            self.assertIn(f"of {k} of 9", verdict.text())

    def test_a_missing_write_is_found(self):
        writes = [self.write(0, 1, b"A"), self.write(1, 1, b"B"), self.write(2, 1, b"C")]
        for write in writes:
            self.witness.program(0xA80, write)
        self.recovered("VOL1", writes[0], writes[2])
        self.assertIn("write 2 (device 0A80", self.check("VOL1").problem)
        self.assertIn("missing while a later one is there", self.check("VOL1").problem)

    def test_writes_out_of_order_on_one_track_are_found(self):
        writes = [self.write(0, 1, b"A"), self.write(0, 2, b"B")]
        for write in writes:
            self.witness.program(0xA80, write)
        self.recovered("VOL1", writes[1])
        self.assertIn("no prefix of its 2 writes", self.check("VOL1").problem)

    def test_an_overwritten_order_is_found(self):
        writes = [self.write(0, 1, b"A"), self.write(0, 1, b"B"), self.write(1, 1, b"C")]
        for write in writes:
            self.witness.program(0xA80, write)
        self.recovered("VOL1", writes[1], writes[0], writes[2])  # A applied after B
        self.assertNotEqual(self.check("VOL1").problem, "")

    def test_a_torn_write_is_found(self):
        parts = [(0, record_offset(1), b"A" * 16), (0, record_offset(2), b"B" * 16)]
        self.witness.program(0xA80, *parts)
        self.recovered("VOL1", parts[0])
        self.assertIn("only a part of one write CCW", self.check("VOL1").problem)

    def test_a_torn_field_is_found(self):
        self.witness.program(0xA80, self.write(0, 1, b"A"))
        self.recovered("VOL1", (0, record_offset(1), b"A" * 8))
        self.assertIn("byte 8 of key and data is 41 against 00", self.check("VOL1").problem)

    def test_a_track_without_end_marker_is_found(self):
        self.witness.program(0xA80, self.write(0, 1, b"A"))
        end = used_bytes(self.base[0]) - 8
        self.recovered("VOL1", self.write(0, 1, b"A"), (0, end, struct.pack(">HHBBH", 0, 0, 5, 0, 4000)))
        self.assertIn("torn", self.check("VOL1").problem)

    def test_a_write_no_guest_made_is_found(self):
        self.witness.program(0xA80, self.write(0, 1, b"A"))
        self.recovered("VOL1", self.write(0, 1, b"A"), self.write(4, 3, b"X"))
        self.assertIn("no guest wrote here", self.check("VOL1").problem)
        self.recovered("VOL1", self.write(0, 1, b"A"), self.write(0, 3, b"X"))
        self.assertIn("no prefix", self.check("VOL1").problem)

    def test_what_lies_behind_the_end_of_track_is_ignored(self):
        self.witness.program(0xA80, self.write(0, 1, b"A"))
        self.recovered("VOL1", self.write(0, 1, b"A"), (0, 400, b"junk"), (5, 400, b"junk"))
        self.assertEqual(self.check("VOL1", total=1).problem, "")
        self.assertEqual(image_differences(self.recovered("X"), self.recovered("Y", (0, 400, b"junk"))), [])
        self.assertEqual(len(image_differences(self.recovered("X"), self.recovered("Y", self.write(3, 2, b"Z")))), 1)

    def test_a_dependent_write_without_its_cause_is_found(self):
        log, data = self.write(0, 1, b"L"), self.write(0, 1, b"D")
        self.witness.program(0xA80, log)
        self.witness.program(0xA81, data)
        for with_log, with_data, good in ((0, 0, True), (1, 0, True), (1, 1, True), (0, 1, False)):
            self.recovered("LOG001", *[log][:with_log])
            self.recovered("DATA01", *[data][:with_data])
            verdict = self.check("LOG001", "DATA01")
            self.assertEqual(verdict.problem == "", good, verdict.text())
        self.assertIn("LOG001 lacks its write 1", verdict.problem)
        self.assertIn("which had ended before a write that DATA01 holds was started", verdict.problem)

    def test_overlapping_programs_may_go_either_way_unless_strict(self):
        log, data = self.write(0, 1, b"L"), self.write(0, 1, b"D")
        for device in (0xA80, 0xA81):
            self.witness.add(START, device)
        for device, write in ((0xA80, log), (0xA81, data)):
            self.witness.add(CCW_BEGIN, device)
            self.witness.add(WRITE, device, *write)
            self.witness.add(CCW_END, device)
        for device in (0xA80, 0xA81):
            self.witness.add(END, device)
        self.recovered("LOG001")
        self.recovered("DATA01", data)
        self.assertEqual(self.check("LOG001", "DATA01").problem, "")
        self.assertNotEqual(self.check("LOG001", "DATA01", strict=True).problem, "")

    def test_a_ccw_cut_off_by_the_kill_is_whole_or_absent(self):
        parts = [(0, record_offset(1), b"A" * 16), (1, record_offset(2), b"B" * 16)]
        self.witness.add(START, 0xA80)
        self.witness.add(CCW_BEGIN, 0xA80)
        for part in parts:
            self.witness.add(WRITE, 0xA80, *part)
        for held, good in (((), True), (parts, True), (parts[:1], False), (parts[1:], False)):
            self.recovered("VOL1", *held)
            self.assertEqual(self.check("VOL1").problem == "", good)

    def test_rewrites_of_the_same_content_leave_a_choice_that_the_total_narrows(self):
        for letter in (b"A", b"A", b"A", b"B"):
            self.witness.program(0xA80, self.write(0, 1, letter))
        self.recovered("VOL1", self.write(0, 1, b"A"))
        verdict = self.check("VOL1")
        self.assertEqual((verdict.low, verdict.high), ({"VOL1": 1}, {"VOL1": 3}))
        for total, good in ((0, False), (1, True), (2, True), (3, True), (4, False)):
            self.assertEqual(self.check("VOL1", total=total).problem == "", good)

    def test_content_that_returns_leaves_a_set_with_holes(self):
        for letter in (b"A", b"B", b"A"):
            self.witness.program(0xA80, self.write(0, 1, letter))
        self.recovered("VOL1", self.write(0, 1, b"A"))
        for total, good in ((1, True), (2, False), (3, True)):
            self.assertEqual(self.check("VOL1", total=total).problem == "", good)

    def test_an_unpublished_record_is_passed_over(self):
        self.witness.program(0xA80, self.write(0, 1, b"A"))
        self.witness.add(WRITE, 0xA81, 0, record_offset(1), b"Z" * 16, published=0)
        self.witness.program(0xA80, self.write(0, 2, b"B"))
        self.recovered("VOL1", self.write(0, 1, b"A"), self.write(0, 2, b"B"))
        self.assertEqual(self.check("VOL1", total=2).problem, "")

    def test_a_write_outside_any_ccw_stands_alone(self):
        self.witness.add(WRITE, 0xA80, *self.write(0, 1, b"A"))
        self.witness.add(WRITE, 0xA80, *self.write(0, 2, b"B"))
        self.recovered("VOL1", self.write(0, 1, b"A"))
        self.assertEqual(self.check("VOL1", total=1).problem, "")

    def test_a_full_witness_file_and_a_device_nobody_named_are_refused(self):
        self.witness.program(0xA80, self.write(0, 1, b"A"))
        self.recovered("VOL1")
        with self.assertRaisesRegex(ValueError, "device 0A80"):
            checker.check(self.path("witness"), [])
        with open(self.path("witness"), "r+b") as handle:
            handle.seek(witness_log.DROPPED_AT)
            handle.write(struct.pack("<Q", 3))
        with self.assertRaisesRegex(witness_log.WitnessError, "too small"):
            self.check("VOL1")

    def test_difference_phrases(self):
        a, b = new_track(1), new_track(1, records=3)
        self.assertEqual(track_difference(bytes(a), bytes(b)), "4 records against 3")
        self.assertIn("home address", track_difference(bytes(a), bytes(new_track(2))))


class RandomHistoryTest(unittest.TestCase):
    """Against brute force: every combination of prefixes of small random histories, judged by definition."""

    def test_verdicts_equal_brute_force(self):
        chance = seeded("checker")
        for round_number in range(12):
            with self.subTest(round=round_number):
                self.one_round(random.Random(chance.randrange(1 << 30)))

    def one_round(self, chance):
        folder = tempfile.mkdtemp(prefix="checker.")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        base = [new_track(n) for n in range(HEADS * CYLINDERS)]
        write_image(f"{folder}/base", base)
        witness = WitnessWriter(f"{folder}/witness")
        devices = [0xA80, 0xA81, 0xA82]
        plans = {d: [[(chance.randrange(3), record_offset(chance.randrange(1, 4)), bytes([chance.choice(b"ABC")]) * 16)
                      for _ in range(chance.choice((1, 1, 2)))] for _ in range(chance.randrange(4))] for d in devices}
        self.interleave(chance, witness, plans)
        log = witness_log.WitnessLog(f"{folder}/witness")
        states = {d: self.states(base, plans[d]) for d in devices}
        consistent = self.brute_force(log, plans)
        for chosen in itertools.product(*[range(len(states[d])) for d in devices]):
            for d, k in zip(devices, chosen):
                write_image(f"{folder}/{d:X}", states[d][k])
            alike = [[k for k in range(len(states[d])) if states[d][k] == states[d][c]] for d, c in zip(devices, chosen)]
            wanted = [cut for cut in itertools.product(*alike) if cut in consistent]
            volumes = [(f"{d:X}", (0, d), f"{folder}/base", f"{folder}/{d:X}") for d in devices]
            verdict = checker.check(f"{folder}/witness", volumes)
            self.assertEqual(verdict.problem == "", bool(wanted), f"{chosen}: {verdict.text()}")
            if wanted:
                self.assertEqual(tuple(verdict.low.values()), min(wanted, key=sum))
                self.assertEqual(tuple(verdict.high.values()), max(wanted, key=sum))
                for total in range(sum(map(len, plans.values())) + 1):
                    self.assertEqual(checker.check(f"{folder}/witness", volumes, total=total).problem == "",
                                     total in {sum(cut) for cut in wanted})

    @staticmethod
    def interleave(chance, witness, plans):
        todo = {d: [step for unit in units for step in
                    [(START, None), (CCW_BEGIN, None)] + [(WRITE, w) for w in unit] + [(CCW_END, None), (END, None)]]
                for d, units in plans.items()}
        while any(todo.values()):
            device = chance.choice([d for d in todo if todo[d]])
            for _ in range(chance.randrange(1, 7)):
                if todo[device]:
                    kind, write = todo[device].pop(0)
                    witness.add(kind, device, *(write or ()))

    @staticmethod
    def states(base, units):
        state = [bytes(t) for t in base]
        found = [list(state)]
        for unit in units:
            for track, offset, data in unit:
                state[track] = state[track][:offset] + data + state[track][offset + len(data):]
            found.append(list(state))
        return found

    @staticmethod
    def brute_force(log, plans):
        devices = list(plans)
        units = [log.units.get((0, d), []) for d in devices]
        good = set()
        for cut in itertools.product(*[range(len(u) + 1) for u in units]):
            started = [u.program_start for mine, k in zip(units, cut) for u in mine[:k]]
            ended = [u.program_end for mine, k in zip(units, cut) for u in mine[k:]]
            if not any(e < s for e in ended for s in started):
                good.add(cut)
        return good


if __name__ == "__main__":
    unittest.main()
