#!/usr/bin/env python3
"""House rules a compiler does not know: every operator message has its entry in docs/MESSAGES.md, core files do no I/O, files say their
purpose, nothing is left open. Usage: house_rules.py TOP. Prints each breach with its place; ends with 1 if there is any."""
import re
import subprocess
import sys
from pathlib import Path

top = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
FOLDERS = ("serializer", "channel", "vtam_link", "datamover", "automation", "jcl", "service")
breaches = []


def files(pattern):
    for folder in FOLDERS:
        yield from sorted((top / folder).glob(pattern))


def is_io(path):
    """A file that does I/O says so in its first line."""
    return path.read_text().lstrip().startswith(("// io:", "/* io:", "# "))


def header_io(name):
    header = top / name
    return header.exists() and is_io(header)


message_id = re.compile(r"\bDSM[A-Z]\d{3}[IWESAD]\b")
documented = set(message_id.findall((top / "docs/MESSAGES.md").read_text())) if (top / "docs/MESSAGES.md").exists() else set()
used = {}
for path in list(files("*.cpp")) + list(files("*.h")) + list(files("*.c")):
    text = path.read_text()
    rel = path.relative_to(top)
    if not text.startswith(("//", "/*")):
        breaches.append(f"{rel}:1: the first line does not say the file's purpose")
    for number, line in enumerate(text.splitlines(), 1):
        for found in message_id.findall(line):
            used.setdefault(found, f"{rel}:{number}")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line) and not re.search(r"issue \d+", line):
            breaches.append(f"{rel}:{number}: something is left open without an issue number")
        if re.search(r"\b(strcpy|sprintf|gets|strcat)\s*\(|(?<!\w)(std)?::system\s*\(", line) and not line.lstrip().startswith("//"):
            breaches.append(f"{rel}:{number}: banned call")
    if path.suffix in (".h", ".cpp") and not is_io(path) and path.name not in ("clock.h",):
        for number, line in enumerate(text.splitlines(), 1):
            include = re.match(r'#include "([^"]+)"', line)
            if include and header_io(include.group(1)):
                breaches.append(f"{rel}:{number}: a pure file includes {include.group(1)}, which does I/O (or this file's first line must begin with '// io:')")
            if re.match(r"#include <(fstream|thread|mutex|sys/|unistd|fcntl|boost/asio|boost/interprocess|openssl|xercesc)", line):
                breaches.append(f"{rel}:{number}: a pure file includes {line.split()[1]} (or its first line must begin with '// io:')")

made = subprocess.run([sys.executable, str(top / "docs/make_messages.py"), "--check"], capture_output=True, text=True, check=False)
if made.returncode:
    breaches.append(made.stderr.strip())
for found, place in sorted(used.items()):
    if found not in documented:
        breaches.append(f"{place}: message {found} has no entry in docs/MESSAGES.md")

ORDER = {name: index for index, name in enumerate(FOLDERS)}
ALLOWED = {"serializer": set(), "channel": {"serializer"}, "vtam_link": {"serializer"}, "datamover": {"serializer", "channel", "vtam_link"}}
for path in list(files("*.cpp")) + list(files("*.h")):
    folder = path.parent.name
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = re.match(r'#include "([a-z_]+)/', line)
        if not include or include.group(1) == folder or include.group(1) not in ORDER:
            continue
        allowed = ALLOWED.get(folder, {name for name in FOLDERS if ORDER[name] < ORDER[folder]})
        if include.group(1) not in allowed:
            breaches.append(f"{path.relative_to(top)}:{number}: {folder} must not depend on {include.group(1)}")

def git(*words):
    return subprocess.run(["git", "-C", str(top), *words], capture_output=True, text=True, check=False).stdout

tracked = git("ls-files").splitlines()
ALLOWED_TOP = {"CMakeLists.txt", "README.md", "LICENSE", ".clang-format", ".clang-tidy", ".gitignore", *FOLDERS, "tests", "samples", "docs", ".ci"}
for name in sorted({line.split("/")[0] for line in tracked}):
    if name not in ALLOWED_TOP:
        breaches.append(f"{name}: not a folder or file of the agreed top level")

for breach in breaches:
    print(breach)
print(f"house rules: {len(breaches)} breaches, {len(used)} messages")
sys.exit(1 if breaches else 0)
