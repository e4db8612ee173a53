#!/usr/bin/env python3
"""Runs the simulator with one planted bug after another until each is caught. Usage: hunt.py SIM [--first SEED] [--seeds N] [--jobs N] NAME...
Prints a line for each bug: at which of its seeds it was caught and by which invariant. Ends with 1 if one was not caught within N seeds, or
if the simulator broke off in another way. The last line is `CAUGHT n OF m`."""
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
parser.add_argument("names", nargs="+")
wanted = parser.parse_args()

VIOLATION = re.compile(r"^VIOLATION of (.+?) with seed (\d+): (.*)$", re.M)
LIMIT_SECONDS = 300


def command(name):
    return [wanted.sim, "--canary", name, "--first", str(wanted.first), "--seeds", str(wanted.seeds), "--jobs", str(wanted.jobs)]


def hunt(name):
    """(name, caught, what to say); the seeds are shared among the simulator's jobs."""
    began = time.monotonic()
    try:
        run = subprocess.run(command(name), capture_output=True, text=True, errors="replace", timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return name, False, f"the simulator did not end within {LIMIT_SECONDS} s"
    took = time.monotonic() - began
    found = VIOLATION.search(run.stdout)
    if found and run.returncode == 1:
        invariant, seed, what = found.group(1), int(found.group(2)), found.group(3)
        return name, True, f"seed {seed:<6} ({seed - wanted.first + 1} tried, {took:.1f} s)  {invariant}: {what[:110]}"
    if run.returncode == 0:
        return name, False, f"none of {wanted.seeds} seeds from {wanted.first} shows it ({took:.1f} s)"
    return name, False, f"the simulator ended with {run.returncode}: {(run.stderr or run.stdout).strip()[-300:]}"


caught = 0
for name in wanted.names:
    name, good, text = hunt(name)
    caught += good
    print(f"  {'caught' if good else 'NOT CAUGHT':<10} {name:<28} {text}", flush=True)
    if not good:
        print(f"    reproduce: {' '.join(command(name))}", flush=True)
print(f"CAUGHT {caught} OF {len(wanted.names)}")
sys.exit(0 if caught == len(wanted.names) else 1)
