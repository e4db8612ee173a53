# Row A19: the primary site is lost at a random moment (SIGKILL of Hercules and dsmd together), also after a partial interruption
# before. Each time the recovered volumes are exactly base + writes 1..A across all volumes, by the witness; A is not below the last
# acknowledgement in common storage; audit, IPLed on the recovered volumes, agrees (A27).
import os
import re
import time
import unittest

import checker
import harness
from harness import DSMCHAN, DSMD, SESSION, WITNESS, Plant, Workspace, wait_until
from scenario import BankBase, lost_list_problem, recovery_point, restart_mover, run_audit, start_mirrored_bank

KILLS = 25 if os.environ.get("AFTERIMAGE_FULL") else 5


class SiteKillTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need(DSMD, DSMCHAN, WITNESS)
        cls.chance = harness.seeded("sitekill")
        cls.prepared = BankBase()

    @classmethod
    def tearDownClass(cls):
        cls.prepared.close()

    def testA19_SiteKillRecoversExactlyOneThroughA(self):
        for kill in range(KILLS):
            with self.subTest(kill=kill), Workspace("sitekill") as workspace:
                self.one_kill(kill, workspace)

    def one_kill(self, kill, workspace):
        chance = self.chance
        interruption = chance.choice(["none", "none", "SITEA", "SITEB"])
        automatic = chance.random() < 0.3
        fresh = kill == 0 or chance.random() < 0.15  # from unformatted volumes: the kill may come among the format writes
        plant = Plant(workspace, prepared=None if fresh else self.prepared, heartbeat="2s" if automatic else "30s",
                      action="RECOVER" if automatic else "NONE")
        modules = ("dsmchan", "witness") if chance.random() < 0.7 else ("witness", "dsmchan")
        first = start_mirrored_bank(plant, modules=modules, running=not fresh, RATE=chance.choice((2000, 300, 300)))
        plant.wait_writes(chance.randrange(200, 12000))
        if interruption != "none":
            restart_mover(plant, interruption, lambda: plant.wait_writes(chance.randrange(10, 3000)))
            plant.wait_writes(chance.randrange(10, 3000))
        time.sleep(chance.random() * 0.03)  # so that the kill is at any instruction, not just behind a poll of the witness
        self.kill_site(plant)
        began = time.monotonic()
        acknowledged = int(plant.storage()["acknowledged"])
        second = self.recover(plant, automatic)
        took = time.monotonic() - began
        report = plant.loss_report()
        point_a, point_b = recovery_point(report)
        # Only a witness that wraps the product encloses the moment of numbering.
        outside = modules[-1] == "witness"
        verdict = checker.check(plant.witness_file, plant.checker_volumes(), strict=outside, total=point_a - first + 1)
        print(f"  kill {kill}: {verdict.text()}; A={point_a} B={point_b} acknowledged={acknowledged} "
              f"interruption={interruption} secondary {second} witness {'outside' if outside else 'inside'} "
              f"{'automatic' if automatic else 'XRECOVER'} {took:.1f} s", flush=True)
        self.assertEqual(verdict.problem, "")
        self.assertGreaterEqual(point_a, acknowledged)
        self.assertGreaterEqual(point_b, point_a)
        self.assertEqual(lost_list_problem(report, plant, verdict, point_a, point_b), "")
        if not fresh:
            run_audit(plant)

    def recover(self, plant, automatic):
        """Recovery at the secondary, whose dsmd may itself have died with the site or may die in the middle of the recovery."""
        if automatic:
            plant.dsmds["SITEB"].wait_log("DSMM141I", 60)
            return "recovers by itself"
        second = self.chance.choice(["lives", "lives", "dies before recovery", "dies during recovery"])
        if second == "dies during recovery":
            asked = plant.ask_without_waiting("SITEB", f"F DSM,XRECOVER {SESSION}")
            time.sleep(self.chance.random() * 0.1)
            plant.dsmds["SITEB"].kill()
            asked.wait()
        if second != "lives":
            plant.dsmds["SITEB"].kill()
            plant.start_dsmd("SITEB")
        # 8: refused because it was complete before the kill; the loss report, read next, must then be there.
        plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4, 8) if second == "dies during recovery" else (0, 4))
        return second

    def kill_site(self, plant):
        processes = [plant.herculeses["SYSA"], plant.dsmds["SITEA"]]
        self.chance.shuffle(processes)
        for process in processes:
            process.signal(9)
        for process in processes:
            process.kill()

    def testA19_AGapBetweenAAndBIsReportedWriteByWrite(self):
        """Tokens go ahead of their data: with Hercules stopped inside a channel program, B is beyond A; then the site is killed."""
        with Workspace("gap") as workspace:
            plant = Plant(workspace, prepared=self.prepared, heartbeat="30s")
            first = start_mirrored_bank(plant)
            hercules = plant.herculeses["SYSA"]
            for _ in range(500):
                plant.wait_writes(self.chance.randrange(20, 400))
                hercules.hold()
                if self.unflushed(plant):
                    break
                hercules.release()
            else:
                self.fail("500 stops never met a token that was numbered and not yet in its volume's file")
            numbered = int(plant.storage()["numbered"])
            wait_until(lambda: f"POINT B {numbered}\n" in plant.dsm("SITEB", "F DSM,D PWQ"), 20, f"B to reach {numbered}")
            self.kill_site(plant)
            plant.dsm("SITEB", f"F DSM,XRECOVER {SESSION}", accept=(0, 4))
            report = plant.loss_report()
            point_a, point_b = recovery_point(report)
            self.assertEqual(point_b, numbered)
            self.assertLess(point_a, point_b)
            listed = re.findall(r" (HELD|MISSING)$", report, re.MULTILINE)
            self.assertEqual(len(listed), point_b - point_a)
            self.assertIn("MISSING", listed)
            verdict = checker.check(plant.witness_file, plant.checker_volumes(), strict=True, total=point_a - first + 1)
            print(f"  gap: A={point_a} B={point_b}; {verdict.text()}", flush=True)
            self.assertEqual(verdict.problem, "")
            self.assertEqual(lost_list_problem(report, plant, verdict, point_a, point_b), "")
            run_audit(plant)

    @staticmethod
    def unflushed(plant):
        devices = [value for key, value in plant.storage().items() if key.startswith("device.")]
        return any(int(re.search(r"last (\d+)", text)[1]) > int(re.search(r"flushed (\d+)", text)[1]) for text in devices)


if __name__ == "__main__":
    unittest.main()
