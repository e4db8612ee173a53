# Rows A2 and A5 on real Hercules: every write CCW that 3.13 knows makes exactly one token that names what it wrote, in order, on CKD and CCKD,
# with and without syncio; the tokens replayed on a copy of the base image give the final image.
import struct
import unittest

from channel_support import (KIND_WRITE, Guest, Hercules, Plex, Volume, Workspace, count_key_data, define_extent, file_mask,
                             format_records, image_differences, locate, plain_write, search_id, seek)

GOOD = 0x0C
R0_END = 5 + 16


def text(letter, length):
    return bytes([letter]) * length


class Expected:
    """The guest's channel programs and, beside each, the tokens it must make: (ccw, record, ranges)."""

    def __init__(self, subchannel):
        self.guest, self.subchannel, self.tokens, self.status, self.events = Guest(), subchannel, [], [], []

    def run(self, chain, tokens, status=GOOD):
        self.guest.start(self.subchannel, chain)
        self.status.append(status)
        self.events.append(len(tokens))
        self.tokens += tokens


def plain_ckd(case, r0_data):
    """Seek, Search, TIC, Write: cylinder 1, track 15 on."""
    at = [R0_END + n * 112 for n in range(4)]
    case.run(format_records(1, 0, [(b"KEY%d" % n, text(0xC1 + n, 100)) for n in range(3)]),
             [(0x1D, n + 1, [(15, at[n], 120)]) for n in range(3)])
    case.run(plain_write(1, 0, 2, text(0xD1, 100)), [(0x05, 2, [(15, at[1] + 12, 100)])])
    case.run(plain_write(1, 0, 2, text(0xD2, 10)), [(0x05, 2, [(15, at[1] + 12, 100)])])  # padded by the control unit
    case.run(plain_write(1, 0, 3, b"NEWK" + text(0xD3, 100), 0x0D), [(0x0D, 3, [(15, at[2] + 8, 104)])])
    erase = (0x11, struct.pack(">HHBBH", 1, 0, 3, 0, 20))
    case.run([file_mask(), seek(1, 0), search_id(1, 0, 2), ("tic", 1), erase], [(0x11, 3, [(15, at[2], 8)])])
    r0 = count_key_data(1, 1, 0, b"", r0_data)
    case.run([file_mask(), seek(1, 1), (0x39, struct.pack(">HH", 1, 1)), ("tic", 1), (0x15, r0)], [(0x15, 0, [(16, 5, 24)])])
    # 3.13 accepts Write Home Address and writes nothing: no token for it, one for the Write R0 behind it.
    home, r0 = bytes(5), count_key_data(1, 2, 0, b"", r0_data)
    case.run([file_mask(), seek(1, 2), (0x19, home), (0x15, r0)], [(0x15, 0, [(17, 5, 24)])])
    case.run([seek(1, 0), (0x05, text(0, 100))], [], 0x0E)  # no search before it: command reject, nothing written


def eckd(case):
    """Define Extent, Locate Record, multi-writes and format chains across tracks."""
    extent = define_extent((1, 0), (3, 14))
    case.run(format_records(1, 3, [(b"", text(0xC1, 50))] * 3),
             [(0x1D, n + 1, [(18, R0_END + 58 * n, 66)]) for n in range(3)])
    case.run([extent, locate(0x01, 1, 3, 1, 3)] + [(0x85, text(0xE1 + n, 50)) for n in range(3)],
             [(0x85, n + 1, [(18, R0_END + 58 * n + 8, 50)]) for n in range(3)])
    for head in (13, 14):
        track = 15 + head
        case.run(format_records(1, head, [(b"", text(0xC2, 40))] * 2),
                 [(0x1D, n + 1, [(track, R0_END + 48 * n, 56)]) for n in range(2)])
    case.run(format_records(2, 0, [(b"", text(0xC2, 40))]), [(0x1D, 1, [(30, R0_END, 56)])])
    across = [(28, 1), (28, 2), (29, 1), (29, 2), (30, 1)]  # over the end of the cylinder
    case.run([extent, locate(0x01, 1, 13, 1, 5)] + [(0xA5, text(0xE4 + n, 40)) for n in range(5)],
             [(0xA5, r, [(t, R0_END + 48 * (r - 1) + 8, 40)]) for t, r in across])
    ckd = [count_key_data(2, 1, 1, b"", text(0x81, 60)), count_key_data(2, 1, 2, b"", text(0x82, 60)),
           count_key_data(2, 2, 1, b"", text(0x83, 60)), count_key_data(2, 2, 2, b"", text(0x84, 60))]
    codes = [0x1D, 0x1D, 0x9D, 0x1D]
    places = [(31, 1), (31, 2), (32, 1), (32, 2)]
    case.run([extent, locate(0x03, 2, 1, 0, 4)] + list(zip(codes, ckd)),
             [(c, r, [(t, R0_END + 68 * (r - 1), 76)]) for c, (t, r) in zip(codes, places)])
    case.run(format_records(2, 3, [(b"LAB1", text(0xC3, 80))]), [(0x1D, 1, [(33, R0_END, 100)])])
    case.run([extent, locate(0x01, 2, 3, 1, 1), (0x8D, b"LAB2" + text(0xC4, 80))], [(0x8D, 1, [(33, R0_END + 8, 84)])])
    # The chain ends before the count of its Locate Record: unit check after the second CCW changed its record, which makes a token all the same.
    case.run([extent, locate(0x01, 2, 2, 2, 3), (0x85, text(0x91, 60)), (0x85, text(0x92, 60))],
             [(0x85, 2, [(32, R0_END + 68 + 8, 60)]), (0x85, 1, [(33, R0_END + 12, 80)])], 0x0E)


