#!/usr/bin/env bash
# Faults on real processes: tests/faults/run.sh check|ci|soak [SECONDS]. Uses the normal build (AFTERIMAGE_BUILD; default TOP/build), two
# plants at once. Ends with 0 only if everything held; prints its figures as FIGURE|what|asked|reached|seconds. The seed is the commit's
# (tests/seed.sh), fresh ones for soak; AFTERIMAGE_SEED repeats a run.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
regime=${1:-check}
seed=(--seed "${AFTERIMAGE_SEED:-$("$here/../seed.sh" "$([[ $regime == soak ]] && echo --fresh || echo faults)")}")
faults() { python3 "$here/faults.py" "${seed[@]}" "$@"; }
case $regime in
  check) python3 "$here/page_cache_test.py" && faults --faults 10 ;;
  ci) python3 "$here/page_cache_test.py" && faults --faults 60 ;;
  # Whether the planted bug shows depends on what the kernel had written by then: it has its hunt where there is time for another try.
  soak) faults --canary && faults --faults 1000 --seconds "${2:-3600}" ;;
  *) echo "faults: unknown regime '$regime'. Use check, ci or soak [SECONDS]." >&2; exit 8 ;;
esac
