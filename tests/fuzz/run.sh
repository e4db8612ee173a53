#!/usr/bin/env bash
# Fuzzers: tests/fuzz/run.sh check|ci|soak [SECONDS]|grow [SECONDS]. Prints its figures; ends with 0 only if everything held.
#   check  the corpora, and some seeded mutations of them, with the normal build
#   ci     a million inputs of each target with libFuzzer (variant `fuzz`: clang, AddressSanitizer, UndefinedBehaviorSanitizer); XML 50,000;
#          and the bugs planted in what they cover must be found (variant `proof`)
#   soak   20 million of each, XML a million, or what the seconds allow, with fresh seeds
#   grow   looks further for SECONDS a target and keeps in corpus/ the few inputs that together reach everything
# In ci the same tree tries the same inputs everywhere: libFuzzer's choices depend on addresses, so those are fixed, and on what it reads again
# from its folder by the clock. What fails there fails again with the command that is printed.
# Without clang (packages clang and libclang-rt-14-dev) ci and soak say so and use the seeded mutations of the normal build.
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export AFTERIMAGE_BUILD=${AFTERIMAGE_BUILD:-$top/build}
regime=${1:-check}
seconds=${2:-600}
seed=${SEED:-}
corpus=$top/tests/fuzz/corpus
# The slow ones first, so that two at a time end together.
targets=(config capture journal secondary message state_files session_frames track command)
cd "$top" || exit 8
case $regime in check | ci | soak | grow) ;; *) echo "usage: tests/fuzz/run.sh check|ci|soak [SECONDS]|grow [SECONDS]" >&2; exit 8 ;; esac
present=()
for target in "${targets[@]}"; do [[ -f tests/fuzz/fuzz_$target.cpp ]] && present+=("$target"); done
targets=("${present[@]}")
found=$AFTERIMAGE_BUILD/fuzz-found  # what failed stays here
work=$(mktemp -d "${TMPDIR:-/tmp}/afterimage-fuzz.XXXXXX") || exit 8
trap 'rm -rf "$work"' EXIT
mkdir -p "$found"
now_ms() { echo $(($(date +%s%N) / 1000000)); }
dictionary() { local file=$top/tests/fuzz/dictionaries/$1.dict; [[ -f $file ]] && echo "$file"; }

# Programs of steps are short, so that a million of them are many different ones.
longest() { case $1 in capture | journal | secondary) echo 256 ;; config) echo 2048 ;; command) echo 270 ;; *) echo 1024 ;; esac; }

# figure TARGET ASKED REACHED BEGAN_MS
figure() { printf 'FIGURE|fuzz: %s|%s|%s|%s\n' "$1" "$2" "$3" "$((($(now_ms) - $4 + 500) / 1000))"; }

# seeded TARGET RUNS: corpus and seeded mutations with the normal build.
seeded() {
  local target=$1 runs=$2 began out rc files options=()
  began=$(now_ms)
  files=$(find "$corpus/$target" -type f | wc -l)
  [[ $(dictionary "$target") ]] && options=(--dictionary "$(dictionary "$target")")
  out=$("$AFTERIMAGE_BUILD/tests/fuzz/fuzz_$target" --corpus "$corpus/$target" --runs "$runs" --seed "${seed:-1}" --artifacts "$found" "${options[@]}" 2>&1)
  rc=$?
  if ((rc != 0)); then
    printf '%s\n' "$out" >&2
    figure "$target" "corpus and $runs mutations" "FAILED ($rc)" "$began"
    return 1
  fi
  figure "$target" "corpus and $runs mutations" "$files files and $runs mutations, 0 failures" "$began"
}

same_addresses=(setarch "$(uname -m)" --addr-no-randomize)
"${same_addresses[@]}" true 2>/dev/null || same_addresses=()  # forbidden in some containers

