# Deaths and starts in any order: a killed Hercules's volume is mended before a guest may use it again, a file changed by others is refused,
# the storage may come late, be another version's, or be replaced; verification and the panel command work beside the guest.
import os
import resource
import socket
import threading
import unittest

from channel_support import (DONE, TOKEN_DUMP, CLOSED, KIND_IMAGE, KIND_VERIFY, KIND_WRITE, LOST, OPEN, SUSPENDED_VOLUME, Guest, Hercules, Plex, Process, Volume,
                             Workspace, define_extent, format_records, image_differences, locate, plain_write, wait_until)
from seeds import seeded

DEVICE, DELAY = 0x0A80, 4
PRINTER = "000E 1403 /dev/null"  # a Hercules without any device ends
TAPPED = "DSMC011I DEVICE 0A80 IS TAPPED"


RECORDS, RECORD_BYTES, SLOT_BYTES = 5, 700, 1200  # of a track; a slot holds a record's bytes, its token and what alignment adds
REWRITES = 40
RING_BYTES = 64 << 20


def busy_writer(ring_share, letter=0x41, tracks=4, pause=0):
    """Formats some tracks and rewrites them over the track's end, again and again until it has filled that share of the ring: nobody frees it
    here, so a guest without an end would, on a machine that keeps the test waiting, be paced and then suspended."""
    guest = Guest()
    for head in range(tracks):
        guest.start(0, format_records(1, head, [(b"", bytes([letter]) * RECORD_BYTES)] * RECORDS))
    extent = define_extent((1, 0), (2, 14))
    for n in range(REWRITES):
        guest.start(0, [extent, locate(0x01, 1, 0, 1, RECORDS * tracks)] + [(0x85, bytes([letter + n]) * RECORD_BYTES)] * (RECORDS * tracks))
        if pause:
            guest.operate(0, DELAY, pause)
    guest.rounds = int(RING_BYTES * ring_share / ((1 + REWRITES) * tracks * RECORDS * SLOT_BYTES))
    assert guest.rounds > 0, "one round is more than that"
    return guest


