# A tapped device's life under Hercules 3.13, one test for each thing a tap must survive: attach and detach, devinit between CKD and CCKD,
# renumbering, late and second LDMOD, RMMOD, another module's wrapper, volumes of several files, shadow files, devices that may not be mirrored.
import os
import unittest

from channel_support import (CLOSED, DONE, DSMCHAN, KIND_SHARED, SUSPENDED_VOLUME, WRAPPER, Guest, Hercules, Plex, Volume, Workspace, format_records,
                             free_port, image_differences, plain_write, run)

DEVICE = 0x0A80
TAPPED = r"DSMC011I DEVICE 0A80 IS TAPPED AS VOLUME LIF001"


def one_format(subchannel=0, cylinder=1, letter=0xC1, head=0):
    guest = Guest()
    guest.start(subchannel, format_records(cylinder, head, [(b"", bytes([letter]) * 80)] * 2))
    return guest


class Life(unittest.TestCase):
    def setUp(self):
        self.workspace = Workspace("life")
        self.addCleanup(self.workspace.close)
        self.plex = Plex(self.workspace)

    def volume(self, compressed=False, options="", volser="LIF001", device=DEVICE, cylinders=3):
        volume = Volume(self.workspace, volser, device, "3390", cylinders, compressed, options)
        self.index = self.plex.define(volume)
        return volume

    def start(self, volumes, **more):
        statements = more.pop("statements", None) or [v.statement() for v in volumes]
        environment = {**self.plex.environment, **more.pop("environment", {})}
        self.hercules = Hercules(self.workspace, "hercules", statements, environment, **more)
        return self.hercules

    def activate(self):
        self.plex.state("INACTIVE", "ACTIVE")

    def assert_replay_equals(self, volume, base, index=None):
        self.plex.do("replay", self.index if index is None else index, base)
        self.assertEqual(image_differences(base, volume.copy("final")), [])

    def testDetachAndAttachKeepTheTap(self):
        volume = self.volume()
        base = volume.copy()
        self.activate()
        hercules = self.start([volume])
        hercules.wait_log(TAPPED)
        hercules.run_guest(one_format())
        hercules.ask("detach a80", "HHCCF047I")
        self.assertEqual(self.plex.device(self.index).state, CLOSED)
        hercules.ask(f"attach a80 3390 {volume.path}", TAPPED)
        hercules.run_guest(one_format(letter=0xC2, cylinder=2))
        self.assertEqual(len(self.plex.tokens(self.index)), 4)
        hercules.quit()
        self.assertEqual(self.plex.device(self.index).state, CLOSED)
        self.assert_replay_equals(volume, base)

    def testDevinitBetweenCkdAndCckdKeepsTheTap(self):
        plain = self.volume()
        packed = Volume(self.workspace, "PCK001", DEVICE, "3390", 3, True)
        self.activate()
        hercules = self.start([plain])
        hercules.wait_log(TAPPED)
        hercules.run_guest(one_format())
        # Another volume on the device: it works, and is refused as the session's.
        hercules.ask(f"devinit a80 {packed.path}", "DSMC010E DEVICE 0A80 IS NOT MIRRORED: ITS VOLUME IS 'PCK001'")
        hercules.run_guest(one_format(letter=0xC2))
        hercules.ask(f"devinit a80 {packed.path}", "HHCPN098I")
        hercules.run_guest(one_format(letter=0xC4))  # takes the interrupt of devinit, which would make the next one busy
        hercules.ask("devinit a80 /nonexistent/volume", "HHCPN097E")
        hercules.ask(f"devinit a80 {packed.path}", "HHCPN098I")
        hercules.run_guest(one_format(letter=0xC4))
        hercules.ask(f"devinit a80 {plain.path}", TAPPED)
        hercules.run_guest(one_format(letter=0xC3))
        self.assertEqual(len(self.plex.tokens(self.index)), 2)  # the volume is suspended since the wrong one was there: recorded, not numbered
        self.assertGreater(self.plex.device(self.index).changed, 0)
        self.assertEqual(hercules.quit(), 0)

    def testCckdStaysTappedThroughDevinit(self):
        volume = self.volume(compressed=True)
        base = volume.copy()
        self.activate()
        hercules = self.start([volume])
        hercules.wait_log(TAPPED)
        for letter in (0xC1, 0xC2, 0xC3):
            hercules.run_guest(one_format(letter=letter))
            hercules.ask(f"devinit a80 {volume.path}", TAPPED)
        self.assertEqual(len(self.plex.tokens(self.index)), 6)
        hercules.quit()
        self.assertEqual(self.plex.device(self.index).unhardened, 0)
        self.assert_replay_equals(volume, base)

    def testDefineRenumbersAndTheVolumeStays(self):
        volume = self.volume()
        self.activate()
        hercules = self.start([volume])
        hercules.wait_log(TAPPED)
        hercules.ask("define a80 a90", "DSMC032W DEVICE 0A80 IS NOW 0A90")
        hercules.run_guest(one_format())
        self.assertEqual(len(self.plex.tokens(self.index)), 2)
        self.assertEqual(hercules.quit(), 0)

    def testLateLoadNamesWhatIsNotTapped(self):
        volume = self.volume()
        self.activate()
        hercules = self.start([volume], module=None)
        hercules.ask(f"ldmod {DSMCHAN}", "DSMC051W NOT TAPPED, BECAUSE ATTACHED BEFORE DSMCHAN WAS LOADED.*: 0A80")
        hercules.run_guest(one_format())
        self.assertEqual(self.plex.tokens(), [])
        hercules.ask("detach a80", "HHCCF047I")
        hercules.ask(f"attach a80 3390 {volume.path}", TAPPED)
        self.assertEqual(hercules.quit(), 0)

    def testSecondLoadIsRefusedAndUnloadWhileTappedToo(self):
        volume = self.volume()
        self.activate()
        hercules = self.start([volume])
        hercules.wait_log(TAPPED)
        hercules.ask(f"ldmod {DSMCHAN}", "HHCHD005E")
        copy = self.workspace.path("another.so")
        with open(DSMCHAN, "rb") as source, open(copy, "wb") as target:
            target.write(source.read())
        hercules.ask(f"ldmod {copy}", "DSMC002E DSMCHAN IS ALREADY LOADED")
        hercules.ask("rmmod dsmchan.so", "DSMC003E DSMCHAN IS NOT UNLOADED: 1 DEVICES ARE TAPPED")
        hercules.run_guest(one_format())
        self.assertEqual(len(self.plex.tokens(self.index)), 2)
        hercules.ask("detach a80", "HHCCF047I")
        hercules.ask("rmmod dsmchan.so", "HHCHD103I")
        hercules.ask(f"attach a80 3390 {volume.path}", "HHCDA020I")
        hercules.run_guest(one_format(letter=0xC2))
        hercules.ask("detach a80", "HHCCF047I")
        self.assertEqual(len(self.plex.tokens(self.index)), 2)
        # Loaded again, it finds that the volume was written to while it was not looking.
        hercules.ask(f"ldmod {DSMCHAN}", "DSMC004I")
        hercules.ask(f"attach a80 3390 {volume.path}", "DSMC010E .*ITS FILE WAS CHANGED SINCE IT WAS CLOSED")
        self.assertEqual(hercules.quit(), 0)

    @unittest.skipUnless(os.path.exists(WRAPPER), "the wrapping module of the tests is not built")
    def testAnotherModuleWrapsBeforeAndAfter(self):
        for order in ("before", "after"):
            with self.subTest(order):
                self.setUp()
                volume = self.volume(compressed=True)
                base = volume.copy()
                self.activate()
                modules = [f"LDMOD {WRAPPER}", f"LDMOD {DSMCHAN}"] if order == "before" else [f"LDMOD {DSMCHAN}", f"LDMOD {WRAPPER}"]
                hercules = self.start([volume], module=None, extra=modules)
                hercules.wait_log(TAPPED)
                hercules.run_guest(one_format())
                hercules.ask(f"devinit a80 {volume.path}", TAPPED)
                hercules.run_guest(one_format(letter=0xC2))
                self.assertEqual(len(self.plex.tokens(self.index)), 4)
                hercules.quit()
                self.assert_replay_equals(volume, base)

    def testVolumeOfSeveralFiles(self):
        name = self.workspace.path("split_1.ckd")
        volume = Volume.__new__(Volume)
        volume.volser, volume.device, volume.type, volume.cylinders, volume.options = "LIF001", DEVICE, "3390", 6000, ""
        volume.heads, volume.track_bytes, volume.path, volume.workspace = 15, 56832, name, self.workspace
        self.make_sparse_files(name, 6000)
        self.index = self.plex_for_tracks(volume)
        self.activate()
        hercules = self.start([volume])
        hercules.wait_log(TAPPED)
        guest = Guest()
        places = [(10, 0), (2600, 3), (5900, 7)]
        for cylinder, head in places:
            guest.start(0, format_records(cylinder, head, [(b"", b"\xc1" * 60)]))
        hercules.run_guest(guest)
        tokens = self.plex.tokens(self.index)
        self.assertEqual([(t.cylinder, t.head, t.ranges[0][0]) for t in tokens], [(c, h, c * 15 + h) for c, h in places])
        self.assertTrue(all(t.flushed for t in tokens))
        hercules.quit()

    def make_sparse_files(self, name, cylinders):
        """dasdinit writes every track; only the tracks used here are formatted, the rest of the files are holes."""
        import struct
        small = self.workspace.path("small.ckd")
        run("dasdinit", small, "3390", "LIF001", 1)
        with open(small, "rb") as handle:
            header, label = handle.read(512), handle.read(56832)
        per_file = (0x7FFFFFFF - 512) // (56832 * 15)
        first = 0
        for number in range(1, 10):
            last = min(first + per_file, cylinders)
            with open(name.replace("_1", f"_{number}"), "wb") as handle:
                high = 0 if last == cylinders else last - 1
                handle.write(header[:17] + bytes([number]) + struct.pack("<H", high) + header[20:])
                handle.truncate(512 + (last - first) * 15 * 56832)
                for cylinder, head in [(0, 0), (10, 0), (2600, 3), (5900, 7)]:
                    if first <= cylinder < last:
                        handle.seek(512 + ((cylinder - first) * 15 + head) * 56832)
                        empty = struct.pack(">BHHHHBBHQ", 0, cylinder, head, cylinder, head, 0, 0, 8, 0) + b"\xff" * 8
                        handle.write(label if cylinder == 0 else empty)
            first = last
            if first == cylinders:
                return

    def plex_for_tracks(self, volume):
        self.plex.do("remove")
        self.plex.shape = (*self.plex.shape[:3], volume.cylinders * 15)
        self.plex.create()
        return self.plex.define(volume)

    def testShadowFileMayNotBeDropped(self):
        shadow = self.workspace.path("shadow_1.sf")
        volume = self.volume(compressed=True, options=f"sf={shadow}")
        self.activate()
        hercules = self.start([volume])
        hercules.wait_log(TAPPED)
        hercules.ask("sf+a80", "HHCCD162I")
        hercules.run_guest(one_format())
        for command in ("sf-a80", "sf- a80", "sf-0a80 nomerge", "sf-*"):
            hercules.ask(command, "DSMC040E SF- REFUSED")
        hercules.ask("sf-a80 merge", "HHCCD181I|HHCCD1[78].I")
        self.assertEqual(hercules.quit(), 0)

    def testDevicesThatCannotBeMirroredAreRefused(self):
        for options, why in (("fakewrite", "OPENED WITH FAKEWRITE"), ("readonly", "OPENED READ-ONLY")):
            with self.subTest(options):
                self.setUp()
                volume = self.volume(options=options)
                self.activate()
                hercules = self.start([volume])
                hercules.wait_log(f"DSMC010E DEVICE 0A80 IS NOT MIRRORED: IT IS {why}")
                self.assertEqual(self.plex.device(self.index).duplex & SUSPENDED_VOLUME, SUSPENDED_VOLUME)
                hercules.quit()

    def testGeometryMustBeTheSessions(self):
        volume = Volume(self.workspace, "LIF001", DEVICE, cylinders=3)
        volume.cylinders = 4
        self.plex.define(volume)
        self.activate()
        hercules = self.start([volume])
        hercules.wait_log("DSMC010E DEVICE 0A80 IS NOT MIRRORED: ITS GEOMETRY IS 3 CYLINDERS")
        hercules.quit()

    def testUnmirroredDevicesAreNamed(self):
        volume = self.volume()
        other = Volume(self.workspace, "OTH001", 0x0A81)
        fba = self.workspace.path("fba.img")
        run("dasdinit", fba, "3370", "FBA001", 1000)
        hercules = self.start([volume], statements=[volume.statement(), other.statement(), f"0500 3370 {fba}", "0580 3420 *"])
        hercules.wait_log("DSMC052I NOT MIRRORED, BECAUSE NOT DEFINED TO DSMD: 0A81", 15)
        hercules.wait_log(r"DSMC053I NOT MIRRORED, BECAUSE NOT CKD: 0500\(3370\) 0580\(3420\)")
        hercules.quit()

    def testMoreThan256DevicesWorkAndTheRestIsNamed(self):
        paths = []
        template = Volume(self.workspace, "MANY00", 0x1000, "2311", 1)
        with open(template.path, "rb") as handle:
            content = handle.read()
        for n in range(257):
            paths.append(self.workspace.path(f"m{n}.ckd"))
            with open(paths[-1], "wb") as handle:
                handle.write(content)
        hercules = self.start([], statements=[f"{0x1000 + n:04X} 2311 {path}" for n, path in enumerate(paths)])
        hercules.wait_log("DSMC013E DEVICE 1100 CANNOT BE MIRRORED: MORE THAN 256", 30)
        self.assertNotIn("DEVICE 10FF CANNOT", hercules.log())
        self.assertEqual(hercules.quit(60), 0)

    def testSharedDeviceServerMakesTokens(self):
        volume = self.volume()
        base = volume.copy()
        self.activate()
        port = free_port()
        hercules = self.start([volume], extra=[f"SHRDPORT {port}"])
        hercules.wait_log(TAPPED)
        hercules.wait_log("HHCSH057I")
        client = Hercules(self.workspace, "client", [f"0A80 3390 127.0.0.1:{port}"], self.plex.environment, system="SYSB")
        client.wait_log("HHCSH0", 15)
        client.run_guest(one_format())
        update = Guest()
        update.start(0, plain_write(1, 0, 2, b"\xd7" * 80))
        client.run_guest(update)
        before = len(self.plex.tokens(self.index))
        self.plex.state("ACTIVE", "FROZEN")
        update = Guest()
        update.start(0, plain_write(1, 0, 2, b"\xd8" * 80))
        since = client.start_guest(update)
        hercules.ask("dsm status", "SESSION FROZEN")
        self.assertEqual(len(self.plex.tokens(self.index)), before)
        self.plex.state("FROZEN", "ACTIVE")
        client.wait_log(DONE, 20, since)
        self.assertGreater(len(self.plex.tokens(self.index)), before)
        client.quit()
        tokens = self.plex.tokens(self.index)
        self.assertTrue(tokens)
        self.assertEqual({(t.kind, t.ccw) for t in tokens}, {(KIND_SHARED, 0)})
        self.assertEqual((tokens[-1].cylinder, tokens[-1].head, tokens[-1].record), (1, 0, 2))
        hercules.run_guest(one_format(letter=0xC5, cylinder=2))
        hercules.quit()
        self.assert_replay_equals(volume, base)

    def testModuleBuiltForAnotherHerculesIsRefused(self):
        volume = self.volume()
        self.activate()
        with open(DSMCHAN, "rb") as handle:
            module = handle.read()
        self.assertIn(b"\x003.13\x00", module)
        other = self.workspace.path("dsmother.so")
        with open(other, "wb") as handle:
            handle.write(module.replace(b"\x003.13\x00", b"\x003.12\x00"))
        hercules = self.start([volume], module=other)
        self.assertRegex(hercules.log(), "DSMC001E DSMCHAN .* WAS BUILT FOR ANOTHER HERCULES THAN THIS ONE AND IS NOT LOADED")
        self.assertNotIn("DSMC004I", hercules.log())
        hercules.run_guest(one_format())
        self.assertEqual(self.plex.tokens(), [])
        hercules.quit()

    def testEveryCkdTypeIsTapped(self):
        types = ("2305", "2311", "2314", "3330", "3340", "3350", "3375", "3380", "3390", "9345")
        volumes = []
        for number, name in enumerate(types):
            volume = Volume.__new__(Volume)
            volume.volser, volume.device, volume.type, volume.cylinders, volume.options = f"TYP{name}"[:6], 0x0200 + number, name, 3, ""
            volume.path, volume.workspace = self.workspace.path(f"{name}.ckd"), self.workspace
            volume.volser = f"TY{name}"
            run("dasdinit", volume.path, name, volume.volser, 3)
            volumes.append(volume)
        hercules = self.start(volumes)
        for volume in volumes:
            found = hercules.wait_log(rf"HHCDA020I {volume.path} cyls=(\d+) heads=(\d+) tracks=\d+ trklen=(\d+)")
            volume.cylinders, volume.heads, volume.track_bytes = (int(n) for n in found.groups())
            volume.index = self.plex.define(volume)
        for volume in volumes:
            hercules.wait_log(f"DSMC011I DEVICE {volume.device:04X} IS TAPPED AS VOLUME {volume.volser}")
        self.activate()
        bases = [volume.copy() for volume in volumes]
        guest = Guest()
        for number in range(len(types)):
            guest.start(number, format_records(1, 1, [(b"", bytes([0xC1 + number]) * 80)] * 2))
            guest.start(number, plain_write(1, 1, 2, bytes([0xD1 + number]) * 80))
        self.assertEqual(hercules.run_guest(guest), [(0x0C, 0)] * len(guest.entries))
        for volume in volumes:
            self.assertEqual([(t.ccw, t.cylinder, t.head, t.record) for t in self.plex.tokens(volume.index)],
                             [(0x1D, 1, 1, 1), (0x1D, 1, 1, 2), (0x05, 1, 1, 2)], volume.type)
        hercules.quit()
        for volume, base in zip(volumes, bases):
            self.assert_replay_equals(volume, base, volume.index)

    def testOutsideASessionNothingIsNumbered(self):
        volume = Volume(self.workspace, "LIF001", DEVICE)
        hercules = self.start([volume])
        self.activate()
        hercules.run_guest(one_format())
        self.assertEqual(self.plex.tokens(), [])
        hercules.ask("dsm status", "DSMC043I 0A80 NOT IN A SESSION")
        hercules.quit()


if __name__ == "__main__":
    unittest.main()
