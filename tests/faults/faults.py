#!/usr/bin/env python3
# io: rounds of faults on real processes: one round is one plant, faults at moments told by what its guests have written, and a judgement.
#   faults.py --faults N [--seed S] [--jobs J]   rounds until N faults were made
#   faults.py --seconds T [--seed S]             rounds until T seconds have passed
#   faults.py --round SEED [--want KIND,...] [--end END]   one round, as a failure's message names it
#   faults.py --canary                           a planted bug: what the secondary syncs is not durable; ends with 0 if that is found
# KEEP=1 leaves the folder of a failed round.
import argparse
import ctypes
import json
import os
import random
import re
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
LONG_RUN = 60  # faults from which on the kinds that take half a minute have their turn
CANARY_ROUNDS = 6
CAUGHT = re.compile(r"lost promise|NOT CONSISTENT|is damaged|was lost or set back|no prefix|is as after|lacks its write|the product says|differ|ended with 8")
PR_SET_PDEATHSIG = 1
ENDS = ("end_in_order", "take_over", "take_over", "primary_host_lost", "overrun")


def shape(chance, namespaces, end, first_kinds):
    """What kind of plant a round has: drawn, then made able to do what is asked for."""
    needs = {need for kind in first_kinds for need in kind.needs}
    guest = chance.choice(("bank", "bank", "bank", "writer", "two"))
    rate = chance.choice(BANK_RATES)
    if end == "overrun":  # its small ring would not hold what a writer formats
        guest = "bank"
    if needs & {"one system", "slow guest"}:
        guest, rate = "bank", 300
    if guest == "two":
        guests = {"SYSA": ("bank", {"RATE": 300}), "SYSB": ("bank", {"RATE": 300})}
    elif guest == "writer":
        guests = {"SYSA": ("writer", chance.choice(WRITERS))}
    else:
        guests = {"SYSA": ("bank", {"RATE": rate})}
    record = {"SITEB"} if chance.random() < 0.5 or "record B" in needs else set()
    if end == "primary_host_lost":
        record.add("SITEA")
    overrun = end == "overrun"
    direct = chance.random() < 0.1 and not any("link" in kind.holds for kind in first_kinds)
    compressed = chance.random() < 0.15 and end in ("end_in_order", "take_over") and "plain" not in needs
    return dict(guests=guests, record=record, clocks=chance.random() < 0.4 or "clocks" in needs,
                disk=namespaces and (chance.random() < 0.3 or "disk" in needs), direct=direct or "direct" in needs, compressed=compressed,
                namespaces=namespaces, ring="4M" if overrun else "64M", window="4M" if overrun else chance.choice(("4M", "8M")),
                message=chance.choice(("16K", "64K")), interval=chance.choice(("5ms", "20ms")), pace_limit="1s" if overrun else "2s",
                journal="32M" if overrun else "176M", heartbeat="120s", action=chance.choice(("NONE", "FREEZE", "RECOVER")))


def able(kind, plant):
    if "link" in kind.holds and plant.direct and "direct" not in kind.needs:
        return False
    if plant.small_ring and not kind.harmless:
        return False
    one = len(plant.systems) == 1
    have = {"namespaces": plant.namespaces, "record B": "SITEB" in plant.record, "clocks": plant.clocks, "disk": plant.disk,
            "direct": plant.direct, "one system": one, "slow guest": one and plant.guests["SYSA"][1].get("RATE") == 300,
            "plain": not plant.compressed}
    return all(have[need] for need in kind.needs)


def pick(chance, plant, first_kinds):
    """One to three faults that do not take hold of the same thing, those asked for among them."""
    kinds = [kind for kind in fault_kinds.KINDS if able(kind, plant) and not kind.slow and kind not in first_kinds]
    chance.shuffle(kinds)
    kinds = [kind for kind in first_kinds if able(kind, plant)] + kinds
    picked, held = [], set()
    for kind in kinds[:max(len(first_kinds), chance.choice((1, 2, 2, 3)))]:
        if held.isdisjoint(kind.holds):
            picked.append(kind(plant))
            held.update(kind.holds)
    return picked


def one_set(chance, plant, first_kinds):
    faults = pick(chance, plant, first_kinds)
    for fault in faults:
        plant.used.append(type(fault).__name__)
        fault.begin()
        plant.gap(20, 1200)
    plant.gap(20, 1500)
    chance.shuffle(faults)
    for fault in sorted(faults, key=lambda each: each.last):
        fault.end()
        plant.gap(20, 400)
    plant.settle()


