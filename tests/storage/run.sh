#!/usr/bin/env bash
# Common storage under stress: tests/storage/run.sh check|ci|soak [SECONDS]. Threads (ci, soak: under ThreadSanitizer), real processes killed
# and stopped at random instructions, and the making, opening and removing of the segment. Prints its figures; ends with 0 only if
# everything held. The seed is the commit's (tests/seed.sh), a fresh one for soak; SEED=N repeats a run's choices.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${AFTERIMAGE_BUILD:-$top/build}
programs=$build/tests/storage
regime=${1:-check}
seconds=${2:-600}
seed=${SEED:-$("$top/tests/seed.sh" "$([[ $regime == soak ]] && echo --fresh || echo storage)")}
bad=0
cd "$top" || exit 8
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1 history_size=4}
scratch=$(mktemp -d)
pids=()
# Interrupted, nothing stays: neither a process nor the segments of one that was ended.
tidy() {
  local pid
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null && true
    rm -f "/dev/shm/aitest.$pid".*
  done
  rm -rf "$scratch"
}
trap tidy EXIT
trap 'exit 130' INT TERM

# stress PROGRAM WHAT OPERATIONS SECONDS(0: until they are done)
stress() {
  local began=$SECONDS args=(--operations "$3" --seed "$seed" --seconds "$4") reached
  "$1" "${args[@]}" >"$scratch/stress" 2>&1 &
  pids=($!)
  if wait "${pids[0]}"; then
    reached=$(sed -n 's/^storage_stress: \([0-9]*\) operations.* \([0-9]*\) tokens audited.*, \([0-9]*\) operations\/s$/\1 (\2 tokens), 0 violations, \3\/s/p' "$scratch/stress")
  else
    reached="FAILED"
    bad=1
    echo "storage: repeat with: TSAN_OPTIONS='$TSAN_OPTIONS' $1 ${args[*]}" >&2
  fi
  tail -n 80 "$scratch/stress"
  echo "FIGURE|$2|$3|$reached|$((SECONDS - began))"
}

# Each fault that the stress plants in itself must be seen.
planted() {
  local began=$SECONDS seen=0 plant
  for plant in late-byte early-free lost-mark twice; do
    "$1" --operations 3000000 --seed "$seed" --plant "$plant" >/dev/null 2>&1
    case $? in
      1 | 66) seen=$((seen + 1)) ;;
      *)
        echo "storage: a planted fault is not seen: repeat with: $1 --operations 3000000 --seed $seed --plant $plant" >&2
        bad=1
        ;;
    esac
  done
  echo "FIGURE|common storage: faults planted in the stress itself|4|$seen seen|$((SECONDS - began))"
}

# So must the planted bugs of the product (serializer/canary.h) that lie in common storage: by the threads, and by the processes.
bugs() {
  local folder
  folder=$(AFTERIMAGE_BUILD=$build tests/variant.sh proof storage_stress storage_kill)/tests/storage || exit 8
  see_bugs "by threads" "$folder/storage_stress --operations 10000000 --seed $seed" NumberedAfterTheIo SequenceReusedAfterRestart StampNotRising \
    BoundaryInsideCcw RangesJoinedOverGap SlotReusedEarly ChunkTakenEarly ChunkFreedEarly FreedOneTooMany DataSentBeforeItsFile BurialSkipsDevice \
    UnhardenedNotMarked FreezeLetsWritesPass CutOneTooLow ChangeNotRecorded
  [ -x "$folder/storage_kill" ] || return
  see_bugs "by processes" "$folder/storage_kill --kills 400 --stops 400 --mover-strikes 400 --seed $seed" BurialSkipsDevice UnhardenedNotMarked \
    SequenceReusedAfterRestart ChangeNotRecorded ChunkTakenEarly ChunkFreedEarly FreedOneTooMany FreezeLetsWritesPass
}

# see_bugs BY COMMAND BUG...: two at once
see_bugs() {
  local began=$SECONDS by=$1 command=$2 seen
  shift 2
  printf '%s\n' "$@" | xargs -P 2 -I BUG bash -c '
    out=$($0 --bug BUG 2>&1)
    case $? in
      1 | 134) echo "  BUG: $(grep -m 1 -o -E "FAILED: .*|CHECK FAILED.*" <<<"$out")" ;;
      *) echo "storage: a planted bug is not seen: repeat with: $0 --bug BUG" ;;
    esac' "$command" >"$scratch/bugs"
  cat "$scratch/bugs"
  seen=$(grep -c '^  ' "$scratch/bugs")
  [ "$seen" -eq $# ] || bad=1
  echo "FIGURE|common storage: planted bugs of the product seen $by|$#|$seen|$((SECONDS - began))"
}

