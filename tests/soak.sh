#!/usr/bin/env bash
# Runs the random parts of the tests, with a new seed each time, for as long as it is told: tests/soak.sh SECONDS. Stops at the first failure and
# says how to repeat it. Leaves nothing behind but the build folder.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}
budget=${1:-}
[[ $budget =~ ^[0-9]+$ && $budget -gt 0 ]] || { echo "soak: how long? Use tests/soak.sh SECONDS." >&2; exit 8; }
bash "$top/samples/prepare.sh" || exit $?
export AFTERIMAGE_BUILD=$build
end=$((SECONDS + budget))
rounds=0
repeat() {  # repeat NAME SEED COMMAND...
  local name=$1 seed=$2 log
  shift 2
  log=$(mktemp "${TMPDIR:-/tmp}/afterimage-soak.XXXXXX")
  if AFTERIMAGE_SEED=$seed AFTERIMAGE_SEEDS=400 "$@" >"$log" 2>&1; then
    rm -f "$log"
    echo "soak: $name seed $seed held ($((end - SECONDS)) s left)"
  else
    tail -n 60 "$log"
    rm -f "$log"
    echo "soak: FAILED: $name. To repeat: AFTERIMAGE_BUILD=$build AFTERIMAGE_SEED=$seed AFTERIMAGE_SEEDS=400 $*" >&2
    exit 1
  fi
}
while ((SECONDS < end)); do
  seed=$((RANDOM * 32768 + RANDOM))
  repeat "movers in simulation" $seed "$build/tests/unit_datamover" Simulation
  repeat "site kills" $seed python3 "$top/tests/e2e/sitekill.py"
  repeat "kills of each process" $seed python3 "$top/tests/e2e/processkill.py"
  repeat "two systems" $seed python3 "$top/tests/e2e/twosystems.py"
  rounds=$((rounds + 1))
done
echo "soak: $rounds rounds in ${SECONDS} s, no failure"
