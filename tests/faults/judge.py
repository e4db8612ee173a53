# io: what must hold at the end of every round whatever was done: each process's end is explained by what was done to it, each message of
# trouble too, and no guest waited longer than its bound.
import re

from round_ends import Wrong, demand
from witness_log import NEVER, WitnessLog

TROUBLE = re.compile(r"\b(DSM[A-Z]\d{3}[ESW])\b")
NEVER_EXPLAINED = {"DSMM199S", "DSMO999S"}
# Said of a Hercules or a dsmd that comes and goes, whatever the fault was.
ALWAYS_EXPLAINED = {"DSMC024W"}
# A journal that waits for its checkpoint is a matter of how fast the disk is.
EXPLAINED_TEXT = ("The journal has no room until its next checkpoint",)
SLACK_MS = 3000  # on two processors that everything shares


def judge(plant):
    ends_are_explained(plant)
    messages_are_explained(plant)
    return guests_were_not_held(plant)


def ends_are_explained(plant):
    for process in plant.workspace.processes:
        code = process.child.poll()
        if code is None or process.child.pid in plant.killed:
            continue
        command = process.name == "dsm"
        demand(code == 0 or (command and code in (4, 8)), f"{process.name} ended with {code} by itself:\n{process.tail(30)}")
    for process in [*plant.herculeses.values(), *plant.dsmds.values()]:
        for sign in ("AddressSanitizer", "terminate called", "Segmentation", "HHCCP014I"):
            demand(sign not in process.log(), f"{process.name}: {sign}\n{process.tail(30)}")


def messages_are_explained(plant):
    seen = set()
    for process in plant.workspace.processes:
        if process.log_path in seen or process.name == "dsm":
            continue
        seen.add(process.log_path)
        with open(process.log_path, encoding="utf-8", errors="replace") as handle:
            for line in handle:
                for code in TROUBLE.findall(line):
                    explained = any(text in line for text in EXPLAINED_TEXT) or code in ALWAYS_EXPLAINED or any(code.startswith(known) for known in plant.explained)
                    if code in NEVER_EXPLAINED or not explained:
                        raise Wrong(f"{process.name} said what nothing explains: {line.strip()}")


def guests_were_not_held(plant):
    """Worst time of a channel program that wrote, in ms; those during which the test held Hercules itself are left out."""
    bound_ms = float(plant.settings["pace_limit"].rstrip("s")) * 1000 + SLACK_MS
    worst = 0.0
    for path in plant.witnesses:
        for units in WitnessLog(path).units.values():
            for unit in units:
                if unit.program_end == NEVER or not unit.end_ns:
                    continue
                if any(unit.start_ns <= (end or unit.end_ns) and unit.end_ns >= start for _, start, end in plant.pauses):
                    continue
                worst = max(worst, (unit.end_ns - unit.start_ns) / 1e6)
    demand(worst <= bound_ms, f"a guest waited {worst:.0f} ms for a write; its bound is {bound_ms:.0f} ms")
    return worst
