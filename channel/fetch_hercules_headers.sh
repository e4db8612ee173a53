#!/bin/sh
# io: makes a configured Hercules 3.13 source tree at DEST, for its headers, from the distribution's source tarball.
# usage: fetch_hercules_headers.sh DEST
# Uses the machine's own package sources (deb turned to deb-src) in lists of its own: the machine's apt set-up is not changed, and root is not
# needed. Does nothing when DEST is already complete. On failure it says so in one sentence and leaves no half-made DEST.
set -eu

tarball=hercules_3.13.orig.tar.gz
digest=890c57c558d58708e55828ae299245bd2763318acf53e456a48aac883ecfe67d
remedy="Install apt and network access to the distribution's sources, or give a configured Hercules 3.13 source tree with -DAFTERIMAGE_HERCULES_SOURCE=DIR."

fail() {
  echo "fetch_hercules_headers.sh: $1 $remedy" >&2
  exit 8
}

[ $# -eq 1 ] || { echo "usage: fetch_hercules_headers.sh DEST" >&2; exit 8; }
dest=$1
if [ -f "$dest/config.h" ] && [ "$(cat "$dest/.afterimage_digest" 2>/dev/null)" = "$digest" ]; then
  touch "$dest/config.h"
  exit 0
fi

mkdir -p "$(dirname "$dest")" || fail "The folder of '$dest' cannot be made."
work=$(mktemp -d "$dest.XXXXXX") || fail "No temporary folder can be made beside '$dest'."
trap 'rm -rf "$work"' EXIT
trap 'exit 8' INT TERM HUP
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts"

# The one-line form: deb [options] uri suite components.
one_line_sources() {
  sed -n 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$1"
}
# The deb822 form: stanzas with Types, URIs, Suites ... ; each is repeated with Types: deb-src, unless it is disabled.
deb822_sources() {
  awk 'BEGIN { RS = ""; ORS = "\n\n" } !/(^|\n)Enabled:[ \t]*no/ && /(^|\n)Types:[^\n]*deb/ { gsub(/(^|\n)Types:[^\n]*/, "\nTypes: deb-src"); sub(/^\n/, ""); print }' "$1"
}
eval "$(apt-config shell main Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d 2>/dev/null)" || fail "apt-config does not run."
for file in "${main:-/etc/apt/sources.list}" "${parts:-/etc/apt/sources.list.d}"/*.list; do
  if [ -f "$file" ]; then one_line_sources "$file" >>"$work/parts/own.list"; fi
done
for file in "${parts:-/etc/apt/sources.list.d}"/*.sources; do
  if [ -f "$file" ]; then deb822_sources "$file" >>"$work/parts/own.sources"; fi
done

cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/parts";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
CONF
export APT_CONFIG="$work/apt.conf"
# One source that has no sources of packages, or cannot be reached, need not matter: whether hercules can be fetched decides.
apt-get -q update >"$work/log" 2>&1 || true
(cd "$work" && apt-get -q source --download-only --tar-only hercules) >>"$work/log" 2>&1 ||
  fail "The source of the package hercules cannot be fetched ($(grep -m1 '^[EW]:' "$work/log" || echo 'apt-get source failed'))."
[ -f "$work/$tarball" ] || fail "The distribution's hercules is not 3.13 (no $tarball), and this module is written for 3.13."
echo "$digest  $work/$tarball" | sha256sum -c - >/dev/null 2>&1 || fail "The tarball $tarball does not have the known SHA-256, so it is not used."

tar -xzf "$work/$tarball" -C "$work" || fail "The tarball $tarball cannot be unpacked."
(cd "$work/hercules-3.13" && ./configure) >>"$work/log" 2>&1 || fail "Hercules's configure failed ($(tail -n 1 "$work/log"))."
echo "$digest" >"$work/hercules-3.13/.afterimage_digest"
rm -rf "$dest"
mv "$work/hercules-3.13" "$dest"
