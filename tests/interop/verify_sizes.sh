#!/usr/bin/env bash
# Logs of the sizes given, written by the ledger's own writer in memory, verified by Go's checksum database, Sigstore's
# verifier, openssl and carnet itself.
# Usage: verify_sizes.sh MAKE_SIZES CARNET GO_CACHE SIZE... (ascending)
set -euo pipefail

readonly MAKE_SIZES="$1" CARNET="$2" GO_CACHE="$3"
shift 3
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
parent=/dev/shm
[[ -d $parent && -w $parent ]] || parent="${TMPDIR:-/tmp}"
work="$(mktemp -d -p "$parent" carnet-sizes-XXXXXX)"
trap 'rm -rf "$work"' EXIT

"$MAKE_SIZES" "$work" "$@"
logs=()
for size in "$@"; do
  logs+=("$work/$size")
done
cd "$here"
GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' GOCACHE="$GO_CACHE" /usr/bin/go run verify_tlog.go head.go "${logs[@]}"
node verify_bundles.js "${logs[@]}"
./verify_head.sh "${logs[@]}"

largest="${logs[-1]}"
since=()
for size in "$@"; do
  log="$work/$size"
  "$CARNET" ledger verify "$log/tiles" --trust "$largest/trust.policy" ${since[@]+"${since[@]}"}
  since+=(--since "$log/tiles/checkpoint")
done
