# What is left after a site was lost: what the report can and cannot say (rows A20, A21, A22), and how the sites are used again.
import os
import re
import shutil
import unittest

import checker
import harness
from harness import DSMCHAN, DSMD, HOLD_WRITE, SESSION, WITNESS, Plant, Workspace, bank_volumes, wait_until
from scenario import BankBase, assert_equal_once_idle, lost_list_problem, recovery_point, run_audit, start_mirrored_bank


class AftermathTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need(DSMD, DSMCHAN, WITNESS, HOLD_WRITE)
        cls.chance = harness.seeded("aftermath")
        cls.prepared = BankBase()

    @classmethod
    def tearDownClass(cls):
        cls.prepared.close()

    def lose_site(self, plant):
        """The mover of site A stands still while the guest goes on: what it writes then can never be known at site B. Then both are killed."""
        plant.wait_writes(self.chance.randrange(500, 3000))
        plant.dsmds["SITEA"].hold()
        plant.wait_writes(self.chance.randrange(500, 2000))
        for process in (plant.herculeses["SYSA"], plant.dsmds["SITEA"]):
            process.kill()

    def testA20_A21_BeyondBIsUnknownAndTheWitnessSawIt(self):
        with Workspace("beyond") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="60s", ring="64M", journal="192M")
            first = start_mirrored_bank(plant)
            self.lose_site(plant)
            code, text = plant.ask("SITEB", f"F DSM,XRECOVER {SESSION} CHECK(YES)")
            self.assertEqual(code, 0, text)
            self.assertRegex(text, r"DSMO263I WRITES BEYOND\(\d+\) ARE NOT KNOWN AT THIS SITE")
            plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4))
            report = plant.loss_report()
            point_a, point_b = recovery_point(report)
            self.assertRegex(report, r"BEYOND B: NOT KNOWN AT THIS SITE")
            verdict = checker.check(plant.witness_file, plant.checker_volumes(), strict=True, total=point_a - first + 1)
            print(f"  A={point_a} B={point_b}; the witness saw {verdict.writes} writes", flush=True)
            self.assertEqual(verdict.problem, "")
            self.assertEqual(lost_list_problem(report, plant, verdict, point_a, point_b), "")
            self.assertGreater(verdict.writes, point_b - first + 1, "the witness saw nothing beyond B, so the test shows nothing")
            self.assertGreater(int(plant.storage()["numbered"]), point_b)
            run_audit(plant)

    def testA27_AnS370GuestLosesItsSite(self):
        with Workspace("s370") as workspace:
            plant = Plant(workspace, volumes=bank_volumes(arch="370"), heartbeat="60s")
            first = start_mirrored_bank(plant, arch="370")
            self.lose_site(plant)
            plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4))
            point_a, _ = recovery_point(plant.loss_report())
            verdict = checker.check(plant.witness_file, plant.checker_volumes(), strict=True, total=point_a - first + 1)
            print(f"  S/370: {verdict.text()}", flush=True)
            self.assertEqual(verdict.problem, "")
            run_audit(plant, arch="370")

    def testA22_DataHeldBehindAGapIsShownAndNotApplied(self):
        """A write of one system has its number and is kept from its file; later writes of another system have their data at the secondary."""
        systems = ("SYSA", "SYSB")
        with Workspace("held") as workspace:
            volumes = bank_volumes(systems)
            late = volumes[2]
            late.options = "nosyncio"  # waits on a thread of its device's, not on the CPU's, which Hercules's watchdog would take for dead
            plant = Plant(workspace, volumes=volumes, systems=systems, prepared=self.prepared, heartbeat="60s")
            gate = workspace.path("gate")
            plant.environments["SYSA"] = {"LD_PRELOAD": HOLD_WRITE, "HOLD_FILE": plant.image("SITEA", late), "HOLD_GATE": gate}
            start_mirrored_bank(plant)
            start_mirrored_bank(plant, "SYSB", start_movers=False)
            plant.wait_writes(self.chance.randrange(20, 400))
            with open(gate, "wb"):
                pass
            wait_until(lambda: os.path.exists(gate + ".waiting"), 60, lambda: f"a write to {late.volser}:\n{plant.herculeses['SYSA'].tail()}")
            plant.wait_records_of(("SYSB",), self.chance.randrange(200, 500))
            plant.herculeses["SYSB"].hold()  # what waits behind the gap is to stay what it is
            held = wait_until(lambda: self.held_sequence(plant), 60, lambda: "data behind a gap:\n" + plant.dsm("SITEB", f"F DSM,D PWQ,{SESSION}"))
            shown = plant.dsm("SITEB", f"F DSM,D PWQ,{SESSION},SEQ={held}")
            self.assertRegex(shown, f"DATA HELD FOR TOKEN {held}, NOT APPLIED")
            self.assertRegex(shown, r"(?m)^ *\+?[0-9A-F]{4,}\b.*[0-9A-F]{8}")
            listed = plant.dsm("SITEB", f"F DSM,D PWQ,{SESSION},MAX=100")
            self.assertRegex(listed, rf"(?m)^.*\b{held}\b.*\bCOMPLETE\b")
            self.assertRegex(listed, rf"(?m)^.*\b{late.volser}\b.*\bINCOMPLETE\b")
            os.unlink(gate)
            plant.herculeses["SYSB"].release()
            for system in systems:
                plant.herculeses[system].quit()
            assert_equal_once_idle(plant)

    def held_sequence(self, plant):
        """The number of a token whose data is at the secondary behind an incomplete one, or 0."""
        listed = plant.dsm("SITEB", f"F DSM,D PWQ,{SESSION},MAX=100")
        behind = False
        for line in listed.splitlines():
            if "INCOMPLETE" in line and re.match(r"\s*\d+ ", line):
                behind = True
            found = re.match(r"\s*(\d+) .*\bCOMPLETE\b", line)
            if behind and found and "INCOMPLETE" not in line:
                return int(found.group(1))
        return 0

    def test_images_replaced_between_two_sessions_are_the_ones_written(self):
        """Copying by a new file and a rename leaves the old file open in a dsmd that goes on running."""
        with Workspace("replaced") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="60s")
            start_mirrored_bank(plant)
            plant.wait_writes(500)
            plant.herculeses["SYSA"].quit()
            assert_equal_once_idle(plant)
            plant.dsm("SITEA", f"F DSM,XEND {SESSION}")
            for volume in plant.volumes:
                copy = plant.image("SITEB", volume) + ".copy"
                shutil.copyfile(plant.image("SITEA", volume), copy)
                os.replace(copy, plant.image("SITEB", volume))
            plant.start_session()
            hercules = plant.start_hercules(guest_deck=harness.guest(workspace, "bank"), modules=("dsmchan",))
            hercules.command("ipl 00c")
            hercules.wait_log(r"BANK COMMITTED=", 60)
            hercules.quit()
            assert_equal_once_idle(plant)
            for volume in plant.volumes:
                with open(plant.image("SITEB", volume), "rb") as image:
                    self.assertEqual(image.read(8), b"DSM_P370", "the new image is not fenced")

    def test_both_sites_begin_anew_after_a_recovery(self):
        with Workspace("anew") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="60s")
            start_mirrored_bank(plant)
            self.lose_site(plant)
            code, text = plant.ask("SITEB", f"F DSM,XEND {SESSION}")
            self.assertEqual((code, "IMMEDIATE" in text), (8, True), text)
            plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4))
            # A restarted mover of the recovered site keeps its hands off the images.
            plant.dsmds["SITEB"].terminate()
            plant.start_dsmd("SITEB")
            self.assertIn("RECOVER", plant.dsm("SITEB", f"F DSM,XQUERY {SESSION} RECOVER"))
            plant.dsm("SITEB", f"F DSM,XEND {SESSION} IMMEDIATE")
            # The old primary comes back: its session is over, its volumes are copied from the site that has the data.
            plant.start_dsmd("SITEA")
            plant.dsm("SITEA", f"F DSM,XEND {SESSION} IMMEDIATE", accept=(0, 4))
            for volume in plant.volumes:
                shutil.copyfile(plant.image("SITEB", volume), plant.image("SITEA", volume))
            # Writes that were never acknowledged count as changes, so the session begins with a comparison.
            hercules = plant.start_hercules(guest_deck=harness.guest(workspace, "bank"), modules=("dsmchan",))
            wait_until(lambda: hercules.log().count("DSMC011I") == len(plant.volumes), 20, "the volumes to be tapped")
            plant.start_session(compare=True)
            plant.dsmds["SITEA"].wait_log("DSMM121I", 60)
            hercules.command("ipl 00c")
            hercules.wait_log(r"BANK COMMITTED=", 60)
            hercules.quit()
            assert_equal_once_idle(plant)
            plant.dsm("SITEA", f"F DSM,XEND {SESSION}")
            plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4))
            run_audit(plant)


if __name__ == "__main__":
    unittest.main()
