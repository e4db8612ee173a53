#!/usr/bin/env python3
# io: rounds of faults on real processes: one round is one plant, faults at moments told by what its guests have written, and a judgement.
#   faults.py --faults N [--seed S] [--jobs J]   rounds until N faults were made
#   faults.py --seconds T [--seed S]             rounds until T seconds have passed
#   faults.py --round SEED [--want KIND,...] [--end END]   one round, as a failure's message names it
# KEEP=1 leaves the folder of a failed round.
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
sys.dont_write_bytecode = True

import fault_kinds  # noqa: E402
import harness  # noqa: E402
import judge  # noqa: E402
import round_ends  # noqa: E402
import sandbox  # noqa: E402
from fault_plant import BANK_RATES, CLOCK_SHIFT, RECORDER, WRITERS, FaultPlant, Prepared  # noqa: E402
from processes import Workspace  # noqa: E402

ROUND_LIMIT_S = 600
ENDS = ("end_in_order", "take_over", "take_over", "primary_host_lost", "overrun")


def shape(chance, namespaces, end):
    """What kind of plant a round has."""
    guest = chance.choice(("bank", "bank", "bank", "writer", "two"))
    if end == "overrun":  # its small ring would not hold what a writer formats
        guest = "bank"
    if guest == "two":
        guests = {"SYSA": ("bank", {"RATE": 300}), "SYSB": ("bank", {"RATE": 300})}
    elif guest == "writer":
        guests = {"SYSA": ("writer", chance.choice(WRITERS))}
    else:
        guests = {"SYSA": ("bank", {"RATE": chance.choice(BANK_RATES)})}
    record = {"SITEB"} if chance.random() < 0.5 else set()
    if end == "primary_host_lost":
        record.add("SITEA")
    overrun = end == "overrun"
    return dict(guests=guests, record=record, clocks=chance.random() < 0.4, disk=namespaces and chance.random() < 0.3, direct=chance.random() < 0.1, namespaces=namespaces,
                ring="4M" if overrun else "64M", window="4M" if overrun else chance.choice(("4M", "8M")), message=chance.choice(("16K", "64K")),
                interval=chance.choice(("5ms", "20ms")), pace_limit="1s" if overrun else "2s", journal="32M", heartbeat="120s",
                action=chance.choice(("NONE", "FREEZE", "RECOVER")))


def able(kind, plant):
    if "link" in kind.holds and plant.direct and "direct" not in kind.needs:
        return False
    have = {"direct": plant.direct, "namespaces": plant.namespaces, "record B": "SITEB" in plant.record, "clocks": plant.clocks, "disk": plant.disk,
            "one system": len(plant.systems) == 1, "slow guest": plant.guests["SYSA"][1].get("RATE", 0) == 300 and len(plant.systems) == 1}
    return all(have[need] for need in kind.needs)


def pick(chance, plant, wanted):
    """One to three faults that do not take hold of the same thing."""
    kinds = [kind for kind in fault_kinds.KINDS if able(kind, plant) and (kind.harmless or not plant.small_ring)]
    chance.shuffle(kinds)
    kinds.sort(key=lambda kind: kind.__name__ not in wanted)
    picked, held = [], set()
    if not kinds:
        return []
    for kind in kinds[:chance.choice((1, 2, 2, 3)) if not wanted else len(wanted)]:
        if held.isdisjoint(kind.holds):
            picked.append(kind(plant))
            held.update(kind.holds)
    return picked


def one_set(chance, plant, wanted):
    faults = pick(chance, plant, wanted)
    for fault in faults:
        fault.begin()
        plant.gap(20, 1200)
    plant.gap(20, 1500)
    chance.shuffle(faults)
    for fault in sorted(faults, key=lambda each: each.last):
        fault.end()
        plant.gap(20, 400)
    plant.settle()


def one_round(seed, prepared, namespaces, wanted=(), end=None):
    chance = random.Random(seed)
    drawn = chance.choice(ENDS)
    end = end or drawn
    result = {"seed": seed, "end": end, "faults": 0, "problem": "", "notes": []}
    plant = None
    with Workspace(f"faults-{seed}") as workspace:
        try:
            settings = shape(chance, namespaces, end)
            if wanted:
                settings["guests"] = {"SYSA": ("bank", {"RATE": 300})}
                settings.update(clocks=True, disk=namespaces, direct="SecondaryVanished" in wanted, record=settings["record"] | {"SITEB"})
            plant = FaultPlant(workspace, chance, settings.pop("guests"), prepared, **settings)
            plant.start_all()
            plant.gap(200, 2000)
            for _ in range(chance.randint(2, 4)):
                one_set(chance, plant, wanted)
            result["told"] = getattr(round_ends, end)(plant)
            result["worst_ms"] = judge.judge(plant)
        except Exception as failure:  # whatever it is: the round failed and says how
            result["problem"] = f"{type(failure).__name__}: {failure}"
            result["trace"] = traceback.format_exc()
        finally:
            if plant:
                result["faults"], result["notes"] = plant.faults, plant.notes
                if os.environ.get("KEEP") == "1" and not result["problem"]:
                    os.environ.pop("KEEP")
                plant.release()
    return result


def inside(arguments):
    """One round, in its namespaces; the last line of its output is the result."""
    namespaces = os.environ.get(sandbox.INSIDE) == "all"
    if namespaces:
        sandbox.prepare()
    result = one_round(arguments.round, Prepared(arguments.prepared), namespaces, [word for word in arguments.want.split(",") if word], arguments.end)
    print(json.dumps(result))
    return 1 if result["problem"] else 0


