#!/bin/sh
# io: makes the three empty volumes of the bank with dasdinit.
set -eu

usage() {
    echo "usage: make-bank-volumes.sh DIR [--arch z|370] [--cylinders N]" >&2
    exit 2
}

dir=
arch=z
cylinders=20
while [ $# -gt 0 ]; do
    case $1 in
    --arch)
        [ $# -ge 2 ] || usage
        arch=$2
        shift
        ;;
    --cylinders)
        [ $# -ge 2 ] || usage
        cylinders=$2
        shift
        ;;
    -*) usage ;;
    *)
        [ -z "$dir" ] || usage
        dir=$1
        ;;
    esac
    shift
done
[ -n "$dir" ] || usage
case $arch in
z) type=3390 ;;
370) type=3350 ;;
*)
    echo "make-bank-volumes.sh: --arch $arch: it is z or 370" >&2
    exit 1
    ;;
esac
command -v dasdinit >/dev/null || {
    echo "make-bank-volumes.sh: dasdinit is missing: install the package hercules" >&2
    exit 1
}
mkdir -p "$dir"
for volser in BKLOG1 BKDB01 BKCMT1; do
    if [ -e "$dir/$volser.ckd" ]; then
        echo "make-bank-volumes.sh: $dir/$volser.ckd exists: remove it, or name another directory" >&2
        exit 1
    fi
done
for volser in BKLOG1 BKDB01 BKCMT1; do
    dasdinit "$dir/$volser.ckd" "$type" "$volser" "$cylinders" >"$dir/dasdinit.log" 2>&1 || {
        cat "$dir/dasdinit.log" >&2
        rm -f "$dir/$volser.ckd"
        exit 1
    }
done
rm -f "$dir/dasdinit.log"
