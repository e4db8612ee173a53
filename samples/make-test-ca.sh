#!/bin/sh
# Makes a test certificate authority and, for each LU, a certificate and key that Afterimage accepts (EC P-256, the LU's name as
# subjectAltName URI lu:NAME). What is already there and fits is kept, so it can be run again to add an LU. For tests and trials:
# the authority's own key lies beside the others. Usage: make-test-ca.sh DIR LU [LU...]
set -eu
LC_ALL=C
export LC_ALL
umask 077
days=3650
# Valid from yesterday, as small authorities do it: the clocks of two sites differ, and a partner whose clock is behind would find a
# certificate made just now not yet valid.
back_s=86400

refuse() {
  echo "make-test-ca.sh: $1" >&2
  exit 8
}

check_name() {
  case $1 in *[!A-Z0-9@#$.]*) refuse "'$1' has characters that an LU name cannot have; it is made of A-Z 0-9 @ # \$ and one period." ;; esac
  echo "$1" | grep -Eqx '([A-Z@#$][A-Z0-9@#$]{0,7}\.)?[A-Z@#$][A-Z0-9@#$]{0,7}' ||
    refuse "'$1' is not an LU name; write NAME or NETID.NAME, each 1 to 8 of A-Z 0-9 @ # \$ with no digit first."
}

# make_key FILE: an EC P-256 key, in place only when it is whole.
make_key() {
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.new" 2>"$work/err" ||
    refuse "OpenSSL could not make the key $1: $(tail -n 1 "$work/err")"
  chmod 600 "$1.new"
  mv "$1.new" "$1"
}

# fits CERT KEY: the certificate is current and belongs to the key.
fits() {
  [ -s "$1" ] && [ -s "$2" ] && openssl x509 -in "$1" -noout -checkend 86400 >/dev/null 2>&1 &&
    [ "$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null)" = "$(openssl pkey -in "$2" -pubout 2>/dev/null)" ]
}

moment() { date -u -d "@$(($(date +%s) + $1))" +%Y%m%d%H%M%SZ; }

# sign REQUEST EXTENSIONS OUT OPTION...: by `openssl ca`, which alone can set both dates in OpenSSL 3.0.
sign() {
  request=$1 extensions=$2 out=$3
  shift 3
  : >"$work/index"
  openssl ca -batch -notext -config "$work/ca.cnf" -keyfile "$dir/ca.key.pem" -in "$request" -extfile "$extensions" -out "$out" \
    -startdate "$(moment -$back_s)" -enddate "$(moment $((days * 86400)))" "$@" 2>"$work/err"
}

make_authority() {
  if fits "$dir/ca.crt.pem" "$dir/ca.key.pem"; then
    echo "Kept the test authority $dir/ca.crt.pem."
    return
  fi
  make_key "$dir/ca.key.pem"
  cat >"$work/ext" <<EOF
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
EOF
  openssl req -new -config "$work/req.cnf" -key "$dir/ca.key.pem" -subj '/CN=Afterimage test authority' -out "$work/csr" 2>"$work/err" &&
    sign "$work/csr" "$work/ext" "$work/ca.crt" -selfsign ||
    refuse "OpenSSL could not make the authority in $dir: $(tail -n 1 "$work/err")"
  chmod 644 "$work/ca.crt"
  mv "$work/ca.crt" "$dir/ca.crt.pem"
  echo "Made the test authority $dir/ca.crt.pem (its key is $dir/ca.key.pem)."
}

make_certificate() {
  lu=$1
  certificate=$dir/$lu.crt.pem
  key=$dir/$lu.key.pem
  if fits "$certificate" "$key" && openssl verify -CAfile "$dir/ca.crt.pem" "$certificate" >/dev/null 2>&1 &&
    openssl x509 -in "$certificate" -noout -ext subjectAltName | grep -Fqx "    URI:lu:$lu"; then
    echo "Kept $certificate and $key."
    return
  fi
  make_key "$key"
  cat >"$work/ext" <<EOF
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=URI:lu:$(echo "$lu" | sed 's/[#$]/\\&/g')
EOF
  if ! openssl req -new -config "$work/req.cnf" -key "$key" -subj "/CN=$lu" -out "$work/csr" 2>"$work/err" ||
    ! sign "$work/csr" "$work/ext" "$work/crt" -cert "$dir/ca.crt.pem"; then
    refuse "OpenSSL could not make the certificate of $lu: $(tail -n 1 "$work/err")"
  fi
  chmod 644 "$work/crt"
  mv "$work/crt" "$certificate"
  echo "Made $certificate and $key for LU $lu."
}

[ $# -ge 2 ] || refuse "usage: make-test-ca.sh DIR LU [LU...], for example make-test-ca.sh certs SITEA.DSMLU SITEB.DSMLU."
command -v openssl >/dev/null || refuse "the openssl command is not installed; install the package openssl."
dir=$1
shift
for lu in "$@"; do check_name "$lu"; done
mkdir -p "$dir" 2>/dev/null || refuse "the directory $dir cannot be made; choose one you may write to."
[ -w "$dir" ] || refuse "the directory $dir cannot be written to; choose another or change its permissions."
work=$(mktemp -d "$dir/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 8' HUP INT TERM

# Configurations of its own: the machine's openssl.cnf may differ.
printf '[req]\ndistinguished_name=name\n[name]\n' >"$work/req.cnf"
in_cnf=$(printf '%s' "$work" | sed 's/[\\#$]/\\&/g')
cat >"$work/ca.cnf" <<EOF
[ca]
default_ca=test
[test]
database=$in_cnf/index
new_certs_dir=$in_cnf
rand_serial=yes
default_md=sha256
policy=any
[any]
commonName=supplied
EOF
make_authority
for lu in "$@"; do make_certificate "$lu"; done
