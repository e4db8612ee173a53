# Holding a guest's writes: freeze and run, the freeze's limit, pacing and its limit, clear and halt while held, with syncio and without; the
# guest always goes on, and no write is lost, doubled or numbered out of order. Row A4: no write waits for anything but these bounds.
import re
import unittest

from channel_support import (DONE, KIND_IMAGE, Guest, Hercules, Plex, Volume, Workspace, define_extent, format_records, image_differences, locate,
                             plain_write, wait_until)

DEVICE = 0x0A80
CLEAR_AND_WAIT, HALT_AND_WAIT, START_ONLY, DELAY = 2, 3, 1, 4


class Hold(unittest.TestCase):
    def begin(self, options="", records=4, size=4000, **shape):
        self.workspace = Workspace("hold")
        self.addCleanup(self.workspace.close)
        self.plex = Plex(self.workspace, **shape)
        self.volume = Volume(self.workspace, "HLD001", DEVICE, "3390", 3, False, options)
        self.base = self.volume.copy()
        self.index = self.plex.define(self.volume)
        self.plex.state("INACTIVE", "ACTIVE")
        self.hercules = Hercules(self.workspace, "hercules", [self.volume.statement()], self.plex.environment)
        self.hercules.wait_log("DSMC011I")
        guest = Guest()
        guest.start(0, format_records(1, 0, [(b"", b"\xc1" * size)] * records))
        self.hercules.run_guest(guest)
        self.formatted = len(self.plex.tokens(self.index))
        return self.hercules

    def writes(self, count, letter=0xD1, size=4000):
        guest = Guest()
        for n in range(count):
            guest.start(0, plain_write(1, 0, 1 + n % 4, bytes([letter + n % 16]) * size))
        return guest

    def finish(self):
        self.assertEqual(self.hercules.quit(), 0)
        self.plex.do("replay", self.index, self.base)
        self.assertEqual(image_differences(self.base, self.volume.copy("final")), [])

    def assert_held(self, since):
        """Nothing is numbered and the guest does not end, while the console visibly goes on answering."""
        before = len(self.plex.tokens(self.index))
        for _ in range(10):
            self.hercules.ask("dsm status", "DSMC044I")
            self.assertEqual(len(self.plex.tokens(self.index)), before)
        self.assertNotRegex(self.hercules.log()[since:], DONE)
        return before

    def freeze_and_run(self, options):
        hercules = self.begin(options)
        self.plex.state("ACTIVE", "FROZEN")
        hercules.wait_log("DSMC023I SESSION FROZEN")
        since = len(hercules.log())
        place = hercules.start_guest(self.writes(6))
        self.assertEqual(self.assert_held(since), self.formatted)
        self.plex.state("FROZEN", "ACTIVE")
        hercules.wait_log(DONE, 20, place)
        tokens = self.plex.tokens(self.index)
        self.assertEqual([t.ccw for t in tokens[self.formatted:]], [0x05] * 6)
        self.finish()

    def testFreezeHoldsWritesUntilRunWithSyncio(self):
        self.freeze_and_run("")

    def testFreezeHoldsWritesUntilRunWithoutSyncio(self):
        self.freeze_and_run("nosyncio")

    def testFreezeInTheMiddleOfWritingNumbersEveryWriteOnce(self):
        hercules = self.begin()
        chains = Guest()
        extent = define_extent((1, 0), (2, 14))
        for n in range(200):
            chains.start(0, [extent, locate(0x01, 1, 0, 1, 4)] + [(0x85, bytes([0x40 + n % 64]) * 4000)] * 4)
        place = hercules.start_guest(chains)
        for _ in range(40):
            self.plex.state("ACTIVE", "FROZEN")
            self.plex.state("FROZEN", "ACTIVE")
        hercules.wait_log(DONE, 40, place)
        tokens = self.plex.tokens(self.index)[self.formatted:]
        images = sum(t.kind == KIND_IMAGE for t in tokens)
        # A write that met the freeze between its gate and its number is sent as a whole track instead: as many in all.
        self.assertEqual(len(tokens), 800, f"{images} of them whole tracks")
        self.finish()

    def testFreezeLimitSuspendsAndTheGuestGoesOn(self):
        hercules = self.begin(freeze_ms=800)
        self.plex.state("ACTIVE", "FROZEN")
        place = hercules.start_guest(self.writes(3))
        hercules.wait_log("DSMC021W FREEZE ENDED AFTER ITS LIMIT", 10)
        hercules.wait_log(DONE, 10, place)
        self.assertEqual(self.plex.session_state(), "SUSPENDED")
        self.assertEqual(self.plex.device(self.index).changed, 1)
        self.assertEqual(len(self.plex.tokens(self.index)), self.formatted)
        hercules.quit()

    def testFreezeLimitEndsWithoutAnyWriter(self):
        hercules = self.begin(freeze_ms=500)
        self.plex.state("ACTIVE", "FROZEN")
        hercules.wait_log("DSMC021W", 10)
        hercules.quit()

    def testA4_FullRingPacesThenSuspendsAndTheGuestGoesOn(self):
        hercules = self.begin(ring_bytes=1 << 20, pace_ms=700)
        place = hercules.start_guest(self.writes(400))
        hercules.wait_log("DSMC020W DEVICE 0A80 WAS HELD", 20)
        hercules.wait_log("DSMC023I SESSION SUSPENDED, REASON BUFFERS", 10)
        hercules.wait_log(DONE, 20, place)
        shown = self.plex.show()
        self.assertEqual(self.plex.session_state(), "SUSPENDED")
        self.assertGreaterEqual(int(shown["pace_us"]), 600_000)
        self.assertLess(int(shown["pace_us"]), 3_000_000)
        self.assertEqual(self.plex.device(self.index).changed, 1)
        hercules.quit()

    def testA4_PacedGuestGoesOnWhenSpaceIsFreed(self):
        hercules = self.begin(ring_bytes=1 << 20, pace_ms=30000)
        place = hercules.start_guest(self.writes(400))
        wait_until(lambda: self.freed_round(hercules, place), 40, "the guest to end while the ring is freed behind it", 0.05)
        self.assertEqual(self.plex.session_state(), "ACTIVE")
        self.assertEqual(int(self.plex.show()["last"]), self.formatted + 400)
        self.assertGreater(int(self.plex.show()["paced"]), 0)
        hercules.quit()

    def freed_round(self, hercules, place):
        self.plex.do("free")
        with open(hercules.log_path, "rb") as handle:
            handle.seek(place)
            return re.search(DONE, handle.read().decode("utf-8", "replace")) is not None

    def leave_held(self, operation, options):
        hercules = self.begin(options)
        self.plex.state("ACTIVE", "FROZEN")
        guest = Guest()
        guest.start(0, plain_write(1, 0, 1, b"\xee" * 4000), START_ONLY)
        guest.operate(0, DELAY, 20_000_000)
        guest.operate(0, operation)
        since = hercules.start_guest(guest)
        hercules.wait_log(DONE, 20, since)
        self.plex.state("FROZEN", "ACTIVE")
        self.assertEqual(len(self.plex.tokens(self.index)), self.formatted)
        after = self.writes(2)
        hercules.run_guest(after)
        self.assertEqual(len(self.plex.tokens(self.index)), self.formatted + 2)
        self.finish()

    def testClearLeavesAHeldWriteWithoutWriting(self):
        for options in ("", "nosyncio"):
            with self.subTest(options):
                self.leave_held(CLEAR_AND_WAIT, options)

    def testHaltLeavesAHeldWriteWithoutWriting(self):
        for options in ("", "nosyncio"):
            with self.subTest(options):
                self.leave_held(HALT_AND_WAIT, options)

    def testQuitWhileHeldEndsHercules(self):
        hercules = self.begin()
        self.plex.state("ACTIVE", "FROZEN")
        hercules.start_guest(self.writes(2))
        hercules.ask("dsm status", "SESSION FROZEN")
        self.assertEqual(hercules.quit(), 0)
        self.plex.state("FROZEN", "ACTIVE")
        self.plex.do("replay", self.index, self.base)
        self.assertEqual(image_differences(self.base, self.volume.copy("final")), [])

    def testSuspendedSessionRecordsChangesOnly(self):
        hercules = self.begin()
        self.plex.state("ACTIVE", "SUSPENDED")
        hercules.run_guest(self.writes(4))
        self.assertEqual(len(self.plex.tokens(self.index)), self.formatted)
        self.assertEqual(self.plex.device(self.index).changed, 1)
        hercules.quit()


if __name__ == "__main__":
    unittest.main()
