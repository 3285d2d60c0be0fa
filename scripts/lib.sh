# shellcheck shell=bash
# What the scripts share. Source it after `set -euo pipefail`; it changes to the top of the tree.

CARNET_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$CARNET_ROOT" || exit
# Debian's own interpreter and compiler: others in PATH may lack numpy or golang.org/x/mod.
# shellcheck disable=SC2034
readonly PYTHON=/usr/bin/python3 GO=/usr/bin/go

stage_table=""
stage_name=""
stage_started=0

say() { printf '%s\n' "$*"; }

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# stage NAME: ends the running stage, if any, and starts the next one.
stage() {
  stage_end
  stage_name="$1"
  stage_started=$SECONDS
  printf '\n== %s\n' "$stage_name"
}

# stage_end: notes how long the running stage took.
stage_end() {
  if [[ -z $stage_name ]]; then
    return 0
  fi
  local line
  line="$(printf '%5d s  %s' "$((SECONDS - stage_started))" "$stage_name")"
  stage_table+="$line"$'\n'
  printf -- '-- %s\n' "$line"
  stage_name=""
}

# stage_report: ends the running stage and prints the time of each one so far.
stage_report() {
  stage_end
  printf '\nTime of each stage:\n%s%5d s  together\n' "$stage_table" "$SECONDS"
}

jobs_count() { nproc; }

# configure_preset PRESET: runs CMake quietly; all of its output if it fails.
configure_preset() {
  local log="build/$1.configure.log"
  mkdir -p build
  if ! cmake --preset "$1" >"$log" 2>&1; then
    cat "$log" >&2
    die "CMake could not configure preset $1"
  fi
}

# build_preset PRESET [TARGET...]: all targets when none is named. CCACHE_DISABLE=1 compiles everything.
build_preset() {
  local preset="$1"
  shift
  configure_preset "$preset"
  local -a targets=()
  if (($# > 0)); then
    targets=(--target "$@")
  fi
  cmake --build "build/$preset" --parallel "$(jobs_count)" "${targets[@]}"
}

# sources_of PATTERN...: tracked files, and new ones that git does not ignore, NUL-terminated.
sources_of() { git ls-files -z --cached --others --exclude-standard -- "$@" | existing_only; }

existing_only() {
  local path
  while IFS= read -r -d '' path; do
    if [[ -f $path ]]; then
      printf '%s\0' "$path"
    fi
  done
}

# npm_install DIR: `npm ci` where node_modules is missing or older than the lockfile.
npm_install() {
  local dir="$1"
  if [[ ! -f $dir/package-lock.json ]]; then
    return 0
  fi
  if [[ -f $dir/node_modules/.package-lock.json &&
    ! $dir/package-lock.json -nt $dir/node_modules/.package-lock.json ]]; then
    say "$dir: JavaScript packages are up to date"
    return 0
  fi
  say "$dir: npm ci"
  (cd "$dir" && npm ci --no-audit --no-fund --loglevel=error)
  touch "$dir/node_modules/.package-lock.json"
}
