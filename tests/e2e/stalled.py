# Row A4: local write completion does not depend on the remote site. With the link held still (SIGSTOP of the secondary dsmd) or the
# primary dsmd stopped the guest goes on at its pace; when the ring is full it is held up to the limit, once, then the session is
# suspended with messages, and ends cleanly.
import unittest

import checker
import harness
import witness_log
from harness import DSMCHAN, DSMD, SESSION, WITNESS, Plant, Workspace, wait_until
from scenario import BankBase, start_mirrored_bank, state
from witness_log import WitnessLog

PACE_LIMIT_S = 1
BOUND_WHILE_STALLED_MS = 500  # a write channel program, start to end, while the ring has room: four processes share two processors here
BOUND_WHEN_FULL_MS = PACE_LIMIT_S * 1000 + 1500


def latencies_ms(log, first, last):
    """Of the channel programs that wrote and started between two ordinals."""
    return sorted({(u.program_start, (u.end_ns - u.start_ns) / 1e6) for units in log.units.values() for u in units
                   if first <= u.program_start < last and u.end_ns}, key=lambda pair: pair[1])


class StalledTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.need(DSMD, DSMCHAN, WITNESS)
        cls.chance = harness.seeded("stalled")
        cls.prepared = BankBase()

    @classmethod
    def tearDownClass(cls):
        cls.prepared.close()

    def stalled(self, site):
        with Workspace(f"stalled-{site.lower()}") as workspace:
            plant = Plant(workspace, prepared=self.prepared, ring="4M", window="4M", pace_limit=f"{PACE_LIMIT_S}s", heartbeat="60s")
            first = start_mirrored_bank(plant)
            plant.wait_writes(2000)
            plant.dsmds[site].hold()
            held_at = witness_log.next_ordinal(plant.witness_file)
            wait_until(lambda: state(plant) == "SUSPENDED", 120, "the full ring to suspend the session", 0.1)
            suspended_at = witness_log.next_ordinal(plant.witness_file)
            plant.wait_writes(3000)  # and the guest goes on
            self.assertTrue(plant.herculeses["SYSA"].alive())
            plant.dsmds[site].release()
            plant.dsmds["SITEA"].wait_log("DSMM11[23]", 20)
            self.assertIn("BUFFERS", plant.dsmds["SITEA"].log())
            # The thread that was held and the module's service thread each say their part, in no order between them.
            plant.herculeses["SYSA"].wait_log(r"DSMC020W.* HELD \d+ MS FOR RING SPACE", 20)
            plant.herculeses["SYSA"].wait_log("DSMC023I SESSION SUSPENDED, REASON BUFFERS", 20)
            log = WitnessLog(plant.witness_file)
            before = latencies_ms(log, 0, held_at)
            during = latencies_ms(log, held_at, suspended_at)
            self.assertGreater(len(during), 100, "the guest went on while nothing was sent")
            worst_before, worst = before[-1][1], during[-1][1]
            p99 = during[len(during) * 99 // 100][1]
            print(f"  {site} stopped: {len(during)} write programs until suspension, 99% within {p99:.1f} ms, worst {worst:.0f} ms "
                  f"(before: worst {worst_before:.0f} ms); paced {plant.storage()['pace_count']} times", flush=True)
            self.assertLess(p99, BOUND_WHILE_STALLED_MS)
            self.assertLess(worst, BOUND_WHEN_FULL_MS)
            self.assertGreater(int(plant.storage()["pace_count"]), 0)
            plant.dsm("SITEA", f"F DSM,XEND {SESSION}", accept=(0, 4))
            wait_until(lambda: state(plant) == "INACTIVE", 20, "the session to end")
            self.secondary_holds_the_point_of_suspension(plant, first)
            plant.wait_writes(500)
            plant.herculeses["SYSA"].quit()
            self.assertEqual(plant.dsmds["SITEA"].terminate(), 0)
            self.assertEqual(plant.dsmds["SITEB"].terminate(), 0)

    def secondary_holds_the_point_of_suspension(self, plant, first):
        """Everything numbered before the suspension was still sent, nothing after it."""
        plant.dsmds["SITEB"].wait_log("DSMM132I", 20)
        last = int(plant.dsmds["SITEA"].wait_log(r"DSMM112W .* SUSPENDED AT SEQUENCE (\d+)", 20).group(1))
        verdict = checker.check(plant.witness_file, plant.checker_volumes(), strict=True, total=last - first + 1)
        print(f"  after XEND: {verdict.text()}", flush=True)
        self.assertEqual(verdict.problem, "")

    def testA4_TheLinkIsHeldStill(self):
        self.stalled("SITEB")

    def testA4_ThePrimaryMoverIsStopped(self):
        self.stalled("SITEA")


if __name__ == "__main__":
    unittest.main()
