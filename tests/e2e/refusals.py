# What is wrong from outside is refused with one sentence and a non-zero result, and nothing is damaged: certificates, LU names, garbage
# on the port, a journal cut off or with a flipped bit, a full disk, an image of another size, a second writer, an unwritable directory.
import glob
import hashlib
import os
import re
import resource
import shutil
import socket
import subprocess
import unittest

import checker
import harness
from harness import DSMCHAN, DSMD, SESSION, WITNESS, Plant, Process, Workspace, blank_volume, run, wait_until
from scenario import BankBase, assert_equal_once_idle, recovery_point, start_mirrored_bank


def digest(path):
    with open(path, "rb") as handle:
        return hashlib.sha256(handle.read()).hexdigest()


class RefusalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need(DSMD, DSMCHAN, WITNESS)
        cls.chance = harness.seeded("refusals")
        cls.prepared = BankBase()

    @classmethod
    def tearDownClass(cls):
        cls.prepared.close()

    def setUp(self):
        self.workspace = Workspace("refusal")
        self.addCleanup(self.workspace.close)

    def plant(self, **more):
        return Plant(self.workspace, prepared=self.prepared, heartbeat="30s", **more)

    def refused(self, process, *words, timeout_s=20):
        """It ends by itself with a non-zero code (no signal), having said a sentence with these words."""
        code = process.wait(timeout_s)
        text = process.log()
        self.assertGreater(code, 0, text)
        sentence = [line for line in text.splitlines() if all(word.lower() in line.lower() for word in words)]
        self.assertTrue(sentence, f"no line with {words} in:\n{text}")
        print(f"  {self.id().rpartition('.')[2]}: {sentence[-1]}", flush=True)

    def images(self, plant, site="SITEB"):
        return {v.volser: digest(plant.image(site, v)) for v in plant.volumes}

    # ---- the link

    def link_refused(self, plant, *words, **changes):
        before = self.images(plant)
        plant.start_dsmd("SITEB")
        primary = plant.start_dsmd("SITEA", config=plant.write_config(plant.workspace.path("wrong.xml"), **changes))
        plant.start_session()

        def said():
            text = primary.log() + plant.dsmds["SITEB"].log()
            return [line for line in text.splitlines() if all(word.lower() in line.lower() for word in words)]

        lines = wait_until(said, 20, lambda: f"a message with {words}:\n{primary.tail()}\n{plant.dsmds['SITEB'].tail()}")
        print(f"  {self.id().rpartition('.')[2]}: {lines[0]}", flush=True)
        self.assertEqual(plant.storage()["acknowledged"], "0")
        self.assertEqual(self.images(plant), before, "not even fenced")

    def other_authority(self, plant, lu):
        folder = plant.workspace.path("othercerts")
        run(os.path.join(harness.SAMPLES, "make-test-ca.sh"), folder, lu)
        return os.path.join(folder, lu)

    def test_a_certificate_of_another_authority(self):
        plant = self.plant()
        self.link_refused(plant, "certificate", certificates={"SITEA": self.other_authority(plant, "SITEA.DSMLU")})

    def certificate_of_another_lu(self, plant):
        certs = plant.workspace.path("certs")
        run(os.path.join(harness.SAMPLES, "make-test-ca.sh"), certs, "SITEX.DSMLU")
        return {"SITEA": os.path.join(certs, "SITEX.DSMLU")}

    def test_a_certificate_that_does_not_name_its_own_lu(self):
        plant = self.plant()
        self.link_refused(plant, "names LU SITEX.DSMLU", "SITEA.DSMLU", certificates=self.certificate_of_another_lu(plant))

    def test_a_partner_that_is_another_lu(self):
        """Signed by the right authority and true to its own name: but not the LU the secondary expects."""
        plant = self.plant()
        self.link_refused(plant, "SITEX.DSMLU", "SITEA.DSMLU is expected", certificates=self.certificate_of_another_lu(plant),
                          lu={"SITEA": "SITEX.DSMLU"})

    def test_a_partner_configured_under_another_lu_name(self):
        plant = self.plant()
        self.link_refused(plant, "LU", "SITEB.DSMLU", lu={"SITEB": "SITEZ.DSMLU"})

    def test_certificates_that_come_later_need_no_restart(self):
        """Both sites start without theirs, say so once, answer commands, and link up as soon as the files are there."""
        plant = self.plant()
        certs = plant.workspace.path("certs")
        for site in plant.sites.values():
            os.rename(os.path.join(certs, f"{site.lu}.crt.pem"), os.path.join(certs, f"{site.lu}.late"))
        start_mirrored_bank(plant)
        for site, process in plant.dsmds.items():
            process.wait_log(rf"DSML103E .*{re.escape(plant.sites[site].lu)}.crt.pem' cannot be read")
        plant.wait_writes(200)
        self.assertEqual(plant.storage()["acknowledged"], "0")
        for site in plant.sites.values():
            os.rename(os.path.join(certs, f"{site.lu}.late"), os.path.join(certs, f"{site.lu}.crt.pem"))
        plant.dsmds["SITEA"].wait_log("DSML101I", 60)
        plant.herculeses["SYSA"].quit()
        assert_equal_once_idle(plant)
        for process in plant.dsmds.values():
            self.assertEqual(process.log().count("DSML103E"), 1, process.log())

    def test_garbage_on_the_port_costs_nothing(self):
        plant = self.plant()
        start_mirrored_bank(plant)
        plant.wait_writes(500)
        port = plant.sites["SITEB"].port
        for size in (1, 100, 70000):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
                try:
                    stranger.sendall(self.chance.randbytes(size))
                    stranger.shutdown(socket.SHUT_WR)
                    while stranger.recv(4096):
                        pass
                except OSError:
                    pass  # thrown out in the middle of it: as good
        plant.dsmds["SITEB"].wait_log("DSML107W", 20)
        with socket.create_connection(("127.0.0.1", port), timeout=5):  # says nothing at all
            plant.wait_writes(1500)
            plant.herculeses["SYSA"].quit()
            assert_equal_once_idle(plant)

    # ---- the journal

    def journal_of_a_killed_secondary(self, plant):
        first = start_mirrored_bank(plant)
        plant.wait_writes(self.chance.randrange(3000, 6000))
        victims = [plant.herculeses["SYSA"], plant.dsmds["SITEA"], plant.dsmds["SITEB"]]
        for process in victims:
            process.signal(9)
        for process in victims:
            process.kill()
        kept = plant.workspace.path("kept")
        shutil.copytree(plant.sites["SITEB"].folder, kept, ignore=shutil.ignore_patterns("*.sock"))
        return first, kept

    def restore(self, plant, kept):
        shutil.rmtree(plant.sites["SITEB"].folder)
        shutil.copytree(kept, plant.sites["SITEB"].folder)

    def journal_files(self, plant):
        files = [path for path in glob.glob(plant.sites["SITEB"].folder + "/**", recursive=True)
                 if "journal" in path[len(plant.sites["SITEB"].folder):] and os.path.isfile(path)]
        self.assertGreaterEqual(len(files), 2, "a journal of two files")
        return sorted(files)

    @staticmethod
    def used_part(path):
        """Offset behind the last byte that is not zero: the files are allocated whole at the start."""
        with open(path, "rb") as handle:
            data = handle.read()
        return len(data.rstrip(b"\0"))

    def restart_damaged(self, plant, first, *words):
        """Refused with a sentence, or what is recovered is still exactly one cut: never a wrong image. True when refused."""
        process = plant.start_dsmd("SITEB", ready=False)
        wait_until(lambda: not process.alive() or plant.ask("SITEB", "D A,L")[0] == 0, 20, "dsmd to start or refuse")
        if not process.alive():
            self.refused(process, *words)
            return True
        plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4))
        point_a, _ = recovery_point(plant.loss_report())
        verdict = checker.check(plant.witness_file, plant.checker_volumes(), strict=True, total=point_a - first + 1)
        process.kill()
        self.assertEqual(verdict.problem, "")
        return False

    def test_a_flipped_bit_in_the_journal(self):
        plant = self.plant()
        first, kept = self.journal_of_a_killed_secondary(plant)
        refused = 0
        for attempt in range(8):
            path = self.chance.choice([p for p in self.journal_files(plant) if self.used_part(p) > 8192])
            at = self.chance.randrange(4096, self.used_part(path) * (3 if attempt % 2 else 4) // 4)
            with self.subTest(path=path, at=at):
                with open(path, "r+b") as handle:
                    handle.seek(at)
                    byte = handle.read(1)[0]
                    handle.seek(at)
                    handle.write(bytes([byte ^ 1 << self.chance.randrange(8)]))
                refused += self.restart_damaged(plant, first, "journal")
                self.restore(plant, kept)
        self.assertGreater(refused, 0, "of 8 flipped bits at least one lies where it is needed")

    def test_a_flipped_bit_in_the_last_record_of_the_journal(self):
        """It looks like a record cut off by a crash, but the images may hold its writes already: then it is refused."""
        plant = self.plant()
        first, kept = self.journal_of_a_killed_secondary(plant)
        for path in self.journal_files(plant):
            at = self.used_part(path) - 8
            with self.subTest(path=path, at=at), open(path, "r+b") as handle:
                handle.seek(at)
                byte = handle.read(1)[0]
                handle.seek(at)
                handle.write(bytes([byte ^ 1]))
                handle.flush()
                self.restart_damaged(plant, first, "journal")
                self.restore(plant, kept)

    def test_a_truncated_journal(self):
        plant = self.plant()
        first, kept = self.journal_of_a_killed_secondary(plant)
        for keep_bytes in (0, 100, 5000, 1 << 20):
            for index in range(2):
                with self.subTest(keep=keep_bytes, file=index):
                    os.truncate(self.journal_files(plant)[index], keep_bytes)
                    self.restart_damaged(plant, first, "journal")
                    self.restore(plant, kept)

    # ---- disks and images

    def in_namespace(self, name, mounts, arguments):
        """Runs with mounts of its own, without being root; None where the kernel forbids it."""
        if subprocess.run(["unshare", "-r", "-m", "true"], capture_output=True).returncode:
            return None
        return Process(self.workspace, name, ["unshare", "-r", "-m", "sh", "-c", mounts + ' && exec "$@"', "sh", *arguments])

    def test_a_full_disk(self):
        plant = self.plant()
        folder = self.workspace.path("small")
        os.makedirs(folder)
        config = plant.write_config(plant.workspace.path("small.xml"), directory={"SITEB": folder})
        before = self.images(plant)
        process = self.in_namespace("dsmd-small", f"mount -t tmpfs -o size=8m none {folder}", [DSMD, "--config", config, "--site", "SITEB"])
        if process:
            self.refused(process, "journal", "space")
        process = plant.start_dsmd("SITEB", config=config, ready=False, limits={resource.RLIMIT_FSIZE: 1 << 20})
        self.refused(process, "journal")
        self.assertEqual(self.images(plant), before)
        plant.start_dsmd("SITEB")  # and with space it starts

    def test_an_unwritable_directory(self):
        plant = self.plant()
        folder = plant.sites["SITEB"].folder
        before = self.images(plant)
        if os.getuid() != 0:
            os.chmod(folder, 0o500)
            self.addCleanup(os.chmod, folder, 0o700)
            self.refused(plant.start_dsmd("SITEB", ready=False), folder)
        else:
            process = self.in_namespace("dsmd-readonly", f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}",
                                        [DSMD, "--config", plant.config, "--site", "SITEB"])
            if process is None:
                self.skipTest("neither an ordinary user nor a kernel that allows mount namespaces")
            self.refused(process, folder)
        self.assertEqual(self.images(plant), before)

    def test_an_image_of_another_size(self):
        plant = self.plant()
        volume = plant.volumes[1]
        os.unlink(plant.image("SITEB", volume))
        blank_volume(plant.image("SITEB", volume), volume.volser, cylinders=harness.BANK_CYLINDERS - 1)
        before = self.images(plant)
        process = plant.start_dsmd("SITEB", ready=False)
        wait_until(lambda: not process.alive() or plant.ask("SITEB", "D A,L")[0] == 0, 20, "dsmd to start or refuse")
        if process.alive():
            plant.start_dsmd("SITEA")
            plant.start_session()
            match = process.wait_log(f".*{volume.volser}.*cylinder.*", 20)
            print(f"  {self.id().rpartition('.')[2]}: {match.group(0)}", flush=True)
        else:
            self.refused(process, volume.file)
        self.assertEqual(self.images(plant), before)

    def test_a_second_writer_of_an_image(self):
        plant = self.plant()
        plant.start_dsmd("SITEB")
        self.refused(Process(self.workspace, "dsmd-again", [DSMD, "--config", plant.config, "--site", "SITEB"]), "dsmd")
        other = self.workspace.path("otherdirectory")
        os.makedirs(other)
        plant.sites["SITEB"].port = harness.free_port()
        config = plant.write_config(plant.workspace.path("second.xml"), directory={"SITEB": other})
        self.refused(Process(self.workspace, "dsmd-second", [DSMD, "--config", config, "--site", "SITEB"]), plant.volumes[0].file)

    def test_hercules_refuses_an_unrecovered_image(self):
        plant = self.plant()
        start_mirrored_bank(plant)
        plant.wait_writes(500)
        thief = harness.Hercules(self.workspace, "THIEF", harness.bank_devices(plant.sites["SITEB"].folder, plant.volumes, "SYSA"))
        thief.wait_ready()
        self.assertEqual(thief.log().count("HHCDA010E"), len(plant.volumes), thief.tail())
        thief.quit()
        plant.herculeses["SYSA"].quit()
        assert_equal_once_idle(plant)


if __name__ == "__main__":
    unittest.main()
