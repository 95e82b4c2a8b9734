#!/usr/bin/env bash
# Runs a fuzz target over its corpus and RUNS mutations from a fixed seed: run.sh PROGRAM CORPUS RUNS [MORE-CORPUS|-OPTION...].
# What libFuzzer keeps of new inputs goes to a folder that is thrown away; a finding stays beside the program.
set -uo pipefail
program=$1 corpus=$2 runs=$3
shift 3
[ -x "$program" ] || { echo "$program is not built: it needs clang-22 and libclang-rt-22-dev"; exit 77; }
ls "$corpus"/* >/dev/null || exit 1
# In memory where there is such a folder: thousands of small files are written.
memory=/dev/shm
[ -w "$memory" ] || memory=${TMPDIR:-/tmp}
scratch=$(mktemp -d -p "$memory")
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/new"
TMPDIR=$scratch "$program" -runs="$runs" -seed=1 -timeout=20 -rss_limit_mb=2048 -artifact_prefix="$program-" \
  -dict="$(dirname "$0")/json.dict" -print_final_stats=1 "$scratch/new" "$corpus" "$@" >"$scratch/log" 2>&1
code=$?
grep -vE '^"|REDUCE' "$scratch/log" | tail -40
exit $code
