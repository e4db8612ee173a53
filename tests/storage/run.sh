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

# kills KILLS STOPS MOVER_STRIKES SECONDS(0: none): two processes at once, each with its half of them and a seed of its own
kills() {
  local began=$SECONDS out1 out2 rc1 rc2 pid2
  local args=(--kills $((($1 + 1) / 2)) --stops $((($2 + 1) / 2)) --mover-strikes $((($3 + 1) / 2)) --seconds "$4")
  [ -x "$build/tests/storage/storage_kill" ] || { echo "FIGURE|common storage: owner kills|$1|not on this processor|0"; return; }
  out2=$(mktemp)
  "$build/tests/storage/storage_kill" "${args[@]}" --seed $((seed + 1)) >"$out2" 2>&1 &
  pid2=$!
  out1=$("$build/tests/storage/storage_kill" "${args[@]}" --seed "$seed" 2>&1)
  rc1=$?
  wait $pid2
  rc2=$?
  out1+=$'\n'$(cat "$out2")
  rm -f "$out2"
  echo "$out1"
  [ $rc1 -eq 0 ] || { echo "storage: repeat with: $build/tests/storage/storage_kill ${args[*]} --seed $seed" >&2; bad=1; }
  [ $rc2 -eq 0 ] || { echo "storage: repeat with: $build/tests/storage/storage_kill ${args[*]} --seed $((seed + 1))" >&2; bad=1; }
  local took=$((SECONDS - began)) verdict="0 violations" sums
  [ $rc1 -eq 0 ] && [ $rc2 -eq 0 ] || verdict=FAILED
  sums=$(sed -n 's/^storage_kill: \([0-9]*\) kills, \([0-9]*\) stops, \([0-9]*\) mover kills, \([0-9]*\) mover stops,.*at most \([0-9]*\) ms.*/\1 \2 \3 \4 \5/p' <<<"$out1" |
    awk '{k += $1; s += $2; mk += $3; ms += $4; if ($5 > l) l = $5} END {print k + 0, s + 0, mk + 0, ms + 0, l + 0}')
  read -r k s mk ms longest <<<"$sums"
  echo "FIGURE|common storage: owner kills at a random instruction|$1|$k, $verdict|$took"
  echo "FIGURE|common storage: owner stops at a random instruction|$2|$s, the others went on within $longest ms|$took"
  echo "FIGURE|common storage: mover struck (kills + stops)|$3|$mk + $ms|$took"
}

case $regime in
  check)
    stress "$build/tests/storage/storage_stress" "common storage: operations" 500000 "$seed" 0
    planted "$build/tests/storage/storage_stress"
    kills 20 20 10 0
    ;;
  ci | soak)
    tsan=$(AFTERIMAGE_BUILD=$build tests/variant.sh tsan storage_stress) || exit 8
    planted "$tsan/tests/storage/storage_stress"
    if [ "$regime" = ci ]; then
      stress "$tsan/tests/storage/storage_stress" "common storage: operations under ThreadSanitizer" 10000000 "$seed" 0
      kills 100 100 60 0
    else
      stress "$tsan/tests/storage/storage_stress" "common storage: operations under ThreadSanitizer" 500000000 "$seed" $((seconds / 2))
      kills 5000 5000 2000 $((seconds - seconds / 2))
    fi
    ;;
  *)
    echo "usage: tests/storage/run.sh check|ci|soak [SECONDS]" >&2
    exit 8
    ;;
esac
exit $bad
