# The witness and the checker on a real guest without the product: the bank runs under Hercules with the witness, Hercules is killed, and
# its own volumes must be a consistent cut of what the witness saw; a copy damaged on purpose must not be.
import os
import shutil
import unittest

import checker
import harness
import witness_log
from ckd_image import HEADER_BYTES, CkdImage
from harness import READER, WITNESS, Hercules, Workspace, bank_devices, bank_volumes, guest, make_volumes
from scenario import BANK_COMMITS, IPL, reader


class WitnessTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need(WITNESS)
        cls.chance = harness.seeded("witness")

    def test_a_killed_hercules_leaves_what_the_witness_saw(self):
        with Workspace("witness") as workspace:
            volumes = bank_volumes()
            for folder in ("site", "base", "damaged"):
                os.makedirs(workspace.path(folder))
            make_volumes(workspace.path("site"), volumes)
            for volume in volumes:
                shutil.copyfile(workspace.path("site", volume.file), workspace.path("base", volume.file))
            witness = workspace.path("witness")
            witness_log.create(witness)
            devices = [(READER, reader(guest(workspace, "bank")))] + bank_devices(workspace.path("site"), volumes, "SYSA")
            hercules = Hercules(workspace, "PLAIN", devices, ["witness"], {"WITNESS_FILE": witness}).wait_ready()
            hercules.command(IPL)
            hercules.wait_log(BANK_COMMITS, 60)
            goal = witness_log.next_ordinal(witness) + self.chance.randrange(2000, 12000)
            hercules.wait_running(lambda: witness_log.next_ordinal(witness) > goal, 60, f"{goal} records")
            hercules.kill()
            verdict = self.check(workspace, volumes, "site")
            print(f"  {verdict.text()}", flush=True)
            self.assertEqual(verdict.problem, "")
            self.assertGreater(verdict.writes, 100)
            # Only what ran when the kill came may be missing: at most the programs in flight on three devices.
            self.assertLess(verdict.writes - verdict.included[1], 64)
            self.damage(workspace, volumes)

    @staticmethod
    def check(workspace, volumes, folder):
        named = [(v.volser, (0, v.device), workspace.path("base", v.file), workspace.path(folder, v.file)) for v in volumes]
        return checker.check(workspace.path("witness"), named)

    def damage(self, workspace, volumes):
        """Takes back the last write of one track of a volume that was written early: an excluded write behind an included one."""
        for volume in volumes:
            shutil.copyfile(workspace.path("site", volume.file), workspace.path("damaged", volume.file))
        units = witness_log.WitnessLog(workspace.path("witness")).units[(0, volumes[0].device)]
        track, offset, data = units[len(units) // 2].writes[0]
        image = CkdImage(workspace.path("base", volumes[0].file))
        with open(workspace.path("damaged", volumes[0].file), "r+b") as handle:
            at = HEADER_BYTES + track * image.track_bytes + offset
            handle.seek(at)
            now = handle.read(len(data))
            handle.seek(at)
            handle.write(bytes(255 - b for b in now))
        image.close()
        verdict = self.check(workspace, volumes, "damaged")
        self.assertIn(volumes[0].volser, verdict.problem)
        print(f"  {verdict.text()}", flush=True)


if __name__ == "__main__":
    unittest.main()
