#!/usr/bin/env python3
"""Makes docs/MESSAGES.md from docs/messages/*.md, in the order of the ids. `--check` changes nothing and ends with 1 if it is out of date."""
import re
import sys
from pathlib import Path

docs = Path(__file__).resolve().parent
HEAD = """# Messages

Every message an operator can see, by id: `DSMcnnns`, where c is the component (A automation, C the module inside Hercules, L link, M data mover,
O operator commands and reports, S serializer and systems) and s the severity (I information, W warning, E error, S severe, A action, D decision).
Made by `docs/make_messages.py` from `docs/messages/`; the messages of `dsmd` come from the catalogue in `jcl/`.

"""
sections = {}
for path in sorted((docs / "messages").glob("*.md")):
    for section in re.split(r"(?m)^(?=### )", path.read_text())[1:]:
        found = re.match(r"### (DSM[A-Z]\d{3}[A-Z])", section)
        if not found:
            sys.exit(f"{path}: a section's title is not a message: {section.splitlines()[0]}")
        if found.group(1) in sections:
            sys.exit(f"{path}: {found.group(1)} is described twice")
        sections[found.group(1)] = section.rstrip() + "\n"
text = HEAD + "\n".join(sections[name] for name in sorted(sections))
target = docs / "MESSAGES.md"
if "--check" in sys.argv:
    if not target.exists() or target.read_text() != text:
        sys.exit("docs/MESSAGES.md is out of date: run docs/make_messages.py")
else:
    target.write_text(text)
print(f"{len(sections)} messages")