# libfuzzer TARGET RUNS SECONDS(0: no limit)
libfuzzer() {
  local target=$1 runs=$2 limit=$3 began log=$work/$1.log reached options=()
  began=$(now_ms)
  [[ $(dictionary "$target") ]] && options=(-dict="$(dictionary "$target")")
  ((limit > 0)) && options+=(-max_total_time="$limit")
  mkdir -p "$work/$target"
  "${same_addresses[@]}" "$variant/tests/fuzz/fuzz_$target" -runs="$runs" -reload=0 -seed="${seed:-1}" -max_len="$(longest "$target")" -timeout=20 -entropic=0 -rss_limit_mb=2048 -malloc_limit_mb=64 \
    -print_final_stats=1 -artifact_prefix="$found/$target-" "${options[@]}" "$work/$target" "$corpus/$target" >"$log" 2>&1
  local rc=$?
  reached=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
  reached=${reached:-$(grep -c . "$log") lines of output}
  if ((rc != 0)) || ((limit == 0 && ${reached%% *} < runs)); then
    grep -vE '^#[0-9]+|NEW_FUNC|^INFO' "$log" | tail -n 40 >&2
    local file
    file=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    [[ $file ]] && echo "fuzz: $target fails with this input (base64): $(base64 -w 0 "$file")" >&2
    echo "fuzz: repeat with: $variant/tests/fuzz/fuzz_$target ${file:-} (from: tests/fuzz/run.sh $regime, SEED=${seed:-1})" >&2
    figure "$target" "$runs executions" "$reached, then FAILED ($rc)" "$began"
    return 1
  fi
  local took=$((($(now_ms) - began + 999) / 1000))
  figure "$target" "$runs executions" "$reached, 0 failures, $((reached / (took > 0 ? took : 1)))/s" "$began"
}

# two_at_a_time FUNCTION: for each target with its arguments from arguments_of; fails if any did.
two_at_a_time() {
  local target rc=0 running=0
  for target in "${targets[@]}"; do
    if ((running == 2)); then
      wait -n || rc=1
      running=$((running - 1))
    fi
    # shellcheck disable=SC2046
    "$1" "$target" $(arguments_of "$target") &
    running=$((running + 1))
  done
  while ((running > 0)); do
    wait -n || rc=1
    running=$((running - 1))
  done
  return "$rc"
}

have_clang() {
  command -v clang++ >/dev/null && echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
    clang++ -x c++ - -fsanitize=fuzzer,address,undefined -o "$work/probe" 2>/dev/null
}

if [[ $regime == check ]]; then
  arguments_of() { if [[ $1 == config ]]; then echo 100; else echo 5000; fi; }
  two_at_a_time seeded
  exit
fi

# Shows that the targets can fail: each bug planted in what a target covers (serializer/canary.h) must be found by its seeded mutations.
planted() {
  local proof began pair target bug asked=0 caught=0 rc options bad=0
  began=$(now_ms)
  local pairs=(capture:{BoundaryInsideCcw,RangesJoinedOverGap,SlotReusedEarly,ChunkFreedEarly,FreedOneTooMany,StampNotRising,CutOneTooLow,ChangeNotRecorded,FreezeLetsWritesPass}
    message:MessageChecksumSkipped journal:{JournalNotSynced,JournalChecksumSkipped} state_files:{OtherCheckpointIgnored,ReleasedOneCheckpointEarly} session_frames:GapAccepted secondary:{AcknowledgeBeforeSync,ApplyBeforeSync,ApplyPastA,PointBOneTooLow,DuplicateTaken})
  proof=$(tests/variant.sh proof fuzz_capture fuzz_message fuzz_journal fuzz_state_files fuzz_session_frames fuzz_secondary) || return 1
  for pair in "${pairs[@]}"; do
    target=${pair%%:*} bug=${pair#*:} asked=$((asked + 1)) options=()
    [[ $(dictionary "$target") ]] && options=(--dictionary "$(dictionary "$target")")
    "$proof/tests/fuzz/fuzz_$target" --canary "$bug" --corpus "$corpus/$target" --runs 200000 --seed "${seed:-1}" --artifacts "$work" "${options[@]}" >"$work/planted.log" 2>&1
    rc=$?
    if ((rc == 77)); then
      caught=$((caught + 1))
    else
      bad=1
      echo "fuzz: the planted bug $bug is not found by $target ($rc): repeat with: $proof/tests/fuzz/fuzz_$target --canary $bug --corpus $corpus/$target --runs 200000 --seed ${seed:-1}" >&2
    fi
  done
  figure "planted bugs found by the targets" "$asked" "$caught" "$began"
  return "$bad"
}

began_s=$SECONDS
if ! have_clang; then
  [[ $regime == grow ]] && { echo "fuzz: grow needs clang and libclang-rt-14-dev: install them." >&2; exit 8; }
  echo "fuzz: clang with libFuzzer is not here (packages clang and libclang-rt-14-dev): seeded mutations of the normal build instead"
  arguments_of() { if [[ $1 == config ]]; then echo 50000; else echo 1000000; fi; }
  two_at_a_time seeded
  rc=$?
  planted || rc=1
  exit "$rc"
fi
variant=$(tests/variant.sh fuzz "${targets[@]/#/fuzz_}") || exit 8
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=8:malloc_context_size=3:max_malloc_fill_size=0} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

