#!/usr/bin/env bash
# The whole check on a fresh Debian 12: installs what is missing, builds, checks the form of the code, runs every test. `--ci` takes the full
# figures (docs/FAULT_MODEL.md, "What is run"). Ends with 0 only if everything held. Any user; two at once; leaves nothing behind but the
# build folder. Every stage has a budget in seconds that it prints beside what it took; the figures reached stand in one table at the end.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}
cd "$top" || exit 8
full=
[[ ${1:-} == --ci ]] && full=1
[[ -n ${1:-} && -z $full ]] && { echo "check: unknown option '$1'. Use tests/check.sh or tests/check.sh --ci." >&2; exit 8; }
source tests/stages.sh

run_tests() { (cd "$build" && ctest --output-on-failure --no-tests=error -j 2 "$@"); }
# What `check` looks at: what is not yet committed, what the upstream branch does not have, or else the last commit.
changed_sources() {
  local since
  since=$(git merge-base HEAD '@{upstream}' 2>/dev/null) || since=
  [[ -z $since || $since == "$(git rev-parse HEAD)" ]] && since=$(git rev-parse -q --verify HEAD~1 || git rev-parse HEAD)
  git diff --name-only --diff-filter=d "$since" -- '*.cpp'
}
sources() { git ls-files -- '*.cpp' '*.h' '*.c' 2>/dev/null; }
check_format() { sources | xargs clang-format --dry-run --Werror; }
check_tidy() {
  local files
  mapfile -t files < <(if [[ $full ]]; then sources; else changed_sources; fi | grep -E '^(serializer|channel|vtam_link|datamover|automation|jcl|service)/.*\.cpp$')
  if ((${#files[@]})); then
    printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet 2>&1 | grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter|^$' >"$build/tidy.log"
    local rc=${PIPESTATUS[1]}
    ((rc != 0)) && { head -n 40 "$build/tidy.log"; return "$rc"; }
  fi
  echo "FIGURE|clang-tidy|$([[ $full ]] && echo all files || echo files changed)|${#files[@]} files, clean|$SECONDS_IN_STAGE"
}

packages=(clang-format clang-tidy git iproute2)
[[ $full ]] && packages+=(clang llvm libclang-rt-14-dev)
if ! stage "install and build" "$([[ $full ]] && echo 450 || echo 400)" bash samples/prepare.sh "${packages[@]}"; then
  stages_end
  exit 1
fi
export AFTERIMAGE_BUILD=$build AFTERIMAGE_FULL=$full
# The full figures of the parts that run as unit and end-to-end tests: 25 site kills, every instruction of a write, 2000 seeds of both movers.
[[ $full ]] && export AFTERIMAGE_EVERY_INSTRUCTION=1 AFTERIMAGE_SEEDS=2000
regime=$([[ $full ]] && echo ci || echo check)
budget() { [[ $full ]] && echo "$2" || echo "$1"; }  # budget CHECK_SECONDS CI_SECONDS
stage "format" 20 check_format
stage "house rules" 20 python3 tests/house_rules.py "$top"
stage "unit tests" "$(budget 120 400)" run_tests -LE e2e
stage "simulator" "$(budget 150 500)" bash tests/sim/run.sh "$regime"
stage "planted bugs" "$(budget 60 240)" bash tests/canary/run.sh "$regime"
stage "regressions" 30 bash tests/regressions/run.sh "$regime"
stage "crash points" "$(budget 40 240)" bash tests/crash/run.sh "$regime"
stage "fuzzers" "$(budget 30 400)" bash tests/fuzz/run.sh "$regime"
stage "common storage" "$(budget 30 300)" bash tests/storage/run.sh "$regime"
stage "end to end" "$(budget 300 500)" run_tests -L e2e
stage "faults on real processes" "$(budget 90 240)" bash tests/faults/run.sh "$regime"
[[ $full ]] && stage "coverage" 240 bash tests/coverage/run.sh ci
stage "clang-tidy" "$(budget 120 240)" check_tidy
stages_end
