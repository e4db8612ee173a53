#!/usr/bin/env bash
# Installs what is missing from Debian and builds Afterimage into $BUILD_DIR (default: build/ in the clone). Used by samples/demo.sh
# and tests/check.sh; safe to run twice and by two at once. Prints one sentence and ends with 8 when it cannot go on.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}
packages=(hercules g++ cmake ninja-build dpkg-dev libboost-dev libssl-dev openssl libxerces-c-dev libcppunit-dev binutils-s390x-linux-gnu python3)
packages+=("$@")  # what the caller needs besides

fail() { echo "prepare: $*" >&2; exit 8; }

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "prepare: installing ${missing[*]}"
  as_root=()
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || fail "these packages are missing and need root to install: ${missing[*]}. Install them, or run this once as root."
    as_root=(sudo)
  fi
  export DEBIAN_FRONTEND=noninteractive
  # Two runs at once on one machine: apt waits for the other's lock.
  apt=("${as_root[@]}" apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  "${apt[@]}" update >"${TMPDIR:-/tmp}/afterimage-apt.$$" 2>&1 || { tail -n 3 "${TMPDIR:-/tmp}/afterimage-apt.$$" >&2; rm -f "${TMPDIR:-/tmp}/afterimage-apt.$$"; fail "the package lists could not be fetched (see above). Check the network and the package sources."; }
  "${apt[@]}" install --no-install-recommends "${missing[@]}" >"${TMPDIR:-/tmp}/afterimage-apt.$$" 2>&1 || { tail -n 5 "${TMPDIR:-/tmp}/afterimage-apt.$$" >&2; rm -f "${TMPDIR:-/tmp}/afterimage-apt.$$"; fail "these packages could not be installed: ${missing[*]} (see above)."; }
  rm -f "${TMPDIR:-/tmp}/afterimage-apt.$$"
fi

mkdir -p "$build" || fail "the build folder $build cannot be made. Set BUILD_DIR to one you can write."
exec 9>"$build/.prepare.lock"
flock 9  # two at once in one clone: the second finds everything built
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
echo "prepare: building in $build"
cmake -S "$top" -B "$build" -G Ninja "${launcher[@]}" >"$build/configure.log" 2>&1 || { tail -n 15 "$build/configure.log" >&2; fail "the build could not be configured (see above and $build/configure.log)."; }
read -ra targets <<<"${BUILD_TARGETS:-all}"  # demo.sh needs no tests
cmake --build "$build" --target "${targets[@]}" >"$build/build.log" 2>&1 || { grep -E -m 20 'error|FAILED|fatal' "$build/build.log" >&2 || tail -n 20 "$build/build.log" >&2; fail "the build failed (see above and $build/build.log)."; }
echo "prepare: built"
