#!/usr/bin/env bash
# The planted bugs are in no build but their own: no_trace.sh NORMAL_BUILD PROOF_BUILD
# Every switch reads the variable planted_bug. An object of the normal build that does not name it can have no branch that depends on it;
# the same object of the proof variant must name it, or this check would look at nothing. Every bug is planted somewhere.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
normal=$1 proof=$2
folders=(serializer channel vtam_link datamover automation jcl service)
bad=0 sources=0

fail() {
  echo "FAILED: $1"
  bad=$((bad + 1))
}

cd "$top" || exit 8
for name in $(sed -nE 's/^  (k[A-Za-z0-9]+),? +\/\/ .*/\1/p' serializer/canary.h); do
  grep -rqw "Canary::$name" "${folders[@]}" || fail "the bug $name is planted nowhere"
done
for source in $(grep -rlE 'planted\(Canary::' --include='*.cpp' "${folders[@]}"); do
  folder=${source%%/*} file=${source#*/}
  sources=$((sources + 1))
  for build in "$normal" "$proof"; do
    object=$build/$folder/CMakeFiles/$folder.dir/$file.o
    [ -e "$object" ] || { fail "$object is not built"; continue; }
    named=$(nm "$object" | grep -c planted_bug)
    if [ "$build" = "$normal" ]; then
      [ "$named" -eq 0 ] || fail "$object of the normal build names planted_bug"
    else
      [ "$named" -gt 0 ] || fail "$object of the proof variant does not name planted_bug"
    fi
  done
done
[ "$sources" -gt 0 ] || fail "no source with a planted bug was found"
[ "$bad" -eq 0 ] && echo "no trace of planted bugs in the normal build: $sources objects looked at"
exit $((bad != 0))
