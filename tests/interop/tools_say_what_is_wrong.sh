#!/usr/bin/env bash
# The auditor's commands over the fixture's logs: verdicts are exit codes (0 good, 1 bad evidence, 2 usage, 3 data missing,
# 4 misbehaviour), and the first bad record is named.
# Usage: tools_say_what_is_wrong.sh CARNET TRAINED LARGE
set -euo pipefail

readonly CARNET="$1" TRAINED="$2" LARGE="$3"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
checks=0

# expect CODE TEXT COMMAND...: the exit code, and a text in what it prints.
expect() {
  local code="$1" text="$2" status=0
  shift 2
  "$CARNET" "$@" >"$work/said" 2>&1 || status=$?
  if ((status != code)) || ! grep -qF -- "$text" "$work/said"; then
    echo "carnet $*: exit code $status, expected $code and '$text'" >&2
    cat "$work/said" >&2
    exit 1
  fi
  checks=$((checks + 1))
}

flip_last_byte() {
  local last
  last="$(tail -c 1 "$1" | od -An -tu1 | tr -d ' ')"
  truncate -s -1 "$1"
  # shellcheck disable=SC2059
  printf "\\x$(printf '%02x' $((last ^ 1)))" >>"$1"
}

# What the fixture's last model is made of.
printf 'model 2' >"$work/model"
printf 'model 3' >"$work/other"
manifest=(--manifest "$TRAINED/model.carnet" --trust "$TRAINED/trust.policy")
expect 0 'good: ' manifest verify "$work/model" "${manifest[@]}"
expect 0 '"verdict":"good"' manifest verify "$work/model" "${manifest[@]}" --json
expect 1 'found     SHA-256' manifest verify "$work/other" "${manifest[@]}"
sed 's|^log .*|log PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW|' "$TRAINED/trust.policy" \
  >"$work/other.policy"
expect 1 'head' manifest verify "$work/model" --manifest "$TRAINED/model.carnet" --trust "$work/other.policy"
expect 2 'trust policy' manifest verify "$work/model" --manifest "$TRAINED/model.carnet" --trust "$TRAINED/model.carnet"
expect 3 'does not exist' manifest verify "$work/model" --manifest "$work/none" --trust "$TRAINED/trust.policy"
expect 2 '' manifest verify "$work/model"
cp "$TRAINED/model.carnet" "$work/flipped.carnet"
flip_last_byte "$work/flipped.carnet"
expect 1 'manifest file' manifest verify "$work/model" --manifest "$work/flipped.carnet" --trust "$TRAINED/trust.policy"

for dir in "$TRAINED" "$LARGE"; do
  since=()
  for head in "$dir"/heads/*; do
    since+=(--since "$head")
  done
  expect 0 'good' ledger verify "$dir/tiles" --trust "$dir/trust.policy" "${since[@]}"
  expect 0 '"good":true' ledger fsck --state "$dir/state" --json
  expect 0 'good' ledger fsck --state "$dir/state" --trust "$dir/trust.policy" "${since[@]}"
done
# The small log never was as long as the large one: one key, two histories.
expect 4 'records' ledger verify "$TRAINED/tiles" --trust "$TRAINED/trust.policy" --since "$LARGE/heads/5"
expect 4 'two histories' ledger verify "$LARGE/tiles" --trust "$LARGE/trust.policy" --since "$TRAINED/tiles/checkpoint"
cp -r "$LARGE/tiles" "$work/tiles"
flip_last_byte "$work/tiles/statements/001"
expect 1 'record 511' ledger verify "$work/tiles" --trust "$LARGE/trust.policy"
rm "$work/tiles/tile/entries/002.p/88"
flip_last_byte "$work/tiles/statements/001"
expect 3 '' ledger verify "$work/tiles" --trust "$LARGE/trust.policy"

expect 0 'record  6, contribution' ledger show 6 --state "$TRAINED/state"
expect 0 '"payloadType"' ledger show 6 --state "$TRAINED/state" --envelope
expect 0 "$(cat "$TRAINED/log.vkey")" ledger show --vkey --state "$TRAINED/state"
expect 3 'beyond' ledger show 99 --state "$TRAINED/state"
expect 3 'no log here' ledger show 0 --state "$work"
expect 0 'index 6' ledger prove 6 --state "$TRAINED/state"
expect 0 '' ledger trust --state "$TRAINED/state" --out "$work/trust"
cmp "$work/trust/trust.policy" "$TRAINED/trust.policy"
cmp "$work/trust/trusted-root.json" "$TRAINED/trusted-root.json"
expect 0 'exported 15 records' ledger export --state "$TRAINED/state" --tiles "$work/out"
cmp "$work/out/checkpoint" "$TRAINED/tiles/checkpoint"
expect 0 '"files_written":0' ledger export --state "$TRAINED/state" --tiles "$work/out" --json
mkdir "$work/used"
touch "$work/used/letters"
expect 2 'not empty' ledger export --state "$TRAINED/state" --tiles "$work/used"
# The folder knows more than this log, or something else, under one key: the log went back, or two histories.
expect 4 'rolled back' ledger export --state "$TRAINED/state" --tiles "$LARGE/tiles"
expect 4 'two histories' ledger export --state "$LARGE/state" --tiles "$work/out"
expect 2 'what, and from where' ledger export --state "$TRAINED/state"
expect 0 'exported 15 records' ledger export --manifest "$TRAINED/model.carnet" --bundles "$work/bundles"
cmp "$work/bundles/record-000006.sigstore.json" "$TRAINED/bundles/record-6.sigstore.json"
echo "$checks verdicts as they should be"