def one_round(seed, prepared, namespaces, first=(), end=None, lie=False):
    chance = random.Random(seed)
    first_kinds = [getattr(fault_kinds, name) for name in first]
    drawn = chance.choice(ENDS)
    end = end or ("end_in_order" if drawn == "overrun" and not all(kind.harmless for kind in first_kinds) else drawn)
    result = {"seed": seed, "end": end, "faults": 0, "problem": "", "notes": [], "used": []}
    plant = None
    with Workspace("r") as workspace:  # short: a socket's path has 107 characters
        try:
            settings = shape(chance, namespaces, end, first_kinds)
            if lie:
                settings["record"].add("SITEB")
            plant = FaultPlant(workspace, chance, settings.pop("guests"), prepared, lie=lie, **settings)
            result["plex"] = plant.plex
            plant.start_all()
            plant.gap(200, 2000)
            for number in range(0 if lie else chance.randint(2, 4)):
                one_set(chance, plant, first_kinds if number == 0 else ())
            result["told"] = getattr(round_ends, end)(plant)
            result["worst_ms"] = judge.judge(plant)
        except Exception as failure:  # whatever it is: the round failed and says how
            result["problem"] = f"{type(failure).__name__}: {failure}"
            result["trace"] = "".join(traceback.format_tb(failure.__traceback__))
        finally:
            if plant:
                result["faults"], result["notes"], result["used"] = plant.faults, plant.notes, plant.used + [end]
                if os.environ.get("KEEP") == "1" and not result["problem"]:
                    os.environ.pop("KEEP")
                plant.release()
    return result


def words_of(text):
    return [word for word in text.split(",") if word]