class Rounds:
    """Runs rounds, some at once, each in a process and a folder of its own, and counts."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.missing = sandbox.why_not()
        self.folder = tempfile.mkdtemp(prefix="afterimage-faults.", dir=os.environ.get("TMPDIR", "/tmp"))
        self.running = []
        self.rounds = self.faults = 0
        self.worst_ms = 0.0
        self.failures = []
        self.began = time.monotonic()

    def start(self, seed):
        folder = os.path.join(self.folder, str(seed))
        os.makedirs(folder, exist_ok=True)
        words = [os.path.abspath(__file__), "--inside", "--round", str(seed), "--prepared", os.path.join(self.folder, "prepared"),
                 "--want", self.arguments.want] + (["--end", self.arguments.end] if self.arguments.end else [])
        environment = {**os.environ, "TMPDIR": folder, sandbox.INSIDE: "none" if self.missing else "all"}
        out = open(os.path.join(folder, "out"), "w+", encoding="utf-8")
        child = subprocess.Popen(sandbox.command(words, not self.missing), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 env=environment, start_new_session=True)
        self.running.append((seed, child, out, folder, time.monotonic()))

    def collect(self):
        for each in list(self.running):
            seed, child, out, folder, began = each
            late = time.monotonic() - began > ROUND_LIMIT_S
            if child.poll() is None and not late:
                continue
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            self.running.remove(each)
            out.seek(0)
            text = out.read()
            out.close()
            self.judge(seed, text, f"the round took more than {ROUND_LIMIT_S} s" if late else "", time.monotonic() - began)
            if not (self.failures and self.failures[-1] == seed and os.environ.get("KEEP") == "1"):
                shutil.rmtree(folder, ignore_errors=True)

    def judge(self, seed, text, problem, took):
        try:
            result = json.loads(text.strip().splitlines()[-1])
        except (ValueError, IndexError):
            result = {"faults": 0, "notes": [], "end": "?", "problem": problem or f"the round ended without a result:\n{text[-3000:]}"}
        self.rounds += 1
        self.faults += result["faults"]
        self.worst_ms = max(self.worst_ms, result.get("worst_ms", 0.0))
        head = f"round {self.rounds} seed {seed}: {result['faults']} faults, {result['end']}, {took:.0f} s"
        if not result["problem"]:
            print(f"{head}: {result['told']}", flush=True)
            if self.arguments.verbose:
                print("".join(f"    {note}\n" for note in result["notes"]), end="", flush=True)
            return
        self.failures.append(seed)
        print(f"{head}: FAILED: {result['problem']}\n" + "".join(f"    {note}\n" for note in result["notes"]) + result.get("trace", ""), flush=True)
        print(f"    again with: AFTERIMAGE_BUILD={harness.BUILD} KEEP=1 python3 {os.path.relpath(os.path.abspath(__file__), harness.REPOSITORY)} "
              f"--round {seed}" + (f" --want {self.arguments.want}" if self.arguments.want else "")
              + (f" --end {self.arguments.end}" if self.arguments.end else ""), flush=True)

    def run(self):
        arguments = self.arguments
        try:
            Prepared(os.path.join(self.folder, "prepared")).make()
            print("faults: " + (f"without namespaces ({self.missing}): no bandwidth limit, no full disk, no cable" if self.missing else
                                "each round in namespaces of its own"), flush=True)
            chance = random.Random(arguments.seed)
            seeds = iter([arguments.round]) if arguments.round is not None else iter(lambda: chance.randrange(1 << 30), None)
            jobs = 1 if arguments.round is not None else arguments.jobs
            while True:
                self.collect()
                if not self.enough() and len(self.running) < jobs:
                    seed = next(seeds, None)
                    if seed is not None:
                        self.start(seed)
                        continue
                if not self.running:
                    break
                time.sleep(0.1)
        finally:
            for _, child, _, _, _ in self.running:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            if not (self.failures and os.environ.get("KEEP") == "1"):
                shutil.rmtree(self.folder, ignore_errors=True)
        return self.figure()

    def enough(self):
        arguments = self.arguments
        if len(self.failures) >= 3:
            return True
        if arguments.seconds:
            return time.monotonic() - self.began > arguments.seconds
        return arguments.round is None and self.faults >= arguments.faults

    def figure(self):
        took = time.monotonic() - self.began
        asked = arguments_faults = self.arguments.faults
        del arguments_faults
        reached = (f"{self.faults} in {self.rounds} rounds, {len(self.failures)} failed, worst write of a guest {self.worst_ms:.0f} ms"
                   + (", without namespaces" if self.missing else ""))
        print(f"FIGURE|real-process kills and faults|{asked if self.arguments.round is None else 'one round'}|{reached}|{took:.0f}", flush=True)
        short = self.arguments.round is None and self.faults < asked
        if short and not self.failures:
            print(f"faults: {self.faults} of {asked} faults in {took:.0f} s: the budget was too short", flush=True)
        return 1 if self.failures or short else 0


def main():
    parser = argparse.ArgumentParser(description="Faults on real processes: Hercules, dsmd, TLS, disks, clocks, links.")
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--round", type=int)
    parser.add_argument("--want", default="")
    parser.add_argument("--end", choices=sorted(set(ENDS)))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--prepared", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    harness.need(harness.DSMD, harness.DSMCHAN, harness.WITNESS, RECORDER, CLOCK_SHIFT)
    unknown = [word for word in arguments.want.split(",") if word and not hasattr(fault_kinds, word)]
    if unknown:
        print(f"faults: no such kind of fault: {unknown}. Kinds: {[kind.__name__ for kind in fault_kinds.KINDS]}", file=sys.stderr)
        return 8
    print(f"faults: --seed {arguments.seed}", flush=True)
    return Rounds(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
