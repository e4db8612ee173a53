#!/bin/sh
# io: assembles a guest program into an IPL deck for a card reader of Hercules.
set -eu

usage() {
    echo "usage: build-guest.sh bank|audit|writer [--arch z|370] [--define SYMBOL=VALUE]... OUT" >&2
    exit 2
}

die() {
    echo "build-guest.sh: $1" >&2
    exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
tools=${S390_TOOLS:-s390x-linux-gnu-}
arch=z
defines=
program=
out=
while [ $# -gt 0 ]; do
    case $1 in
    --arch)
        [ $# -ge 2 ] || usage
        arch=$2
        shift
        ;;
    --define)
        [ $# -ge 2 ] || usage
        case $2 in
        [A-Z]*=[0-9]*) defines="$defines --defsym $2" ;;
        *) die "--define $2: expected SYMBOL=NUMBER, for example RATE=500" ;;
        esac
        shift
        ;;
    -*) usage ;;
    *)
        if [ -z "$program" ]; then program=$1; elif [ -z "$out" ]; then out=$1; else usage; fi
        ;;
    esac
    shift
done
[ -n "$out" ] || usage
case $program in bank | audit | writer) ;; *) die "no program named $program: it is bank, audit or writer" ;; esac
case $arch in
z) ;;
370) defines="$defines --defsym S370=1" ;;
*) die "--arch $arch: it is z or 370" ;;
esac
command -v "${tools}as" >/dev/null || die "${tools}as is missing: install the package binutils-s390x-linux-gnu"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# assemble NAME: NAME.S becomes the loadable image NAME.bin.
assemble() {
    # shellcheck disable=SC2086
    "${tools}as" -m31 -march=g5 $defines -I "$here" -I "$work" -o "$work/$1.o" "$here/$1.S"
    "${tools}ld" -m elf_s390 -e 0 -Ttext 0 -o "$work/$1.elf" "$work/$1.o"
    "${tools}objcopy" -O binary -j .text "$work/$1.elf" "$work/$1.all"
    tail -c +8193 "$work/$1.all" >"$work/$1.bin"
}

[ "$program" != bank ] || assemble audit
assemble "$program"
cp "$work/$program.bin" "$work/program.bin"
length=$(wc -c <"$work/program.bin")
deck_arch=
[ "$arch" != 370 ] || deck_arch="--defsym S370=1"
# shellcheck disable=SC2086
"${tools}as" -m31 $deck_arch --defsym MAIN_AT=8192 --defsym DECK_LENGTH="$length" -I "$work" -o "$work/deck.o" "$here/guest_deck.S"
"${tools}objcopy" -O binary -j .text "$work/deck.o" "$work/deck"
cp "$work/deck" "$out"
