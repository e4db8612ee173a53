#!/usr/bin/env python3
"""Branch coverage of the pure core from `llvm-cov export`. Usage: branches.py TOP EXPORT.json ASKED_PERCENT [--missing [PATH_PART]].
Prints a table by file, what was left out and why, and the total; with --missing every branch not taken. Ends with 1 below the percentage
asked or when a source file of the pure core was not measured at all.

A branch is one outcome (true or false) of one condition, a case of a switch included. Several instances of one template count as one.
Left out:
  - conditions that the compiler knows (`while (true)`, `if (planted(...))` in a build without planted bugs), and what stands behind the
    latter in the same line;
  - the comparison of one member after another in an `operator== = default`: the compiler's work, and it counts them in one place;
  - the implicit default of a switch without `default`: -Wswitch -Werror shows that every enumerator has its case.
A failed AI_CHECK is one branch in check.h, wherever the check stands, and is counted there."""
import json
import re
import sys
from pathlib import Path

FOLDERS = ("serializer", "channel", "vtam_link", "datamover", "automation", "jcl", "service")


def is_pure(path):
    """The notion of tests/house_rules.py: a file that does I/O says so in its first line."""
    return not path.read_text().lstrip().startswith("// io:")


def pure_files(top):
    for folder in FOLDERS:
        for pattern in ("*.cpp", "*.h"):
            for path in sorted((top / folder).glob(pattern)):
                if is_pure(path):
                    yield path


class FileBranches:
    """The branches of one source file: (line, column) of the condition -> times true, times false."""

    def __init__(self, path):
        self.path = path
        self.lines = path.read_text().splitlines()
        self.counts = {}

    def add(self, region):
        line, column, end_line, end_column, true, false = region[:6]
        known = self.counts.setdefault((line, column, end_line, end_column), [0, 0])
        known[0] += true
        known[1] += false

    def text(self, place):
        line, column, end_line, end_column = place
        if line == end_line:
            return self.lines[line - 1][column - 1:end_column - 1]
        return self.lines[line - 1][column - 1:].strip() + " ..."

    def outcomes(self):
        """(place, outcome, times, why it is left out or None)."""
        for place, (true, false) in sorted(self.counts.items()):
            before = self.lines[place[0] - 1][:place[1] - 1]
            line = self.lines[place[0] - 1]
            known = true == false == 0 and ("planted(" in line or self.text(place) == "true")
            implicit = re.search(r"\bswitch \($", before) is not None
            for outcome, times in ((True, true), (False, false)):
                why = "known to the compiler" if known else "implicit default" if implicit else None
                if line.endswith("= default;"):
                    why = "comparisons the compiler writes"
                yield place, outcome, times, why


def main():
    arguments = sys.argv[1:]
    missing = None
    if "--missing" in arguments:
        at = arguments.index("--missing")
        missing = arguments[at + 1] if at + 1 < len(arguments) else ""
        arguments = arguments[:at]
    top, export, asked = Path(arguments[0]).resolve(), arguments[1], float(arguments[2])
    files = {str(path): FileBranches(path) for path in pure_files(top)}
    measured = set()
    for data in json.loads(Path(export).read_text())["data"]:
        for file in data["files"]:
            name = str(Path(file["filename"]).resolve())
            if name in files:
                measured.add(name)
                for region in file["branches"]:
                    files[name].add(region)

    total = taken_total = 0
    left_out = {}
    rows = []
    for name, file in files.items():
        count = taken = 0
        for place, outcome, times, why in file.outcomes():
            if why:
                left_out[why] = left_out.get(why, 0) + 1
                continue
            count += 1
            taken += times > 0
            relative = str(file.path.relative_to(top))
            if missing is not None and times == 0 and missing in relative:
                print(f"{relative}:{place[0]}:{place[1]}: never {str(outcome).lower()}: {file.text(place)}")
        total += count
        taken_total += taken
        if count:
            rows.append((taken / count, file.path.relative_to(top), taken, count))
    unmeasured = [file.path.relative_to(top) for name, file in files.items() if name not in measured and file.path.suffix == ".cpp"]
    if missing is None:
        print(f"{'file of the pure core':<42} {'taken':>6} {'of':>6} {'%':>7}")
        for share, path, taken, count in sorted(rows, key=lambda row: (row[0], str(row[1]))):
            print(f"{str(path):<42} {taken:>6} {count:>6} {share * 100:>7.1f}")
    for path in unmeasured:
        print(f"{path}: was not measured: no test program's library has it")
    percent = 100.0 * taken_total / total if total else 0.0
    for why, count in sorted(left_out.items()):
        print(f"left out, {why}: {count} branches")
    print(f"TOTAL {taken_total} {total} {percent:.2f}")
    return 0 if percent >= asked and not unmeasured else 1


sys.exit(main())
