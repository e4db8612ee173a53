#!/usr/bin/env bash
# Shows that the tests can fail: switches on one planted bug (serializer/canary.h) after another and runs the simulator until it is caught, at
# most 1,000 seeds each: tests/canary/run.sh check|ci|soak [SECONDS]
#   check  a fifth of the bugs, which one the commit decides (AFTERIMAGE_CANARY_FIFTH=0..4 asks for one)
#   ci     all
#   soak   all with other seeds, again and again until the time is over
# One bug: tests/canary/hunt.py build/variant-proof/tests/sim/sim NAME
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
build=${AFTERIMAGE_BUILD:-$top/build}
regime=${1:-check}
seconds=${2:-600}
began=$SECONDS
proof=$("$top/tests/variant.sh" proof sim regressions) || exit 1
sim=$proof/tests/sim/sim
bad=0
mapfile -t all < <(sed -nE 's/^  k([A-Za-z0-9]+),? +\/\/ .*/\1/p' "$top/serializer/canary.h")

names=("${all[@]}")
case $regime in
  check)
    fifth=${AFTERIMAGE_CANARY_FIFTH:-$(($("$top/tests/seed.sh" canary) % 5))}
    names=()
    for i in "${!all[@]}"; do ((i % 5 == fifth)) && names+=("${all[i]}"); done
    echo "planted bugs: fifth $fifth of 0..4, ${#names[@]} of ${#all[@]} (AFTERIMAGE_CANARY_FIFTH=$fifth repeats it)"
    ;;
  ci | soak) ;;
  *) echo "canary: unknown regime '$regime'. Use check, ci or soak." >&2; exit 8 ;;
esac

"$here/no_trace.sh" "$build" "$proof" || bad=1

# Only a damaged newest checkpoint behind a journal that has come round shows this one: too rare for the simulator, not for the fuzz target.
fuzzed=0
for i in "${!names[@]}"; do
  [ "${names[i]}" = ReleasedOneCheckpointEarly ] || continue
  unset "names[i]"
  "$top/tests/variant.sh" proof fuzz_state_files >/dev/null || bad=1
  find_it=("$proof/tests/fuzz/fuzz_state_files" --canary ReleasedOneCheckpointEarly --corpus "$top/tests/fuzz/corpus/state_files" --runs 200000 --seed 1 --artifacts "$proof")
  "${find_it[@]}" >"$proof/canary-fuzz.log" 2>&1
  if [ $? -eq 77 ]; then
    fuzzed=1
    echo "  caught     ReleasedOneCheckpointEarly   by the fuzz target state_files"
  else
    bad=1
    echo "  NOT CAUGHT ReleasedOneCheckpointEarly   by the fuzz target state_files"
    echo "    reproduce: ${find_it[*]}"
  fi
done

rounds=0 tried=$fuzzed caught=$fuzzed stories=0 first=1
while :; do
  out=$("$here/hunt.py" "$sim" --first "$first" --jobs "$(nproc)" --stories "$proof/tests/regressions/regressions" "${names[@]}" | tee /dev/stderr) || bad=1
  rounds=$((rounds + 1)) tried=$((tried + ${#names[@]}))
  read -r _ count _ _ by _ < <(tail -n 1 <<<"$out")
  caught=$((caught + count)) stories=$((stories + by))
  [ "$regime" = soak ] && ((SECONDS - began < seconds)) && ((bad == 0)) || break
  first=$(($(date +%s) * 1000 + rounds))
done
echo "FIGURE|planted bugs caught within 1,000 seeds|$((${#names[@]} + fuzzed)) of ${#all[@]}$( ((rounds > 1)) && echo " x $rounds")|$caught of $tried, $stories of them by scripted regressions, $fuzzed by a fuzz target|$((SECONDS - began))"
exit $((bad != 0))
