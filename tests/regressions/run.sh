#!/usr/bin/env bash
# What went wrong once, run every time: tests/regressions/run.sh check|ci|soak [SECONDS]   (the same in each)
#   stories     scripted, in the program `regressions`; each must also notice when the bug it is about is planted again
#   *.seed      failing seeds, named for what they found. A line is "KIND ARGUMENTS": `sim SEED`, `crash ...` (that program's own arguments),
#               or a comment behind #. The meaning of a seed changes with the simulator: what must never be lost is told as a story.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
case ${1:-check} in
  check | ci | soak) ;;
  *) echo "regressions: unknown regime '$1'. Use check, ci or soak." >&2; exit 8 ;;
esac
began=$SECONDS
targets=(regressions)
grep -qsE '^sim ' "$here"/*.seed && targets+=(sim)
grep -qsE '^crash ' "$here"/*.seed && targets+=(crash)
proof=$("$top/tests/variant.sh" proof "${targets[@]}") || exit 1
stories=$proof/tests/regressions/regressions
bad=0

fail() { # WHAT COMMAND
  echo "FAILED: $1"
  echo "  reproduce: $2"
  bad=$((bad + 1))
}

told=0
while read -r name canary; do
  told=$((told + 1))
  out=$("$stories" "$name" 2>&1) || { echo "$out"; fail "regression $name is back" "$stories $name"; }
  if "$stories" --canary "$canary" "$name" >/dev/null 2>&1; then
    fail "story $name does not notice the planted bug $canary" "$stories --canary $canary $name"
  elif [ $? -ne 1 ]; then
    fail "story $name breaks off with the planted bug $canary" "$stories --canary $canary $name"
  fi
done < <("$stories" --list)
[ "$told" -gt 0 ] || fail "no story was run" "$stories --list"

seeds=0 held=0
for file in "$here"/*.seed; do
  [ -e "$file" ] || continue
  while read -r kind arguments; do
    case $kind in
      '' | '#'*) continue ;;
      sim) command=("$proof/tests/sim/sim" --seed) ;;
      crash) command=("$proof/tests/crash/crash") ;;
      *) fail "$(basename "$file") has a line of unknown kind '$kind'" "cat $file"; continue ;;
    esac
    read -ra words <<<"${arguments%%#*}"
    seeds=$((seeds + 1))
    if out=$("${command[@]}" "${words[@]}" 2>&1); then
      held=$((held + 1))
    else
      echo "$out" | tail -n 20
      fail "$(basename "$file" .seed) is back" "${command[*]} ${words[*]}"
    fi
  done <"$file"
done

took=$((SECONDS - began))
echo "FIGURE|scripted regressions|all hold, each notices its bug|$told told, $bad failures|$took"
[ "$seeds" -eq 0 ] || echo "FIGURE|regression seeds|all hold|$held of $seeds|$took"
[ "$bad" -eq 0 ]
