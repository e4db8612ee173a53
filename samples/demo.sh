#!/usr/bin/env bash
# A mainframe guest loses its site and comes up at the other one. Both sites run on this machine, on loopback:
#   site A: Hercules with the *bank* guest writing dependent records to three volumes, and the primary data mover;
#   site B: the secondary data mover, journal and copies of the volumes.
# At a random moment everything at site A is killed. Site B notices, recovers, says exactly what is missing; then a second Hercules IPLs
# the *audit* guest on the recovered volumes, which checks every record and the rule "commit implies data implies log".
# Usage: samples/demo.sh [--keep] [--seed N]   Ends with 0 only if every check held. --keep leaves everything for a look.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$top/build}
keep= seed=$RANDOM
while (($#)); do
  case $1 in
    --keep) keep=1 ;;
    --seed) seed=${2:?"demo: --seed needs a number"}; shift ;;
    *) echo "demo: unknown option '$1'. Use samples/demo.sh [--keep] [--seed N]." >&2; exit 8 ;;
  esac
  shift
done
RANDOM=$seed

BUILD_TARGETS="dsmd dsm dsmchan" bash "$top/samples/prepare.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/afterimage-demo.XXXXXX")
declare -A pids=()
began=$SECONDS
step() { printf '\n[%3d s] %s\n' $((SECONDS - began)) "$*"; }
show() { sed 's/^/          /'; }

