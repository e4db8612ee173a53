# Sourced by check.sh and soak.sh: runs stages with a budget, collects the FIGURE lines they print, and tells it all in one table at the end.
# A stage is any command; a line FIGURE|what|asked|reached|seconds of its output goes into the table.
passed=0 failed=0
declare -a failures=() stage_lines=() figure_lines=() failure_tails=()
SECONDS_IN_STAGE=0

stage() {  # stage NAME BUDGET_SECONDS COMMAND...
  local name=$1 budget=$2 began=$SECONDS rc=0 over="" result took line output
  shift 2
  echo "=== $name (budget ${budget} s)"
  output=$(mktemp "${TMPDIR:-/tmp}/afterimage-stage.XXXXXX") || return 8
  SECONDS_IN_STAGE=0
  "$@" 2>&1 | tee "$output"
  rc=${PIPESTATUS[0]}
  took=$((SECONDS - began))
  while IFS= read -r line; do figure_lines+=("${line#FIGURE|}"); done < <(grep '^FIGURE|' "$output")
  ((rc != 0)) && failure_tails+=("$(grep -v '^FIGURE|' "$output" | tail -n 60)")
  rm -f "$output"
  ((took > budget)) && over=", over its budget"
  if ((rc == 0)); then passed=$((passed + 1)) result=passed; else failed=$((failed + 1)) failures+=("$name") result="FAILED ($rc)"; fi
  echo "=== $name: $result in ${took} s (budget ${budget} s)${over}"
  stage_lines+=("$(printf '%-28s %6s s of %4s s  %s%s' "$name" "$took" "$budget" "$result" "$over")")
  return "$rc"
}

stages_end() {  # prints the tables; its return code is the whole run's
  local line what asked reached seconds i
  if ((${#figure_lines[@]})); then
    echo
    printf '%-44s %-22s %-60s %s\n' figure asked reached seconds
    for line in "${figure_lines[@]}"; do
      IFS='|' read -r what asked reached seconds <<<"$line"
      printf '%-44s %-22s %-60s %s\n' "$what" "$asked" "$reached" "$seconds"
    done
  fi
  echo
  printf '%s\n' "${stage_lines[@]}"
  # Once more at the end: of a long output often only the end is kept.
  for ((i = 0; i < failed; ++i)); do
    printf '\n=== the end of what the failed stage "%s" printed\n%s\n' "${failures[i]}" "${failure_tails[i]}"
  done
  ((failed)) && printf 'check: failed: %s\n' "${failures[@]}"
  echo "check: took ${SECONDS} s"
  echo "$passed passed, $failed failed"
  ((failed == 0))
}
