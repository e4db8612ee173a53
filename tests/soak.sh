#!/usr/bin/env bash
# Runs every random part of the tests with new seeds for as long as it is told: tests/soak.sh SECONDS. Each part gets its share of the time, in
# turn; the first failure ends it, with the command that repeats it. Leaves nothing behind but the build folder.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}
total=${1:-}
[[ $total =~ ^[0-9]+$ && $total -gt 0 ]] || { echo "soak: how long? Use tests/soak.sh SECONDS." >&2; exit 8; }
cd "$top" || exit 8
source tests/stages.sh
stage "install and build" 450 bash samples/prepare.sh clang llvm libclang-rt-14-dev iproute2 || { stages_end; exit 1; }
export AFTERIMAGE_BUILD=$build
share() {  # share AREA PERCENT
  local seconds=$((total * $2 / 100))
  ((seconds < 1)) && seconds=1
  stage "$1 for ${seconds} s" $((seconds + 300)) bash "tests/$1/run.sh" soak "$seconds" || { stages_end; exit 1; }
}
share sim 35
share crash 15
share storage 10
share fuzz 15
share faults 25
stages_end