class Mend(unittest.TestCase):
    def setUp(self):
        self.workspace = Workspace("mend")
        self.addCleanup(self.workspace.close)
        self.number = 0

    def prepare(self, compressed=False, ring_bytes=RING_BYTES, create=True, cylinders=3):
        self.plex = Plex(self.workspace, ring_bytes=ring_bytes, create=create)
        self.volume = Volume(self.workspace, "MND001", DEVICE, "3390", cylinders, compressed)
        self.base = self.volume.copy()
        if create:
            self.index = self.plex.define(self.volume)
            self.plex.state("INACTIVE", "ACTIVE")

    def start(self, **more):
        self.number += 1
        return Hercules(self.workspace, f"hercules{self.number}", [self.volume.statement()], self.plex.environment, **more)

    def assert_replay_equals(self):
        self.plex.do("replay", self.index, self.base)
        self.assertEqual(image_differences(self.base, self.volume.copy("final")), [])

    def tokens_reach(self, count):
        wait_until(lambda: int(self.plex.show()["last"]) >= count, 30, f"{count} tokens", 0.005)

    def kill_and_mend(self, compressed):
        self.prepare(compressed)
        chance = seeded("kill_and_mend")
        for n in range(3):
            hercules = self.start()
            hercules.wait_log(TAPPED)
            begun = int(self.plex.show()["last"])
            hercules.start_guest(busy_writer(0.25, 0x41 + n, pause=1_000_000))
            self.tokens_reach(begun + chance.randrange(1, 400))
            hercules.kill()
            self.assertEqual(self.plex.device(self.index).state, OPEN)
        hercules = self.start()
        hercules.wait_log(TAPPED)
        self.assertEqual(self.plex.session_state(), "ACTIVE")
        tokens = self.plex.tokens(self.index)
        self.assertEqual([t.sequence for t in tokens], list(range(1, len(tokens) + 1)))
        self.assertEqual(self.plex.device(self.index).unhardened, 0)
        if compressed:
            self.assertTrue(any(t.kind == KIND_IMAGE for t in tokens))
        hercules.run_guest(self.short_guest())
        self.assertEqual(hercules.quit(), 0)
        self.assertEqual(self.plex.device(self.index).state, CLOSED)
        self.assert_replay_equals()

    def short_guest(self):
        guest = Guest()
        guest.start(0, format_records(2, 5, [(b"", b"\x99" * 300)]))
        return guest

    def testKilledCkdVolumeIsMended(self):
        self.kill_and_mend(False)

    def testKilledCckdVolumeIsMended(self):
        self.kill_and_mend(True)

    def testOpeningWaitsForDsmdToCleanUpAfterADeath(self):
        self.prepare()
        hercules = self.start()
        hercules.wait_log(TAPPED)
        hercules.start_guest(busy_writer(0.5, pause=1_000_000))
        self.tokens_reach(50)
        hercules.kill()
        mover = Process(self.workspace, "mover", [TOKEN_DUMP, self.plex.segment, "mourn", "SYSA", "1500"])
        mover.wait_log("registered")
        hercules = self.start()
        self.assertIsNotNone(mover.child.poll(), "the volume was opened before the mover had cleaned up")
        hercules.wait_log(TAPPED)
        hercules.run_guest(self.short_guest())
        hercules.quit()
        self.assert_replay_equals()

    def testDsmdThatDoesNotCleanUpDelaysAStartOnce(self):
        self.prepare()
        others = [Volume(self.workspace, f"MND10{n}", DEVICE + n, "3390", 1) for n in range(1, 4)]
        for other in others:
            self.plex.define(other)
        statements = [volume.statement() for volume in [self.volume, *others]]
        hercules = Hercules(self.workspace, "first", statements, self.plex.environment)
        for number in range(4):
            hercules.wait_log(f"DSMC011I DEVICE {DEVICE + number:04X} IS TAPPED")
        hercules.kill()
        mover = Process(self.workspace, "mover", [TOKEN_DUMP, self.plex.segment, "mourn", "SYSA", "20000"])
        mover.wait_log("registered")
        # Four patiences one after the other would be more than the start is given.
        hercules = Hercules(self.workspace, "second", statements, self.plex.environment)
        self.assertIsNone(mover.child.poll(), "the mover had cleaned up before the start was over")
        hercules.run_guest(self.short_guest())
        # A volume that was used meanwhile is not taken for the one that was left; the others are.
        hercules.wait_log("DSMC010E DEVICE 0A80 IS NOT MIRRORED: IT WAS WRITTEN TO BEFORE IT COULD BE TAPPED", 40)
        for number in range(1, 4):
            hercules.wait_log(f"DSMC011I DEVICE {DEVICE + number:04X} IS TAPPED")
        self.assertEqual(hercules.quit(), 0)

    def testDetachWhileVerifying(self):
        self.prepare()
        hercules = self.start()
        hercules.wait_log(TAPPED)
        for _ in range(6):
            self.plex.do("verify", self.index, 0, 45, 1)
            hercules.ask("detach a80", "HHCCF047I")
            hercules.ask(f"attach a80 3390 {self.volume.path}", TAPPED)
        wait_until(lambda: self.plex.device(self.index).verify == 0, 20, "the verification to end")
        self.assertEqual(hercules.quit(), 0)
        self.assert_replay_equals()

    def testCckdIsClosedUnderWrites(self):
        """The close of a CCKD device waits for the end of the channel program it finds running: it must be let through."""
        self.prepare(compressed=True)
        for number in range(8):
            hercules = self.start()
            hercules.wait_log(TAPPED)
            before = int(self.plex.show()["last"])
            hercules.start_guest(busy_writer(0.11, tracks=14, pause=300_000))
            self.tokens_reach(before + 40)
            if number % 2 == 0:
                hercules.ask("detach a80", "HHCCF047I")
                hercules.ask(f"attach a80 3390 {self.volume.path}", TAPPED)
            self.assertEqual(hercules.quit(), 0)
        self.assert_replay_equals()

    def testFileChangedAfterDeathIsRefused(self):
        self.prepare()
        hercules = self.start()
        hercules.wait_log(TAPPED)
        hercules.run_guest(self.short_guest())
        hercules.kill()
        later = os.stat(self.volume.path).st_mtime + 60
        os.utime(self.volume.path, (later, later))
        hercules = self.start()
        hercules.wait_log("DSMC010E DEVICE 0A80 IS NOT MIRRORED: ITS FILE WAS CHANGED AFTER ITS SYSTEM DIED; COMPARE IT")
        view = self.plex.device(self.index)
        self.assertEqual((view.state, view.duplex & SUSPENDED_VOLUME), (LOST, SUSPENDED_VOLUME))
        hercules.run_guest(self.short_guest())
        hercules.quit()

    def testAnotherFileIsRefused(self):
        self.prepare()
        hercules = self.start()
        hercules.wait_log(TAPPED)
        hercules.quit()
        os.rename(self.volume.copy("other"), self.volume.path)
        hercules = self.start()
        hercules.wait_log("DSMC010E .*ITS FILE IS ANOTHER ONE THAN BEFORE")
        hercules.quit()

    def testStorageThatComesLateTakesTheDeviceIn(self):
        self.prepare(create=False)
        hercules = self.start()
        hercules.wait_log("DSMC007W NOT ATTACHED TO PLEX")
        hercules.run_guest(self.short_guest())
        self.base = self.volume.copy()
        self.plex.create()
        hercules.wait_log("DSMC006I ATTACHED", 10)
        self.index = self.plex.define(self.volume)
        hercules.wait_log(TAPPED, 10)
        self.plex.state("INACTIVE", "ACTIVE")
        hercules.run_guest(self.short_guest())
        self.assertEqual([t.kind for t in self.plex.tokens(self.index)], [KIND_WRITE])
        hercules.quit()
        self.assert_replay_equals()

    def testStorageOfAnotherVersionIsRefusedAndTheGuestUnaffected(self):
        self.prepare()
        self.plex.do("layout", 99)
        hercules = self.start()
        hercules.wait_log("DSMC007W NOT ATTACHED .*(LAYOUT|VERSION)")
        hercules.run_guest(self.short_guest())
        hercules.quit()

    def testReplacedStorageIsFound(self):
        self.prepare()
        hercules = self.start()
        hercules.wait_log(TAPPED)
        self.plex.do("remove")
        self.plex.create()
        self.index = self.plex.define(self.volume)
        self.plex.state("INACTIVE", "ACTIVE")
        since = hercules.mark()
        hercules.wait_log(TAPPED, 20, since)
        hercules.run_guest(self.short_guest())
        self.assertEqual(len(self.plex.tokens(self.index)), 1)
        hercules.quit()
        self.assertEqual(self.plex.device(self.index).state, CLOSED)

    def testSecondSystemOfOneNameIsRefused(self):
        self.prepare()
        first = self.start()
        first.wait_log(TAPPED)
        second = Hercules(self.workspace, "second", [PRINTER], self.plex.environment)
        second.wait_log("DSMC007W NOT ATTACHED .*IS ALREADY RUNNING")
        second.quit()
        first.quit()

    def testStatementInTheConfigurationNamesPlexAndSystem(self):
        self.prepare()
        line = f"DSM PLEX {self.plex.name} SYSTEM SYSA STORAGE {self.plex.segment}"
        hercules = Hercules(self.workspace, "stated", [self.volume.statement()], {"AFTERIMAGE_SYSTEM": "OTHER"}, extra=[line])
        hercules.wait_log(TAPPED)
        hercules.ask("dsm plex OTHER system SYSA", "DSMC005E DSM STATEMENT NOT TAKEN: .*attached to plex")
        hercules.quit()

    def testWrongStatementIsRefusedWithASentence(self):
        self.prepare()
        hercules = Hercules(self.workspace, "wrong", [PRINTER], {"AFTERIMAGE_SYSTEM": ""}, extra=["DSM PLEX TOOLONGNAME SYSTEM SYSA"])
        hercules.wait_log("DSMC005E DSM STATEMENT NOT TAKEN: 'TOOLONGNAME' is not a PLEX name")
        hercules.quit()

    def testFailedWriteBackSuspendsTheVolume(self):
        self.prepare()
        limit = 512 + 40 * 56832  # cylinder 2 head 10 on cannot be written
        hercules = self.start(limits={resource.RLIMIT_FSIZE: limit})
        hercules.wait_log(TAPPED)
        guest = Guest()
        guest.start(0, format_records(1, 0, [(b"", b"\xc1" * 90)]))
        guest.start(0, format_records(2, 12, [(b"", b"\xc2" * 90)] * 2))
        guest.start(0, format_records(1, 1, [(b"", b"\xc3" * 90)]))
        hercules.run_guest(guest)
        hercules.wait_log("DSMC022W VOLUME MND001 .*TRACK 42 COULD NOT BE WRITTEN TO ITS FILE")
        tokens = self.plex.tokens(self.index)
        self.assertEqual([(t.ranges[0][0], t.void) for t in tokens], [(15, False), (42, True), (42, True)])
        view = self.plex.device(self.index)
        self.assertEqual((view.flushed, view.duplex & SUSPENDED_VOLUME), (1, SUSPENDED_VOLUME))
        self.assertEqual(view.changed, 2)
        hercules.quit()

    def testVerificationRunsBesideTheGuest(self):
        self.verify_beside_guest(compressed=False)

    def testVerificationOfCckdRunsBesideTheGuest(self):
        self.verify_beside_guest(compressed=True)

    def writes_between_digests(self):
        """Whether a write was numbered between two digests of the last pass."""
        tokens = self.plex.tokens(self.index)
        last_pass = [t.sequence for t in tokens if t.kind == KIND_VERIFY][-self.tracks:]
        return any(last_pass[0] < t.sequence < last_pass[-1] for t in tokens if t.kind == KIND_WRITE)

    def beside_writer(self, hercules, first, end, kind):
        """A request for these tracks, begun while the guest writes and served to its end."""
        before = int(self.plex.show()["last"])
        since = hercules.start_guest(busy_writer(0.03, tracks=2, pause=1_000_000))
        self.tokens_reach(before + 20)
        self.plex.do("verify", self.index, first, end, kind)
        wait_until(lambda: self.plex.device(self.index).verify == 0, 60, "the request to be served")
        hercules.wait_log(DONE, 60, since)

    def verify_beside_guest(self, compressed):
        self.prepare(compressed, cylinders=12)
        self.tracks = 12 * 15
        hercules = self.start()
        hercules.wait_log(TAPPED)
        # On a busy machine a whole pass may fall between two writes of the guest: then it is made again.
        for rounds in range(1, 21):
            self.beside_writer(hercules, 0, self.tracks, 0)
            if self.writes_between_digests():
                break
        hercules.wait_log(f"DSMC030I DEVICE 0A80 VERIFIED UP TO TRACK {self.tracks}", 30)
        self.beside_writer(hercules, 10, 20, 1)
        hercules.wait_log("DSMC030I DEVICE 0A80 VERIFIED UP TO TRACK 20", 30)
        tokens = self.plex.tokens(self.index)
        digests = [t for t in tokens if t.kind == KIND_VERIFY]
        self.assertEqual([t.ranges[0][0] for t in digests], list(range(self.tracks)) * rounds)
        self.assertTrue(all(t.flushed for t in digests))
        self.assertEqual([t.ranges[0][0] for t in tokens if t.kind == KIND_IMAGE], list(range(10, 20)))
        self.assertTrue(self.writes_between_digests(), f"the guest wrote nothing between two digests of one pass, in {rounds} passes")
        self.assertEqual(hercules.quit(), 0)
        self.assert_replay_equals()

    def testPanelCommandIsAnsweredByDsmd(self):
        self.prepare()
        path = self.workspace.path("command")
        self.plex.do("socket", path)
        asked = []
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)

            def answer():
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.makefile().readline())
                    connection.sendall(b"DSMO001I FIRST LINE\nDSMO002I SECOND LINE")

            thread = threading.Thread(target=answer)
            thread.start()
            hercules = self.start()
            hercules.wait_log(TAPPED)
            hercules.ask("dsm xquery dallas volume(all)", r"DSMO001I FIRST LINE\n(?:.*\n)*?DSMO002I SECOND LINE")  # the status lines of dyngui may come between
            thread.join()
        self.assertEqual(asked, ["xquery dallas volume(all)\n"])
        hercules.ask("dsm xquery dallas", "DSMC042E NO ANSWER: DSMD CANNOT BE REACHED")
        hercules.ask("version", "Hercules Version")
        hercules.quit()

    def testPanelGoesOnWhenStoppedDsmdAcceptsNothing(self):
        self.prepare()
        path = self.workspace.path("command")
        self.plex.do("socket", path)
        waiting = []
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(0)
            full = False
            while not full:  # as the commands given while it is stopped fill its queue
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)
                try:
                    waiting[-1].connect(path)
                except BlockingIOError:
                    full = True
            hercules = self.start()
            hercules.wait_log(TAPPED)
            hercules.ask("dsm xquery dallas", "DSMC042E NO ANSWER: DSMD CANNOT BE REACHED")
            hercules.ask("version", "Hercules Version")
            hercules.run_guest(self.short_guest())
            self.assertEqual(hercules.quit(), 0)
        for one in waiting:
            one.close()


if __name__ == "__main__":
    unittest.main()
