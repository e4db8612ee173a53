#!/usr/bin/env python3
"""Runs the simulator with one planted bug after another until each is caught.
Usage: hunt.py SIM [--first SEED] [--seeds N] [--jobs N] [--stories PROGRAM] NAME...
Prints a line for each bug: at which of its seeds it was caught and by which invariant. A bug that no seed shows may be the subject of a scripted
regression (PROGRAM, tests/regressions): then that must catch it. Ends with 1 if one was not caught, or if the simulator broke off in another
way. The last line is `CAUGHT n OF m, k BY STORIES`."""
import argparse
import re
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("sim")
parser.add_argument("--first", type=int, default=1)
parser.add_argument("--seeds", type=int, default=1000)
parser.add_argument("--jobs", type=int, default=2)
parser.add_argument("--stories", default="")
parser.add_argument("names", nargs="+")
wanted = parser.parse_args()

VIOLATION = re.compile(r"^VIOLATION of (.+?) with seed (\d+): (.*)$", re.M)
LIMIT_SECONDS = 300


def command(name, first=wanted.first, seeds=wanted.seeds):
    canary = ["--canary", name] if name else []
    return [wanted.sim, *canary, "--first", str(first), "--seeds", str(seeds), "--jobs", str(wanted.jobs)]


def run_seeds(name, first, seeds):
    return subprocess.run(command(name, first, seeds), capture_output=True, text=True, errors="replace", timeout=LIMIT_SECONDS, check=False)


def hunt(name):
    """(name, caught, what to say); the seeds are shared among the simulator's jobs. A seed counts only if it shows nothing without the bug."""
    began = time.monotonic()
    first, end = wanted.first, wanted.first + wanted.seeds
    while first < end:
        try:
            run = run_seeds(name, first, end - first)
        except subprocess.TimeoutExpired:
            return name, False, f"the simulator did not end within {LIMIT_SECONDS} s"
        found = VIOLATION.search(run.stdout)
        if not found and run.returncode != 0:
            return name, False, f"the simulator ended with {run.returncode}: {(run.stderr or run.stdout).strip()[-300:]}"
        if not found:
            break
        invariant, seed, what = found.group(1), int(found.group(2)), found.group(3)
        if run_seeds("", seed, 1).returncode == 0:
            took = time.monotonic() - began
            return name, True, f"seed {seed:<6} ({seed - wanted.first + 1} tried, {took:.1f} s)  {invariant}: {what[:110]}"
        print(f"    seed {seed} shows {invariant} without a planted bug too, and does not count", flush=True)
        first = seed + 1
    return name, False, f"none of {wanted.seeds} seeds from {wanted.first} shows it ({time.monotonic() - began:.1f} s)"


def stories():
    """The scripted regression of each bug that has one."""
    if not wanted.stories:
        return {}
    told = subprocess.run([wanted.stories, "--list"], capture_output=True, text=True, check=True).stdout
    return {canary: story for story, canary in (line.split() for line in told.splitlines())}


def hunt_by_story(name, story):
    run = subprocess.run([wanted.stories, "--canary", name, story], capture_output=True, text=True, errors="replace", timeout=LIMIT_SECONDS, check=False)
    found = re.search(r"^(\S+): VIOLATION: (.*)$", run.stdout, re.M)
    return bool(found) and run.returncode == 1, f"by the story {story}: {found.group(2)[:110]}" if found else f"the story {story} does not notice it"


caught = by_stories = 0
scripted = stories()
for name in wanted.names:
    name, good, text = hunt(name)
    if not good and text.startswith("none of") and name in scripted:
        good, said = hunt_by_story(name, scripted[name])
        by_stories += good
        text = f"{said} ({text})"
    caught += good
    print(f"  {'caught' if good else 'NOT CAUGHT':<10} {name:<28} {text}", flush=True)
    if not good:
        print(f"    reproduce: {' '.join(command(name))}", flush=True)
print(f"CAUGHT {caught} OF {len(wanted.names)}, {by_stories} BY STORIES")
sys.exit(0 if caught == len(wanted.names) else 1)
