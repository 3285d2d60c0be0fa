#!/usr/bin/env bash
# Checks the head of an exported log with openssl alone, and that one flipped bit in it is refused.
# Usage: verify_head.sh DIR...; each DIR has tiles/checkpoint and log.vkey.
set -euo pipefail

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# verify BODY_FILE: whether the signature in $work/signature is the key's over it.
verify() {
  openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$1" -sigfile "$work/signature" \
    >/dev/null 2>&1
}

for dir in "$@"; do
  note="$dir/tiles/checkpoint"
  # A vkey is name+id+base64(0x01 || key); a key in DER is a fixed prefix and the key (RFC 8410).
  printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00' >"$work/key.der"
  cut -d+ -f3- "$dir/log.vkey" | base64 -d | tail -c 32 >>"$work/key.der"
  # The text ends before the empty line; the signature follows four bytes of key id.
  sed '/^$/,$d' "$note" >"$work/body"
  sed '1,/^$/d' "$note" | cut -d' ' -f3 | base64 -d | tail -c +5 >"$work/signature"
  verify "$work/body" || { echo "$dir: openssl refuses the head" >&2; exit 1; }
  tr '0123456789' '1234567890' <"$work/body" >"$work/changed"
  if verify "$work/changed"; then
    echo "$dir: openssl accepts a changed head" >&2
    exit 1
  fi
  echo "$dir: the head verifies, a changed one does not"
done