case $regime in
  ci)
    # The secondary's core is not in the million: each input is a life of it.
    arguments_of() { case $1 in config) echo 50000 0 ;; secondary) echo 10000 0 ;; *) echo 1000000 0 ;; esac; }
    two_at_a_time libfuzzer
    rc=$?
    planted || rc=1
    exit "$rc"
    ;;
  soak)
    seed=${seed:-$((RANDOM * 32768 + RANDOM))}
    left=$((seconds - (SECONDS - began_s)))
    each=$((2 * left / ${#targets[@]}))
    arguments_of() { if [[ $1 == config ]]; then echo 1000000 "$((each > 0 ? each : 1))"; else echo 20000000 "$((each > 0 ? each : 1))"; fi; }
    two_at_a_time libfuzzer
    ;;
  grow)
    "$AFTERIMAGE_BUILD/tests/fuzz/fuzz_corpus" "$work/seeds" || exit 8
    grow_one() {
      local target=$1 program=$variant/tests/fuzz/fuzz_$1 options=() file
      [[ $(dictionary "$target") ]] && options=(-dict="$(dictionary "$target")")
      mkdir -p "$work/grown/$target" "$work/kept/$target" "$corpus/$target"
      "$program" -max_total_time="$seconds" -max_len=1024 -timeout=20 -artifact_prefix="$found/$target-" "${options[@]}" "$work/grown/$target" \
        "$corpus/$target" "$work/seeds/$target" >"$work/$target.log" 2>&1 || { tail -n 30 "$work/$target.log" >&2; return 1; }
      # By edges alone; what was found or made by hand stays.
      "$program" -merge=1 -max_len=4096 -use_value_profile=0 "$work/kept/$target" "$work/seeds/$target" "$corpus/$target" "$work/grown/$target" >>"$work/$target.log" 2>&1 ||
        { tail -n 30 "$work/$target.log" >&2; return 1; }
      find "$corpus/$target" -type f ! -name 'found-*' ! -name 'seed-*' -delete
      cp "$work/seeds/$target"/* "$corpus/$target/"
      find "$work/kept/$target" -type f -size -8 -printf '%s %p\n' | sort -n | cut -d' ' -f2- | while IFS= read -r file; do
        [[ $(find "$corpus/$target" -type f | wc -l) -lt 40 ]] && cp "$file" "$corpus/$target/grown-$(basename "$file" | cut -c1-12)"
      done
      echo "$target: $(find "$work/kept/$target" -type f | wc -l) reach everything, $(find "$corpus/$target" -type f | wc -l) kept"
    }
    arguments_of() { :; }
    two_at_a_time grow_one
    ;;
esac
