# Row A3: one global sequence across all systems and all DASD. Two Hercules write at once through one plex; then the site is killed, and
# in other runs the guests are ended in order.
import unittest

import checker
import harness
from harness import DSMCHAN, DSMD, SESSION, WITNESS, Plant, Workspace
from scenario import BankBase, assert_equal_once_idle, recovery_point, start_mirrored_bank
from witness_log import WitnessLog

SYSTEMS = ("SYSA", "SYSB")


class TwoSystemsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need(DSMD, DSMCHAN, WITNESS)
        cls.chance = harness.seeded("twosystems")
        cls.prepared = BankBase()

    @classmethod
    def tearDownClass(cls):
        cls.prepared.close()

    def start_both(self, workspace):
        plant = Plant(workspace, systems=SYSTEMS, prepared=self.prepared, heartbeat="30s")
        first = start_mirrored_bank(plant, "SYSA")
        start_mirrored_bank(plant, "SYSB", start_movers=False)
        plant.wait_records_of(SYSTEMS, self.chance.randrange(300, 1500))
        return plant, first

    def testA3_TwoSystemsShareOneSequenceWithoutAGap(self):
        with Workspace("twosystems") as workspace:
            plant, first = self.start_both(workspace)
            for system in SYSTEMS:
                plant.herculeses[system].quit()
            assert_equal_once_idle(plant)
            written = WitnessLog(plant.witness_file).count()
            numbered = int(plant.storage()["numbered"])
            self.assertEqual(numbered - first + 1, written, "one number for each write CCW, none lost, none doubled")
            plant.dsm("SITEA", f"F DSM,XEND {SESSION}")

    def testA3_DependentWritesOfTwoSystemsRiseThroughASiteKill(self):
        with Workspace("twosystems") as workspace:
            plant, first = self.start_both(workspace)
            victims = [plant.herculeses["SYSA"], plant.herculeses["SYSB"], plant.dsmds["SITEA"]]
            self.chance.shuffle(victims)
            for process in victims:
                process.signal(9)
            for process in victims:
                process.kill()
            acknowledged = int(plant.storage()["acknowledged"])
            plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4))
            point_a, _ = recovery_point(plant.loss_report())
            # strict: a CCW of one system that was over before a CCW of the other began has the lower number.
            verdict = checker.check(plant.witness_file, plant.checker_volumes(), strict=True, total=point_a - first + 1)
            print(f"  two systems: {verdict.text()}", flush=True)
            self.assertEqual(verdict.problem, "")
            self.assertGreaterEqual(point_a, acknowledged)


if __name__ == "__main__":
    unittest.main()