# both PROGRAM ARGUMENTS...: two processes at once, with seeds of their own; what they print goes to $scratch/both; sets `verdict`.
both() {
  local i
  verdict="0 violations"
  pids=()
  for i in 0 1; do
    "$@" --seed $((seed + i)) >"$scratch/both.$i" 2>&1 &
    pids+=($!)
  done
  for i in 0 1; do
    wait "${pids[$i]}" && continue
    echo "storage: repeat with: $* --seed $((seed + i))" >&2
    verdict=FAILED
    bad=1
  done
  cat "$scratch/both.0" "$scratch/both.1" >"$scratch/both"
  cat "$scratch/both"
}

# kills KILLS STOPS MOVER_STRIKES SECONDS
kills() {
  local began=$SECONDS
  both "$programs/storage_kill" --kills $((($1 + 1) / 2)) --stops $((($2 + 1) / 2)) --mover-strikes $((($3 + 1) / 2)) --seconds "$4"
  local took=$((SECONDS - began)) k s mk ms longest
  read -r k s mk ms longest < <(sed -n 's/^storage_kill: \([0-9]*\) kills, \([0-9]*\) stops, \([0-9]*\) mover kills, \([0-9]*\) mover stops,.*at most \([0-9]*\) ms.*/\1 \2 \3 \4 \5/p' "$scratch/both" |
    awk '{k += $1; s += $2; mk += $3; ms += $4; if ($5 > l) l = $5} END {print k + 0, s + 0, mk + 0, ms + 0, l + 0}')
  echo "FIGURE|common storage: owner kills at a random instruction|$1|$k, $verdict|$took"
  echo "FIGURE|common storage: owner stops at a random instruction|$2|$s, $verdict, the others went on within $longest ms|$took"
  echo "FIGURE|common storage: mover struck (kills + stops)|$3|$mk + $ms, $verdict|$took"
}

# segments TRIALS SECONDS
segments() {
  local began=$SECONDS trials
  both "$programs/storage_segment" --trials $((($1 + 1) / 2)) --seconds "$2"
  trials=$(sed -n 's/^storage_segment: \([0-9]*\) kills, \([0-9]*\) stops.*/\1 \2/p' "$scratch/both" | awk '{n += $1 + $2} END {print n + 0}')
  echo "FIGURE|common storage: making, opening, removing struck|$1|$trials, $verdict|$((SECONDS - began))"
}

processes() {
  if [ -x "$programs/storage_kill" ]; then
    kills "$1" "$2" "$3" "$4"
    segments "$5" "$6"
  else
    echo "FIGURE|common storage: owner kills at a random instruction|$1|none: written for x86-64|0"
  fi
}

case $regime in
  check)
    stress "$programs/storage_stress" "common storage: operations" 500000 0
    planted "$programs/storage_stress"
    processes 20 20 10 0 40 0
    ;;
  ci)
    tsan=$(AFTERIMAGE_BUILD=$build tests/variant.sh tsan storage_stress)/tests/storage/storage_stress || exit 8
    planted "$tsan"
    stress "$tsan" "common storage: operations under ThreadSanitizer" 10000000 0
    processes 100 100 60 0 200 0
    ;;
  soak)
    tsan=$(AFTERIMAGE_BUILD=$build tests/variant.sh tsan storage_stress)/tests/storage/storage_stress || exit 8
    bugs  # their hunt depends on how threads and processes happen to meet: ci has them from the simulator (tests/canary)
    left=$((seconds - SECONDS))
    [ $left -gt 8 ] || left=8
    stress "$tsan" "common storage: operations under ThreadSanitizer" 500000000 $((left / 2))
    processes 5000 5000 2000 $((left * 3 / 8)) 2000 $((left / 8))
    ;;
  *)
    echo "usage: tests/storage/run.sh check|ci|soak [SECONDS]" >&2
    exit 8
    ;;
esac
exit $bad