class WriteCcws(unittest.TestCase):
    maxDiff = None

    def check(self, name, compressed, options):
        with Workspace(name) as workspace:
            volume = Volume(workspace, "CCW001", 0x0A80, "3390", 4, compressed, options)
            base = volume.copy()
            plex = Plex(workspace)
            index = plex.define(volume)
            plex.state("INACTIVE", "ACTIVE")
            hercules = Hercules(workspace, name, [volume.statement()], plex.environment)
            hercules.wait_log("DSMC011I DEVICE 0A80 IS TAPPED AS VOLUME CCW001")
            case = Expected(0)
            # Hercules's CCKD keeps no data in R0 of a track that has no other record: it would be zero again after write-back.
            plain_ckd(case, bytes(8) if compressed else text(0xF0, 8))
            eckd(case)
            results = hercules.run_guest(case.guest)
            self.assertEqual([unit for unit, _ in results], case.status)
            self.assertTrue(all(channel & 0x3F == 0 for _, channel in results))
            tokens = plex.tokens(index)
            self.assertEqual([(t.ccw, t.record, t.ranges) for t in tokens], case.tokens)
            self.assertEqual([t.sequence for t in tokens], list(range(1, len(tokens) + 1)))
            self.assertEqual({t.kind for t in tokens}, {KIND_WRITE})
            for token in tokens:
                self.assertEqual(token.cylinder * 15 + token.head, token.ranges[0][0])
                self.assertTrue(token.flushed, token)
            programs = [n + 1 for n, count in enumerate(case.events) for _ in range(count)]
            self.assertEqual([t.event - tokens[0].event + 1 for t in tokens], programs)
            self.assertEqual(hercules.quit(), 0)
            replayed = base
            plex.do("replay", index, replayed)
            self.assertEqual(image_differences(replayed, volume.copy("final")), [])

    def testA2A5_EachWriteCcwIsOneTokenOnCkd(self):
        self.check("ckd", False, "")

    def testA2A5_EachWriteCcwIsOneTokenWithoutSyncio(self):
        self.check("nosyncio", False, "nosyncio")

    def testA2A5_EachWriteCcwIsOneTokenOnCckd(self):
        self.check("cckd", True, "")

    def testA2_RecordContinuedOverTracksIsOneToken(self):
        with Workspace("overflow") as workspace:
            volume = Volume(workspace, "OVF001", 0x0350, "3350", 3)
            base = volume.copy()
            plex = Plex(workspace)
            index = plex.define(volume)
            plex.state("INACTIVE", "ACTIVE")
            hercules = Hercules(workspace, "overflow", [volume.statement()], plex.environment)
            hercules.wait_log("DSMC011I")
            case = Expected(0)
            special = [file_mask(), seek(1, 0), search_id(1, 0, 0), ("tic", 1), (0x01, count_key_data(1, 0, 1, b"", text(0xC1, 100)))]
            case.run(format_records(1, 1, [(b"", text(0xC2, 100))]), [(0x1D, 1, [(31, R0_END, 116)])])
            case.run(special, [(0x01, 1, [(30, R0_END, 116)])])
            case.run(plain_write(1, 0, 1, text(0xC8, 200)), [])
            results = hercules.run_guest(case.guest)
            tokens = plex.tokens(index)
            self.assertEqual([(t.ccw, t.record, t.ranges) for t in tokens[:2]], case.tokens, results)
            self.assertEqual(len(tokens), 3)
            self.assertEqual(sorted({r[0] for r in tokens[2].ranges}), [30, 31])
            hercules.quit()
            plex.do("replay", index, base)
            self.assertEqual(image_differences(base, volume.copy("final")), [])


if __name__ == "__main__":
    unittest.main()
