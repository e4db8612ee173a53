#!/usr/bin/env bash
# Crash points, I/O errors, allocation failures and damage at rest over five workloads on a simulated disk: tests/crash/run.sh check|ci|soak [SECONDS]
#   check  one seed: every point of the workloads with every kind of death
#   ci     twelve seeds
#   soak   fresh seeds until the budget (default 600 s) ends
# A violation prints the command that repeats it. Exits 0 only if everything held.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
regime=${1:-check}
budget=${2:-600}
folder=$("$top/tests/variant.sh" proof crash)
crash=$folder/tests/crash/crash
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

started=$SECONDS
failed=0
seeds_run=0
# run FIRST SEEDS OPTION...: two processes, each with every second case.
run() {
  local first=$1 seeds=$2
  shift 2
  "$crash" --seed "$first" --seeds "$seeds" --part 1/2 "$@" >>"$work/1" &
  local other=$!
  "$crash" --seed "$first" --seeds "$seeds" --part 2/2 "$@" >>"$work/2" || failed=1
  wait "$other" || failed=1
  seeds_run=$((seeds_run + seeds))
}
case $regime in
  check) run 1 1 --points all --damages 6 --failures 2000 --rot 500 --again 500 ;;
  ci) run 1 12 --points all --damages 6 --failures 8000 --rot 2000 --again 2000 ;;
  soak)
    first=$(date +%s)
    while ((SECONDS - started < budget && failed == 0)); do
      run "$first" 4 --points all --damages 6 --failures 8000 --rot 4000 --again 4000
      first=$((first + 4))
    done
    ;;
  *) echo "crash: unknown regime '$regime'. Use check, ci or soak [SECONDS]." >&2; exit 8 ;;
esac
seconds=$((SECONDS - started))

grep -h -A 8 '^VIOLATION' "$work"/[12] | grep -v -E '^(deaths|recoveries|errors|allocations|damage|points)[ =]' | head -n 60 || true
# total CLASS FIELD: over all seeds and both processes.
total() { awk -v class="$1" -v field="$2" '$1 == class { for (i = 2; i <= NF; ++i) if (split($i, pair, "=") == 2 && pair[1] == field) sum += pair[2] } END { print sum + 0 }' "$work"/[12]; }
points=$(awk '/^points=/ { sub("points=", "", $1); sum += $1 } END { print sum + 0 }' "$work/1")
case $regime in
  check) asked_points='300 × 2' asked_failures=200 ;;
  ci) asked_points='2000 × 4' asked_failures=1000 ;;
  soak) asked_points='× 32, and recoveries' asked_failures='all workloads' ;;
esac
echo "FIGURE|crash points × damages|$asked_points|$points × 6 ($seeds_run seeds), $(total deaths violations) violations|$seconds"
echo "FIGURE|crashes during recovery|every point of a sample|$(total recoveries cases), $(total recoveries violations) violations|$seconds"
echo "FIGURE|I/O and allocation failure points|$asked_failures|$(total errors cases) + $(total allocations cases), $(($(total errors violations) + $(total allocations violations))) violations|$seconds"
echo "FIGURE|damage at rest, stray and lost writes|–|$(total damage cases), $(total damage detected) refused, $(total damage violations) violations|$seconds"
exit "$failed"
