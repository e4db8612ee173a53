#!/usr/bin/env bash
# The whole check on a fresh Debian 12: installs what is missing, builds, checks the form of the code, runs every test. `--ci` takes the full
# figures (25 site kills). Ends with 0 only if everything held. Any user; two at once; leaves nothing behind but the build folder.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}
cd "$top" || exit 8
full=
[[ ${1:-} == --ci ]] && full=1
[[ -n ${1:-} && -z $full ]] && { echo "check: unknown option '$1'. Use tests/check.sh or tests/check.sh --ci." >&2; exit 8; }

passed=0 failed=0
declare -a failures=()
stage() {  # stage NAME BUDGET_SECONDS COMMAND...
  local name=$1 budget=$2 began=$SECONDS rc=0
  shift 2
  echo "=== $name (budget ${budget} s)"
  "$@" || rc=$?
  local took=$((SECONDS - began)) over=""
  ((took > budget)) && over=" - over its budget"
  if ((rc == 0)); then passed=$((passed + 1)); else failed=$((failed + 1)); failures+=("$name"); fi
  echo "=== $name: $([[ $rc == 0 ]] && echo passed || echo "FAILED ($rc)") in ${took} s${over}"
  return "$rc"
}

sources() { git -C "$top" ls-files -- '*.cpp' '*.h' '*.c' 2>/dev/null || find . -name build -prune -o \( -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -print; }
check_format() { sources | xargs clang-format --dry-run --Werror; }
check_tidy() {
  local files
  mapfile -t files < <(sources | grep -E '^(\./)?(serializer|channel|vtam_link|datamover|automation|jcl|service)/.*\.cpp$')
  printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet 2>&1 | grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header-filter|^$' >"$build/tidy.log"
  local rc=${PIPESTATUS[1]}
  ((rc != 0)) && head -n 40 "$build/tidy.log"
  return "$rc"
}
run_tests() { (cd "$build" && ctest --output-on-failure --no-tests=error -j 2 "$@"); }

if ! stage "install and build" 400 bash samples/prepare.sh clang-format clang-tidy git; then
  echo "0 passed, 1 failed"
  exit 1
fi
export AFTERIMAGE_BUILD=$build AFTERIMAGE_FULL=$full
# The full figures: 25 site kills, every instruction of a write, 2000 seeds of the movers' simulation.
[[ $full ]] && export AFTERIMAGE_EVERY_INSTRUCTION=1 AFTERIMAGE_SEEDS=2000
stage "format" 20 check_format
stage "house rules" 20 python3 tests/house_rules.py "$top"
stage "unit tests" "$([[ $full ]] && echo 600 || echo 120)" run_tests -LE e2e
stage "end to end" "$([[ $full ]] && echo 1500 || echo 300)" run_tests -L e2e
stage "clang-tidy" 240 check_tidy

((failed)) && printf 'check: failed: %s\n' "${failures[@]}"
echo "check: took ${SECONDS} s"
echo "$passed passed, $failed failed"
((failed == 0))
