#!/usr/bin/env bash
# Builds programs in a variant of the build, each in its own folder under the build folder: tests/variant.sh NAME TARGET...
#   proof     planted bugs compiled in (off until a test switches one on), for the simulator and the crash points
#   asan      the same under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan      under ThreadSanitizer
#   fuzz      clang, libFuzzer and AddressSanitizer
#   coverage  clang, branches counted
# Prints the variant's folder. Safe for two at once.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${AFTERIMAGE_BUILD:-${BUILD_DIR:-$top/build}}
name=${1:-}
shift || true
flags=(-DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -g1 -DNDEBUG")
case $name in
  proof) flags+=(-DAFTERIMAGE_CANARIES=ON) ;;
  asan) flags=(-DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1 -DNDEBUG" -DAFTERIMAGE_CANARIES=ON -DAFTERIMAGE_SANITIZE=address,undefined) ;;
  tsan) flags+=(-DAFTERIMAGE_SANITIZE=thread) ;;
  fuzz) flags+=(-DAFTERIMAGE_FUZZ=ON -DAFTERIMAGE_SANITIZE=address -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++) ;;
  coverage) flags=(-DAFTERIMAGE_COVERAGE=ON -DCMAKE_BUILD_TYPE=Coverage -DCMAKE_CXX_FLAGS_COVERAGE=-O1 -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++) ;;
  *) echo "variant: unknown variant '$name'. Use proof, asan, tsan, fuzz or coverage." >&2; exit 8 ;;
esac
folder=$build/variant-$name
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
cmake -S "$top" -B "$folder" -G Ninja "${launcher[@]}" "${flags[@]}" >"$folder/configure.log" 2>&1 || { tail -n 15 "$folder/configure.log" >&2; echo "variant: $name could not be configured" >&2; exit 8; }
cmake --build "$folder" --target "$@" >"$folder/build.log" 2>&1 || { grep -E -m 20 'error|FAILED|fatal' "$folder/build.log" >&2 || tail -n 20 "$folder/build.log" >&2; echo "variant: $name could not be built" >&2; exit 8; }
echo "$folder"
