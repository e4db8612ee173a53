# An operator's session from XSTART to XEND with a guest that goes on writing: comparison at the start, verification during the session
# (no false alarm, and a planted difference is named), planned freeze and RUN, and the point it leaves at the secondary.
import time
import unittest

import checker
import harness
import witness_log
from ckd_image import HEADER_BYTES, CkdImage, records_of
from harness import DSMCHAN, DSMD, SESSION, WITNESS, Plant, Workspace, wait_until
from scenario import BankBase, assert_equal_once_idle, start_mirrored_bank, state


class OperateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need(DSMD, DSMCHAN, WITNESS)
        cls.chance = harness.seeded("operate")
        cls.prepared = BankBase()

    @classmethod
    def tearDownClass(cls):
        cls.prepared.close()

    @staticmethod
    def damage(path):
        """Changes one byte of data of a record that the bank will not write, as a utility behind the session's back would."""
        image = CkdImage(path)
        track = 2  # cylinder 0, outside the bank's area
        record = image.track(track)
        at = HEADER_BYTES + track * image.track_bytes + 5 + 8 + len(records_of(record)[0][1])
        image.close()
        with open(path, "r+b") as handle:
            handle.seek(at)
            byte = handle.read(1)[0]
            handle.seek(at)
            handle.write(bytes([byte ^ 0xFF]))

    def test_verification_under_load_finds_what_is_there_and_nothing_else(self):
        with Workspace("verify") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="60s")
            start_mirrored_bank(plant)
            for _ in range(2):
                plant.wait_writes(self.chance.randrange(100, 2000))
                self.assertIn("NO DIFFERENCE", plant.dsm("SITEA", f"F DSM,VERIFY {SESSION}", timeout_s=120))
            self.damage(plant.image("SITEB", plant.volumes[1]))
            text = plant.dsm("SITEA", f"F DSM,VERIFY {SESSION}", accept=(4, 8), timeout_s=120)
            self.assertIn("DSMM122E", text)
            self.assertRegex(plant.dsmds["SITEA"].log(), f"DSMM123E.*{plant.volumes[1].volser}")
            self.assertEqual(plant.dsmds["SITEA"].log().count("DSMM123E"), 1)
            plant.herculeses["SYSA"].quit()

    def test_compare_at_the_start(self):
        for damaged in (False, True):
            with self.subTest(damaged=damaged), Workspace("compare") as workspace:
                plant = Plant(workspace, prepared=self.prepared, heartbeat="60s")
                if damaged:
                    self.damage(plant.image("SITEB", plant.volumes[2]))
                plant.start_dsmd("SITEB")
                plant.start_dsmd("SITEA")
                plant.start_hercules(guest_deck=harness.guest(workspace, "bank"))
                wait_until(lambda: plant.herculeses["SYSA"].log().count("DSMC011I") == len(plant.volumes), 20, "the volumes to be tapped")
                plant.start_session(compare=True)
                if damaged:
                    plant.dsmds["SITEA"].wait_log(f"DSMM123E.*{plant.volumes[2].volser}", 60)
                    wait_until(lambda: state(plant) == "SUSPENDED", 20, "the session to be suspended")
                else:
                    plant.dsmds["SITEA"].wait_log("DSMM121I", 60)
                    self.assertEqual(state(plant), "ACTIVE")
                plant.herculeses["SYSA"].quit()

    def test_a_planned_freeze_leaves_one_point_and_run_lets_the_guest_go_on(self):
        with Workspace("freeze") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="60s")
            first = start_mirrored_bank(plant)
            plant.wait_writes(self.chance.randrange(500, 3000))
            plant.dsm("SITEA", f"F DSM,CGROUP FREEZE {SESSION}", accept=(0, 4))
            storage = plant.storage()
            self.assertEqual(storage["state"], "FROZEN")
            frozen_at = int(storage["numbered"])
            self.no_write_ends(plant)
            self.assertEqual(int(plant.storage()["numbered"]), frozen_at)
            wait_until(lambda: int(plant.storage()["acknowledged"]) == frozen_at, 20, "the secondary to hold everything")
            plant.dsm("SITEA", f"F DSM,CGROUP RUN {SESSION}", accept=(0, 4))
            self.assertEqual(state(plant), "SUSPENDED")
            plant.wait_writes(1000)
            plant.dsm("SITEA", f"F DSM,XEND {SESSION}", accept=(0, 4))
            plant.dsmds["SITEB"].wait_log("DSMM132I", 20)
            plant.herculeses["SYSA"].quit()
            verdict = checker.check(plant.witness_file, plant.checker_volumes(), strict=True, total=frozen_at - first + 1)
            print(f"  freeze: {verdict.text()}", flush=True)
            self.assertEqual(verdict.problem, "")

    def test_a_freeze_that_nobody_ends_ends_at_its_limit(self):
        """dsmd lives and moves the session's time on all the while."""
        with Workspace("limit") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="60s", freeze_limit="2s")
            start_mirrored_bank(plant)
            plant.wait_writes(500)
            plant.dsm("SITEA", f"F DSM,CGROUP FREEZE {SESSION}", accept=(0, 4))
            plant.herculeses["SYSA"].wait_log("DSMC021W FREEZE ENDED AFTER ITS LIMIT WITHOUT RUN", 30)
            plant.wait_writes(1000)
            self.assertEqual(state(plant), "SUSPENDED")
            plant.dsmds["SITEA"].wait_log("DSMM112W .*FREEZE", 20)
            plant.herculeses["SYSA"].quit()

    @staticmethod
    def no_write_ends(plant):
        """The witness comes to rest: every device waits inside a write."""
        seen = [-1, time.monotonic()]

        def at_rest():
            now = witness_log.next_ordinal(plant.witness_file)
            if now != seen[0]:
                seen[:] = [now, time.monotonic()]
            return time.monotonic() - seen[1] > 0.5

        wait_until(at_rest, 10, "the frozen guest to come to rest")

    def test_suspension_by_the_operator_and_an_end_in_order(self):
        with Workspace("suspend") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="60s")
            start_mirrored_bank(plant)
            plant.wait_writes(500)
            plant.dsm("SITEA", f"F DSM,XSUSPEND {SESSION} SESSION", accept=(0, 4))
            self.assertEqual(state(plant), "SUSPENDED")
            plant.wait_writes(500)
            plant.dsm("SITEA", f"F DSM,XEND {SESSION}", accept=(0, 4))
            self.assertEqual(state(plant), "INACTIVE")
            plant.herculeses["SYSA"].quit()
            self.assertNotEqual(plant.differences(), [], "the guest went on, the copy did not")

    def test_an_idle_session_keeps_its_consistency_time_moving(self):
        with Workspace("idle") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="60s")
            start_mirrored_bank(plant)
            plant.wait_writes(500)
            plant.herculeses["SYSA"].quit()
            assert_equal_once_idle(plant)

            def consistent():
                text = plant.dsm("SITEB", f"F DSM,XQUERY {SESSION}")
                return text[text.index("DATA CONSISTENT("):].splitlines()[0]

            before = consistent()
            wait_until(lambda: consistent() > before, 10, f"a later consistency time than {before}", 0.2)


if __name__ == "__main__":
    unittest.main()
