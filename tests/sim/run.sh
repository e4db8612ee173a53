#!/usr/bin/env bash
# The simulator's seeds: tests/sim/run.sh check|ci|soak [SECONDS]. check: 2,000 seeds; ci: 10,000, and 500 under AddressSanitizer and
# UndefinedBehaviorSanitizer; soak: fresh seeds until the budget ends, an eighth of it under the sanitizers. One seed in twenty runs twice.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
export AFTERIMAGE_BUILD=${AFTERIMAGE_BUILD:-$top/build}
regime=${1:-check}
budget=${2:-600}
jobs=$(nproc)
failed=0

# seeds VARIANT WHAT ASKED ARGUMENT...
seeds() {
  local variant=$1 what=$2 asked=$3
  shift 3
  local folder began out
  began=$(date +%s)
  folder=$(bash "$top/tests/variant.sh" "$variant" sim) || { failed=1; echo "FIGURE|$what|$asked|the simulator could not be built|$(($(date +%s) - began))"; return; }
  out=$(ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0 "$folder/tests/sim/sim" --jobs "$jobs" --check-determinism 5 "$@") || failed=1
  echo "$out" | sed "s|with: sim |with: $folder/tests/sim/sim |"
  echo "$out" | grep '^SEEDS' | tail -n 1 | sed -E "s/.*done=([0-9]+) twice=([0-9]+) seconds=([0-9]+)[0-9.]* per_second=([0-9.]+) .*violations=([0-9]+).*/\1 \2 \3 \4 \5/" |
    while read -r done twice seconds rate violations; do
      echo "FIGURE|$what|$asked|$done, $violations violations, $rate seeds/s, $twice run twice|$seconds"
    done
}

case $regime in
  check) seeds proof "simulator seeds" 2000 --seeds 2000 ;;
  ci)
    seeds proof "simulator seeds" 10000 --seeds 10000
    seeds asan "simulator seeds under ASan and UBSan" 500 --seeds 500 --first 1000001
    ;;
  soak)
    first=$(($(date +%s) * 100000))
    echo "Seeds from $first on."
    seeds proof "simulator seeds" "until the budget ends" --seeds 100000000 --first "$first" --seconds $((budget * 7 / 8))
    seeds asan "simulator seeds under ASan and UBSan" "5000, or until the budget ends" --seeds 5000 --first $((first + 50000000)) --seconds $((budget / 8))
    ;;
  *)
    echo "usage: tests/sim/run.sh check|ci|soak [SECONDS]" >&2
    exit 8
    ;;
esac
exit $failed
