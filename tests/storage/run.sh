#!/usr/bin/env bash
# Common storage under stress: tests/storage/run.sh check|ci|soak [SECONDS]. Prints its figures; ends with 0 only if everything held.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${AFTERIMAGE_BUILD:-$top/build}
regime=${1:-check}
seconds=${2:-600}
seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
bad=0
cd "$top" || exit 8
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1 history_size=4}

# stress PROGRAM WHAT OPERATIONS SEED SECONDS(0: none)
stress() {
  local began=$SECONDS out
  out=$("$1" --operations "$3" --seed "$4" --seconds "$5" 2>&1)
  local rc=$?
  local reached
  reached=$(sed -n 's/^storage_stress: \([0-9]*\) operations.*; \([^;]*\)$/\1 operations, \2/p' <<<"$out")
  if [ $rc -ne 0 ]; then
    tail -n 60 <<<"$out" >&2
    echo "storage: repeat with: TSAN_OPTIONS='$TSAN_OPTIONS' $1 --operations $3 --seed $4 --seconds $5" >&2
    bad=1
    echo "FIGURE|$2|$3|${reached:-ended with $rc}: FAILED|$((SECONDS - began))"
  else
    echo "$out"
    echo "FIGURE|$2|$3|$reached, 0 violations|$((SECONDS - began))"
  fi
}

# Each fault that the stress plants in itself must be seen.
planted() {
  local began=$SECONDS seen=0 plant
  for plant in late-byte early-free lost-mark twice; do
    "$1" --operations 3000000 --seed "$seed" --plant "$plant" >/dev/null 2>&1
    case $? in 1 | 66) seen=$((seen + 1)) ;; *)
      echo "storage: the stress does not see its planted fault '$plant': repeat with: $1 --operations 3000000 --seed $seed --plant $plant" >&2
      bad=1
      ;;
    esac
  done
  echo "FIGURE|common storage: faults planted in the stress itself|4|$seen seen|$((SECONDS - began))"
}

case $regime in
  check)
    stress "$build/tests/storage/storage_stress" "common storage: operations" 500000 "$seed" 0
    planted "$build/tests/storage/storage_stress"
    ;;
  ci | soak)
    tsan=$(AFTERIMAGE_BUILD=$build tests/variant.sh tsan storage_stress) || exit 8
    planted "$tsan/tests/storage/storage_stress"
    if [ "$regime" = ci ]; then
      stress "$tsan/tests/storage/storage_stress" "common storage: operations under ThreadSanitizer" 10000000 "$seed" 0
    else
      stress "$tsan/tests/storage/storage_stress" "common storage: operations under ThreadSanitizer" 500000000 "$seed" $((seconds / 2))
    fi
    ;;
  *)
    echo "usage: tests/storage/run.sh check|ci|soak [SECONDS]" >&2
    exit 8
    ;;
esac
exit $bad