def inside(arguments):
    """One round, in its namespaces; the last line of its output is the result."""
    namespaces = os.environ.get(sandbox.INSIDE) == "all"
    if namespaces:
        sandbox.prepare()
    result = one_round(arguments.round, Prepared(arguments.prepared), namespaces, words_of(arguments.want), arguments.end, arguments.canary)
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
        self.used = set()
        self.began = time.monotonic()

    def plan(self):
        """(seed, kinds that the round must have) without end: every kind has its turn. Those that take half a minute only in long runs."""
        arguments = self.arguments
        if arguments.round is not None:
            yield arguments.round, arguments.want
            return
        chance = random.Random(arguments.seed)
        long = arguments.faults >= LONG_RUN or arguments.seconds
        while True:
            turn = [kind for kind in fault_kinds.KINDS if self.possible(kind) and (long or not kind.slow)]
            chance.shuffle(turn)
            for kind in turn:
                yield chance.randrange(1 << 30), arguments.want or kind.__name__

    def possible(self, kind):
        return not self.missing or not set(kind.needs) & {"namespaces", "disk", "direct"}

    def start(self, seed, want):
        folder = os.path.join(self.folder, str(seed))
        os.makedirs(folder, exist_ok=True)
        choice = ["--round", str(seed)] + (["--want", want] if want else []) + (["--end", self.arguments.end] if self.arguments.end else [])
        choice += ["--canary"] if self.arguments.canary else []
        words = [os.path.abspath(__file__), "--inside", *choice, "--prepared", os.path.join(self.folder, "prepared")]
        environment = {**os.environ, "TMPDIR": folder, sandbox.INSIDE: "none" if self.missing else "all"}
        out = open(os.path.join(folder, "out"), "w+", encoding="utf-8")
        child = subprocess.Popen(sandbox.command(words, not self.missing), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 env=environment, start_new_session=True, preexec_fn=die_with_parent)
        self.running.append((seed, choice, child, out, folder, time.monotonic()))

    def collect(self):
        for each in list(self.running):
            seed, choice, child, out, folder, began = each
            late = time.monotonic() - began > ROUND_LIMIT_S
            if child.poll() is None and not late:
                continue
            end_group(child)
            self.running.remove(each)
            out.seek(0)
            text = out.read()
            out.close()
            failed = self.judge(seed, choice, text, f"the round took more than {ROUND_LIMIT_S} s" if late else "", time.monotonic() - began)
            if not (failed and os.environ.get("KEEP") == "1"):
                shutil.rmtree(folder, ignore_errors=True)

    def judge(self, seed, choice, text, problem, took):
        try:
            result = json.loads([line for line in text.splitlines() if line.startswith('{"seed": ')][-1])
        except (ValueError, IndexError):
            result = {"faults": 0, "notes": [], "end": "?", "used": [], "problem": problem or f"the round ended without a result:\n{text[-3000:]}"}
        left = leftovers(os.path.join(self.folder, str(seed)), result.get("plex"))
        if left and not result["problem"]:
            result["problem"] = f"left behind: {left}"
        self.rounds += 1
        self.faults += result["faults"]
        self.used.update(result["used"])
        self.worst_ms = max(self.worst_ms, result.get("worst_ms", 0.0))
        head = f"round {self.rounds} seed {seed}: {result['faults']} faults, {result['end']}, {took:.0f} s"
        notes = "".join(f"    {note}\n" for note in result["notes"])
        if not result["problem"]:
            print(f"{head}: {result['told']}\n" + (notes if self.arguments.verbose else ""), end="", flush=True)
            return False
        self.failures.append(result["problem"])
        if self.arguments.canary:
            print(f"{head}: caught: {result['problem'].splitlines()[0][:300]}", flush=True)
            return False
        again = [os.path.relpath(os.path.abspath(__file__), harness.REPOSITORY), *choice]
        print(f"{head}: FAILED: {result['problem']}\n{notes}{result.get('trace', '')}"
              f"    again with: AFTERIMAGE_BUILD={harness.BUILD} KEEP=1 python3 {' '.join(again)}", flush=True)
        return True

    def run(self):
        arguments = self.arguments
        try:
            Prepared(os.path.join(self.folder, "prepared")).make()
            print("faults: " + (f"without namespaces ({self.missing}): no bandwidth limit, no full disk, no cable" if self.missing else
                                "each round in namespaces of its own"), flush=True)
            plan = self.plan()
            while True:
                self.collect()
                if not self.enough() and len(self.running) < arguments.jobs:
                    following = next(plan, None)
                    if following:
                        self.start(*following)
                        continue
                if not self.running:
                    break
                time.sleep(0.05)
        finally:
            for _, _, child, out, _, _ in self.running:
                end_group(child)
                out.close()
            if not (self.failures and os.environ.get("KEEP") == "1"):
                shutil.rmtree(self.folder, ignore_errors=True)
        return self.canary_figure() if arguments.canary else self.figure()

    def enough(self):
        arguments = self.arguments
        if arguments.canary:
            return bool(self.failures) or self.rounds + len(self.running) >= CANARY_ROUNDS
        if len(self.failures) >= 3:
            return True
        if arguments.seconds:
            return time.monotonic() - self.began > arguments.seconds
        return arguments.round is None and self.faults >= arguments.faults

    def figure(self):
        took, asked = time.monotonic() - self.began, self.arguments.faults
        alone = self.arguments.round is not None
        reached = (f"{self.faults} of {len(self.used)} kinds in {self.rounds} rounds, {len(self.failures)} failed, "
                   f"worst write of a guest {self.worst_ms:.0f} ms" + (", without namespaces" if self.missing else ""))
        print(f"FIGURE|real-process kills and faults|{'one round' if alone else asked}|{reached}|{took:.0f}", flush=True)
        short = not alone and self.faults < asked
        if short and not self.failures:
            print(f"faults: {self.faults} of {asked} faults in {took:.0f} s: the budget was too short for more", flush=True)
        return 1 if self.failures or (short and not self.arguments.seconds) else 0

    def canary_figure(self):
        """The failure asked for is one that the judgement finds, not one of the harness."""
        caught = [problem for problem in self.failures if CAUGHT.search(problem)]
        took = time.monotonic() - self.began
        print(f"FIGURE|planted: syncs of the secondary that do nothing|caught|{'caught' if caught else 'NOT caught'} in {self.rounds} rounds|{took:.0f}",
              flush=True)
        return 0 if caught else 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_group(child):
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def leftovers(folder, plex):
    """Processes that were started for a round and outlived it (its folder is in their environment), and its shared memory."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/environ", "rb") as handle:
                ours = f"TMPDIR={folder}\0".encode() in handle.read()
            with open(f"/proc/{number}/cmdline", "rb") as handle:
                words = handle.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if ours and words:  # without words it is a zombie
            found.append(f"process {number} ({words.strip()})")
    return ", ".join(found + [name for name in os.listdir("/dev/shm") if plex and f".{plex}." in name])


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
    parser.add_argument("--canary", action="store_true", help="the secondary's syncs do nothing: the judgement must find out")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--prepared", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    harness.need(harness.DSMD, harness.DSMCHAN, harness.WITNESS, RECORDER, CLOCK_SHIFT)
    unknown = [word for word in words_of(arguments.want) if word not in {kind.__name__ for kind in fault_kinds.KINDS}]
    if unknown:
        print(f"faults: no such kind of fault: {unknown}. Kinds: {[kind.__name__ for kind in fault_kinds.KINDS]}", file=sys.stderr)
        return 8
    if arguments.canary:
        arguments.end = "take_over"
    print(f"faults: --seed {arguments.seed}", flush=True)
    return Rounds(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
