# Each process is killed alone while the others go on (Hercules, primary dsmd, secondary dsmd), at random moments and in turn; after
# restart and resumption both sites compare equal once idle. A guest never notices the death of a mover.
import os
import unittest

import harness
from harness import DSMCHAN, DSMD, SESSION, WITNESS, Plant, Workspace
from scenario import BANK_COMMITS, IPL, BankBase, assert_equal_once_idle, guest_reader, restart_mover, run_audit, start_mirrored_bank

ROUNDS = 6 if os.environ.get("AFTERIMAGE_FULL") else 2


class ProcessKillTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need(DSMD, DSMCHAN, WITNESS)
        cls.chance = harness.seeded("processkill")
        cls.prepared = BankBase()

    @classmethod
    def tearDownClass(cls):
        cls.prepared.close()

    def end_and_compare(self, plant):
        plant.herculeses["SYSA"].quit()
        assert_equal_once_idle(plant)
        plant.dsm("SITEA", f"F DSM,XEND {SESSION}")

    def mover_dies(self, site):
        with Workspace(f"kill-{site.lower()}") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="30s")
            start_mirrored_bank(plant)
            for _ in range(ROUNDS):
                plant.wait_writes(self.chance.randrange(100, 4000))
                restart_mover(plant, site, lambda: plant.wait_writes(self.chance.randrange(100, 2000)))
            plant.wait_writes(500)
            self.end_and_compare(plant)

    def test_the_primary_mover_dies_alone(self):
        self.mover_dies("SITEA")

    def test_the_secondary_mover_dies_alone(self):
        self.mover_dies("SITEB")

    def test_hercules_dies_alone(self):
        """Writes numbered but not in the volume's file become void, and the uncertain tracks are sent anew before the guest runs again."""
        with Workspace("kill-hercules") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="30s")
            start_mirrored_bank(plant)
            for _ in range(ROUNDS):
                plant.wait_writes(self.chance.randrange(100, 4000))
                plant.herculeses["SYSA"].kill()
                plant.dsmds["SITEA"].wait_log("DSMS110W", 20)
                assert_equal_after_reopening(plant)
                plant.herculeses["SYSA"].command(IPL)
                plant.herculeses["SYSA"].wait_log(BANK_COMMITS, 60)
            plant.wait_writes(500)
            self.end_and_compare(plant)
            run_audit(plant, "SITEA")

    def test_hercules_dies_while_it_formats(self):
        """Whole tracks numbered in one channel program and not yet in the file."""
        with Workspace("kill-format") as workspace:
            plant = Plant(workspace, heartbeat="30s")
            start_mirrored_bank(plant, running=False)
            for _ in range(ROUNDS):
                plant.wait_writes(self.chance.randrange(200, 20000))
                plant.herculeses["SYSA"].kill()
                plant.dsmds["SITEA"].wait_log("DSMS110W", 20)
                assert_equal_after_reopening(plant)
                plant.herculeses["SYSA"].command(IPL)
            plant.herculeses["SYSA"].wait_log(BANK_COMMITS, 60)
            self.end_and_compare(plant)

    def test_hercules_dies_while_the_primary_mover_is_away(self):
        """The next dsmd finds the dead system, and the volumes are mended whichever of the two comes back first."""
        for hercules_first in (False, True):
            with self.subTest(hercules_first=hercules_first), Workspace("kill-both") as workspace:
                plant = Plant(workspace, prepared=self.prepared, heartbeat="30s")
                start_mirrored_bank(plant)
                plant.wait_writes(self.chance.randrange(100, 4000))
                plant.dsmds["SITEA"].kill()
                plant.wait_writes(self.chance.randrange(10, 2000))
                plant.herculeses["SYSA"].kill()
                if hercules_first:
                    plant.start_hercules(guest_deck=guest_reader(plant, "bank"))
                    plant.start_dsmd("SITEA")
                    assert_equal_once_idle(plant)
                else:
                    plant.start_dsmd("SITEA")
                    assert_equal_after_reopening(plant)
                plant.herculeses["SYSA"].command(IPL)
                plant.herculeses["SYSA"].wait_log(BANK_COMMITS, 60)
                plant.wait_writes(500)
                self.end_and_compare(plant)

    def test_all_processes_die_and_the_work_goes_on(self):
        """Both movers and Hercules at once, as after a loss of power of the processes only: common storage and files are still there."""
        with Workspace("kill-all") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="30s")
            start_mirrored_bank(plant)
            plant.wait_writes(self.chance.randrange(100, 4000))
            victims = [plant.herculeses["SYSA"], *plant.dsmds.values()]
            self.chance.shuffle(victims)
            for process in victims:
                process.signal(9)
            for process in victims:
                process.kill()
            for site in self.chance.sample(["SITEA", "SITEB"], 2):
                plant.start_dsmd(site)
            assert_equal_after_reopening(plant)
            plant.herculeses["SYSA"].command(IPL)
            plant.herculeses["SYSA"].wait_log(BANK_COMMITS, 60)
            plant.wait_writes(500)
            self.end_and_compare(plant)
            run_audit(plant, "SITEA")


def assert_equal_after_reopening(plant):
    """Hercules again on the same volumes, no guest yet: the module has mended them, and the sites are equal."""
    plant.start_hercules(guest_deck=guest_reader(plant, "bank"))
    assert_equal_once_idle(plant)


if __name__ == "__main__":
    unittest.main()
