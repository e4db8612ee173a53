#!/usr/bin/env bash
# Branch coverage of the pure core by the unit tests: tests/coverage/run.sh check|ci|soak [SECONDS]. Only `ci` has work to do: it builds the
# unit tests with clang and counted branches, runs them, prints branch coverage by file, and ends with 0 if it is at least 95 % in total.
# `tests/coverage/run.sh missing [PART OF A PATH]` lists the branches not taken, from the last run. Needs clang and llvm (packages of Debian).
set -euo pipefail
asked=95
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export AFTERIMAGE_BUILD=${AFTERIMAGE_BUILD:-${BUILD_DIR:-$top/build}}
libraries=(serializer channel vtam_link datamover automation jcl service)
case ${1:-} in
  check | soak) exit 0 ;;
  ci) ;;
  missing) exec python3 "$top/tests/coverage/branches.py" "$top" "$AFTERIMAGE_BUILD/coverage/branches.json" 0 --missing "${2:-}" ;;
  *) echo "coverage: unknown regime '${1:-}'. Use check, ci or soak." >&2; exit 8 ;;
esac
for tool in clang++ llvm-profdata llvm-cov; do
  command -v "$tool" >/dev/null || { echo "coverage: $tool is missing: apt-get install clang llvm" >&2; exit 8; }
done

began=$SECONDS
variant=$("$top/tests/variant.sh" coverage "${libraries[@]/#/unit_}")
echo "coverage: built in $((SECONDS - began)) s"
result=$AFTERIMAGE_BUILD/coverage  # kept: `missing` reads it
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$result"

# The map of all branches of the product, whether a test program links them or not: llvm-cov reads no archives.
archives=()
for library in "${libraries[@]}"; do archives+=("$variant/$library/lib$library.a"); done
clang++ -shared -o "$work/core.so" -Wl,--whole-archive "${archives[@]}" -Wl,--no-whole-archive

run_one() {  # run_one LIBRARY: its unit tests, with the counts in files of this run
  local program=$variant/tests/unit_$1
  LLVM_PROFILE_FILE=$work/$1-%p.profraw timeout 400 "$program" >"$work/$1.log" 2>&1 && return 0
  tail -n 30 "$work/$1.log"
  echo "coverage: unit tests of $1 failed. Again: $program"
  return 1
}
# Two at a time; the longest ones first.
export -f run_one
export variant work
failed=0
printf '%s\n' serializer datamover vtam_link service channel jcl automation | xargs -P 2 -I{} bash -c 'run_one {}' || failed=1
llvm-profdata merge -o "$work/all.profdata" "$work"/*.profraw
llvm-cov export -instr-profile "$work/all.profdata" "$work/core.so" >"$work/branches.json" 2>"$work/export.log" || { cat "$work/export.log"; exit 8; }
mv "$work/branches.json" "$result/branches.json"
rc=0
python3 "$top/tests/coverage/branches.py" "$top" "$result/branches.json" "$asked" >"$work/table" || rc=1
grep -v '^TOTAL ' "$work/table"
read -r taken count percent < <(sed -n 's/^TOTAL //p' "$work/table")
echo "FIGURE|branch coverage of the pure core|≥ $asked %|$percent % ($taken of $count)|$((SECONDS - began))"
if ((rc)); then echo "coverage: below $asked %, or a file was not measured. What is not taken: tests/coverage/run.sh missing"; fi
((rc == 0 && failed == 0))
