#!/usr/bin/env bash
# Prints the seed of an area: tests/seed.sh AREA. It follows from what is committed (the tree of HEAD without README and docs/, hashed with the
# area's name): what was run before a commit lands is run after it too, and every change of behaviour has seeds of its own. Without a commit, or
# with `--fresh` (soak), a random one.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
area=${1:-}
[[ -n $area ]] || { echo "usage: tests/seed.sh AREA | tests/seed.sh --fresh" >&2; exit 8; }
if [[ $area != --fresh ]] && tree=$(git -C "$top" ls-tree HEAD 2>/dev/null) && [[ -n $tree ]]; then
  hash=$(printf '%s %s' "$(grep -vP '\t(README\.md|docs)$' <<<"$tree")" "$area" | sha256sum)
  echo $((16#${hash:0:7}))
else
  echo $((RANDOM * 8192 + RANDOM / 4))
fi