finish() {
  local rc=$?
  trap - EXIT INT TERM
  destroy "${!pids[@]}"
  "$build/service/dsm" storage remove --config "$work/afterimage.xml" >/dev/null 2>&1 || true
  if [[ -n $keep ]]; then echo; echo "Everything is left in $work"; else rm -rf "$work"; fi
  exit "$rc"
}
trap finish EXIT
trap 'exit 130' INT TERM
fail() { echo; echo "demo: FAILED: $*" >&2; for log in "$work"/*.log; do echo "--- ${log##*/}" >&2; tail -n 12 "$log" >&2; done; exit 1; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds
wait_for() {
  local limit=$1 what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || fail "$what did not happen within $limit s"
    sleep 0.1
  done
}
in_log() { grep -qE "$2" "$work/$1.log"; }
dsm() { local site=$1; shift; "$build/service/dsm" --config "$work/afterimage.xml" --site "$site" "$@"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# The process just started, by name; the shell is not to announce its end.
keep_track() { pids[$1]=$!; disown "$!"; }
# destroy NAME...: SIGKILL, and gone when it returns
destroy() {
  local name
  for name in "$@"; do kill -KILL "${pids[$name]}" 2>/dev/null || true; done
  for name in "$@"; do while kill -0 "${pids[$name]}" 2>/dev/null; do sleep 0.02; done; done
}
# hercules_at NAME CNF: starts Hercules without a terminal; commands go to $work/NAME.in, its console is $work/NAME.log
hercules_at() {
  local name=$1
  mkfifo "$work/$name.in"
  (cd "$work/$name" && exec env AFTERIMAGE_PLEX="$plex" AFTERIMAGE_SYSTEM=SYSA hercules -d -f "$2") <>"$work/$name.in" >"$work/$name.log" 2>&1 &
  keep_track "$name"
}
operator() { local name=$1; shift; printf '%s\n' "$*" >"$work/$name.in"; }  # a command at that Hercules's console
field() { dsm SITEA storage display | grep -oE "\b$1=[0-9]+" | cut -d= -f2 | head -n 1; }
# True while a token is numbered and its bytes are not yet in the volume's file: what a sudden end leaves half done.
mid_write() { dsm SITEA storage display | awk 'match($0, / LAST=[0-9]+/) { l = substr($0, RSTART + 6, RLENGTH - 6); match($0, / FLUSHED=[0-9]+/); f = substr($0, RSTART + 9, RLENGTH - 9); if (l + 0 > f + 0) found = 1 } END { exit !found }'; }

step "Preparing two sites in $work (seed $seed)"
plex=D$(printf '%07d' $(($$ % 10000000)))
mkdir "$work/sitea" "$work/siteb"
bash "$top/samples/make-test-ca.sh" "$work/ca" SITEA.DSMLU SITEB.DSMLU >"$work/ca.log" 2>&1 || fail "the test certificates could not be made"
bash "$top/samples/make-bank-volumes.sh" "$work/sitea" >"$work/volumes.log" 2>&1 || fail "the volumes could not be made"
cp "$work"/sitea/*.ckd "$work/siteb/"  # equal at the start
for guest in bank audit; do bash "$top/samples/build-guest.sh" "$guest" --define RATE=1500 "$work/$guest" >"$work/$guest-build.log" 2>&1 || fail "the $guest guest could not be built"; done
sed -e "s/@PLEX@/$plex/" -e "s/@PORT_A@/$(free_port)/" -e "s/@PORT_B@/$(free_port)/" "$top/samples/demo.xml" >"$work/afterimage.xml"
dsm SITEA check | show

step "Starting the data movers (S DSM at both sites)"
"$build/service/dsmd" --config "$work/afterimage.xml" --site SITEB >"$work/dsmd-b.log" 2>&1 &
keep_track dsmd-b
"$build/service/dsmd" --config "$work/afterimage.xml" --site SITEA >"$work/dsmd-a.log" 2>&1 &
keep_track dsmd-a
wait_for 15 "dsmd at site B" in_log dsmd-b DSMM100I
wait_for 15 "dsmd at site A" in_log dsmd-a DSMM100I

step "Starting Hercules at site A with the module, and the session: XSTART"
sed -e "s#@MODULE@#$build/channel/dsmchan.so#" -e "s#@DECK@#$work/bank#" "$top/samples/demo-hercules.cnf" >"$work/sitea/hercules.cnf"
hercules_at sitea "$work/sitea/hercules.cnf"
for volume in BKLOG1 BKDB01 BKCMT1; do wait_for 20 "the opening of volume $volume" in_log sitea "DSMC.*$volume"; done
dsm SITEA 'F DSM,XSTART DEMO COMPARE(YES)' | show
wait_for 60 "the comparison of the volumes" in_log dsmd-a DSMM121I
grep -h DSMM121I "$work/dsmd-a.log" | show

step "IPL of bank: log, then data base, then commit; several transactions in flight"
operator sitea "ipl 000c"
wait_for 60 "bank's first commits" in_log sitea 'BANK.*COMMITTED'
pause=$(python3 -c "import random; print(round(random.Random($seed).uniform(4, 12), 3))")
sleep "$pause"
dsm SITEA 'F DSM,XQUERY DEMO' | show

step "Disaster: site A dies piece by piece, and what is left of it is killed (SIGKILL)"
# The guest stands still in the middle of a write, so the data mover has sent a token whose data it may not send yet (between A and B);
# then the mover stands still and the guest goes on for a moment, which nobody will ever hear of (beyond B).
for ((try = 0; try < 400; ++try)); do
  kill -STOP "${pids[sitea]}"
  mid_write && break
  kill -CONT "${pids[sitea]}"
done
sleep 0.3
kill -STOP "${pids[dsmd-a]}"
kill -CONT "${pids[sitea]}"
sleep 0.1
destroy sitea dsmd-a
killed=$SECONDS
grep -oE 'BANK.*COMMITTED.*' "$work/sitea.log" | tail -n 1 | sed 's/^/          last heard from the guest: /'

wait_for 30 "site B's notice of the loss" in_log dsmd-b DSMA101E
wait_for 60 "the recovery at site B" in_log dsmd-b DSMM141I
step "Site B has recovered"
grep -hE 'DSMA101E|DSMM14[0-9]I' "$work/dsmd-b.log" | show
report=$(ls "$work"/siteb/loss-report.*.txt)
head -n 14 "$report" | show
acked=$(field ACKNOWLEDGED)
numbered=$(field NUMBERED)

step "A second Hercules, at site B, IPLs audit on the recovered volumes"
dsm SITEB recovery-config DEMO --from "$work/sitea/hercules.cnf" --output "$work/siteb/hercules.cnf" | show
sed -i -e "s#$work/bank#$work/audit#" -e '/dsmchan/d' "$work/siteb/hercules.cnf"
hercules_at siteb "$work/siteb/hercules.cnf"
wait_for 20 "Hercules at site B" in_log siteb HHCDG001I
operator siteb "ipl 000c"
wait_for 60 "audit's verdict" in_log siteb 'AUDIT (PASSED|FAILED)'
verdict=$(grep -oE 'AUDIT (PASSED|FAILED).*' "$work/siteb.log" | head -n 1)
recovered=$((SECONDS - killed))

point_a=$(sed -n 's/.*POINT A[^0-9]*\([0-9][0-9]*\).*/\1/p' "$report" | head -n 1)
point_b=$(sed -n 's/.*POINT B[^0-9]*\([0-9][0-9]*\).*/\1/p' "$report" | head -n 1)
step "Summary"
cat <<SUMMARY
          writes numbered at site A          $numbered   (read from site A's common storage: site B cannot know it)
          recovered up to (A)                $point_a
          known to be lost (A+1 .. B)        $((point_b - point_a))   (listed one by one in the loss report)
          lost beyond B                      $((numbered - point_b))
          durably acknowledged before        $acked   (A must not be below it)
          audit                              $verdict
          from the kill to the verdict       $recovered s
SUMMARY
[[ $verdict == "AUDIT PASSED"* ]] || fail "the audit of the recovered volumes"
((point_a >= acked)) || fail "the recovery stopped at $point_a, below the acknowledged $acked"
((point_a <= point_b && point_b <= numbered)) || fail "the points A=$point_a B=$point_b and the last number $numbered are out of order"
echo
echo "DEMO PASSED"
