# io: the recorder and the loss of the page cache, tried on small programs whose promises are known: what was synced is never lost, what was
# not is lost in every way there is, and a program that promises before it syncs is found out.
import os
import random
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

import page_cache  # noqa: E402
from harness import BUILD  # noqa: E402
from page_cache import SECTOR  # noqa: E402

RECORDER = os.path.join(BUILD, "tests", "faults", "recorder.so")
SEEDS = 100


class PageCacheTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="afterimage-page-cache.")
        self.addCleanup(self.temporary.cleanup)
        self.root = os.path.join(self.temporary.name, "site")
        self.log = os.path.join(self.temporary.name, "log")
        self.begin()

    def begin(self):
        if os.path.exists(self.root):
            for name in os.listdir(self.root):
                path = os.path.join(self.root, name)
                if os.path.isfile(path):
                    os.unlink(path)
        os.makedirs(self.root, exist_ok=True)
        page_cache.create_log(self.log, 1 << 10, 1 << 20)

    def path(self, name):
        return os.path.join(self.root, name)

    def before(self, name, data):
        with open(self.path(name), "wb") as handle:
            handle.write(data)

    def read(self, name):
        with open(self.path(name), "rb") as handle:
            return handle.read()

    def program(self, text):
        """Runs Python text with the recorder and kills it where it says die()."""
        head = ("import os, signal\nR = os.environ['RECORDER_ROOT'] + '/'\n"
                "def die(): os.kill(os.getpid(), signal.SIGKILL)\n"
                "def update(name): return os.open(R + name, os.O_RDWR | os.O_CREAT, 0o600)\n"
                "def sync_folder():\n    d = os.open(R, os.O_RDONLY | os.O_DIRECTORY); os.fsync(d); os.close(d)\n")
        done = subprocess.run([sys.executable, "-c", head + text + "\ndie()\n"], capture_output=True, text=True, timeout=30,
                              env={**os.environ, "LD_PRELOAD": RECORDER, "RECORDER_LOG": self.log, "RECORDER_ROOT": self.root})
        self.assertEqual(done.returncode, -9, done.stderr)

    def losses(self, name, mode=None):
        """The one file after the same program and many different losses."""
        with open(self.log, "rb") as handle:
            log = handle.read()
        data = self.read(name)
        for seed in range(SEEDS):
            for path, kept in ((self.log, log), (self.path(name), data)):
                with open(path, "r+b") as handle:  # the same file: it is known by its inode
                    handle.truncate(0)
                    handle.write(kept)
            damage = self.lose(seed, mode)
            yield self.read(name), damage

    def lose(self, seed, mode=None):
        return page_cache.lose_page_cache(self.log, self.root, random.Random(seed), mode)

    def test_what_was_synced_stays(self):
        self.before("a", bytes(8 * SECTOR))
        self.program("fd = update('a')\nos.pwrite(fd, b'x' * 2048, 512)\nos.fdatasync(fd)\nos.pwrite(fd, b'y' * 512, 3072)")
        for data, _ in self.losses("a"):
            self.assertEqual(data[512:2560], b"x" * 2048)

    def test_all_that_was_not_synced_is_lost(self):
        self.before("a", b"o" * 8 * SECTOR)
        self.program("fd = update('a')\nos.pwrite(fd, b'x' * 700, 100)\nos.lseek(fd, 2000, 0)\nos.write(fd, b'w' * 10)\n"
                     "os.writev(fd, [b'v' * 3000, b'u' * 3000])\nos.ftruncate(fd, 20)")
        damage = self.lose(1, "all lost")
        self.assertEqual(self.read("a"), b"o" * 8 * SECTOR)
        self.assertEqual(damage.unsynced_writes, 4)
        self.assertEqual(damage.sizes_set_back, 1)

    def test_sectors_are_lost_one_by_one_and_never_in_part(self):
        seen, torn = set(), 0
        self.before("a", b"o" * 4 * SECTOR)
        self.program("fd = update('a')\nos.pwrite(fd, b'1' * 2048, 0)\nos.pwrite(fd, b'2' * 2048, 0)")
        for data, damage in self.losses("a", "any"):
            torn += damage.writes_torn
            sectors = [data[at:at + SECTOR] for at in range(0, 4 * SECTOR, SECTOR)]
            self.assertTrue(all(sector in (b"o" * SECTOR, b"1" * SECTOR, b"2" * SECTOR) for sector in sectors))
            seen.add("".join(chr(sector[0]) for sector in sectors))
        self.assertGreater(len(seen), 20)
        self.assertGreater(torn, 10)

    def test_a_later_write_may_be_there_without_an_earlier_one(self):
        seen = set()
        self.before("a", bytes(4 * SECTOR))
        self.program("fd = update('a')\nos.pwrite(fd, b'1' * 512, 0)\nos.pwrite(fd, b'2' * 512, 1024)")
        for data, _ in self.losses("a"):
            seen.add((data[0:1] == b"1", data[1024:1025] == b"2"))
        self.assertEqual(seen, {(False, False), (True, False), (False, True), (True, True)})

    def test_a_write_under_way_during_a_sync_is_not_covered_by_it(self):
        self.before("a", bytes(SECTOR))
        log = page_cache.Log(self.log)
        file = page_cache.File([page_cache.Change(begun=1, done=5, first=0, before=bytes(SECTOR), size_before=512, size_after=512)], [(4, 6)])
        log.files[(0, 0)] = file
        page_cache.choose(log, random.Random(1), page_cache.Damage("any"))
        self.assertFalse(file.changes[0].durable)
        file.syncs.append((6, 7))
        page_cache.choose(log, random.Random(1), page_cache.Damage("any"))
        self.assertTrue(file.changes[0].durable)

    def test_a_name_needs_a_sync_of_its_folder(self):
        replaced = ("fd = update('a.new')\nos.write(fd, b'new')\nos.fsync(fd)\nos.close(fd)\nos.rename(R + 'a.new', R + 'a')")
        self.before("a", b"old")
        self.program(replaced)
        self.assertEqual(self.read("a"), b"new")
        self.lose(1, "all lost")
        self.assertEqual(self.read("a"), b"old")
        self.begin()
        self.before("a", b"old")
        self.program(replaced + "\nsync_folder()\nos.unlink(R + 'a')")
        self.assertFalse(os.path.exists(self.path("a")))
        self.lose(1, "all lost")
        self.assertEqual(self.read("a"), b"new")

    def test_contents_need_a_sync_before_the_rename(self):
        self.before("a", b"old")
        self.program("fd = os.open(R + 'a.new', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)\nos.write(fd, b'new')\nos.close(fd)\n"
                     "os.rename(R + 'a.new', R + 'a')\nsync_folder()")
        self.lose(1, "all lost")
        self.assertEqual(self.read("a"), b"")

    def test_one_who_promises_before_it_syncs_is_found_out(self):
        """A counter kept in a file; the promise is in another that the loss does not touch."""
        promise = os.path.join(self.temporary.name, "promise")
        for honest in (True, False):
            self.begin()
            self.before("count", bytes(SECTOR))
            self.program(f"fd = update('count')\nfor n in range(1, 9):\n  os.pwrite(fd, bytes([n]) * 512, 0)\n"
                         f"  {'os.fdatasync(fd)' if honest else 'pass'}\n  open({promise!r}, 'w').write(str(n))\n"
                         "os.pwrite(fd, bytes([9]) * 512, 0)")
            with open(promise, encoding="utf-8") as handle:
                promised = int(handle.read())
            broken = sum(data[0] < promised for data, _ in self.losses("count"))
            (self.assertEqual if honest else self.assertGreater)(broken, 0)

    def test_a_second_process_goes_on_in_the_same_log(self):
        self.before("a", bytes(4 * SECTOR))
        self.program("fd = update('a')\nos.pwrite(fd, b'1' * 512, 0)")
        self.program("fd = update('a')\nos.pwrite(fd, b'2' * 512, 512)\nos.fsync(fd)\nos.pwrite(fd, b'3' * 512, 1024)")
        self.lose(1, "all lost")
        self.assertEqual(self.read("a"), b"1" * 512 + b"2" * 512 + bytes(1024))


if __name__ == "__main__":
    unittest.main()
