#!/usr/bin/env bash
# Runs a fuzz target over its corpora and RUNS mutations of them: run.sh PROGRAM RUNS CORPUS... [-OPTION...].
# The same runs each time, unless options say otherwise; README.md says why each default is needed for that.
# What libFuzzer keeps of new inputs goes to a folder that is thrown away; a finding stays beside the program.
set -uo pipefail
program=$(realpath "$1") runs=$2 dictionary=$(realpath "$(dirname "$0")")/json.dict
shift 2
corpora=()
while [ $# -gt 0 ] && [ "${1#-}" = "$1" ]; do corpora+=("$1"); shift; done
[ -x "$program" ] || { echo "$program is not built: it needs clang-22 and libclang-rt-22-dev"; exit 77; }
# In memory where there is such a folder: thousands of small files are written.
memory=/dev/shm
[ -w "$memory" ] || memory=${TMPDIR:-/tmp}
scratch=$(mktemp -d -p "$memory")
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/new"
seeds=$(find $(realpath "${corpora[@]}") -type f | LC_ALL=C sort | paste -sd,)
[ -n "$seeds" ] || { echo "no seeds in ${corpora[*]}"; exit 1; }
cd "$scratch" # so that no path depends on chance
# A finding exits with 1: libFuzzer's own 77 would read as a test that was skipped.
TMPDIR=. "$program" -runs="$runs" -seed=1 -use_cmp=0 -reload=0 -error_exitcode=1 -timeout=100 -rss_limit_mb=2048 \
  -artifact_prefix="$program-" -dict="$dictionary" -seed_inputs="$seeds" -print_final_stats=1 \
  "$@" new >log 2>&1
code=$?
grep -vE '^"|REDUCE' log | tail -40
# What two runs must have in common: repeats.sh compares it.
echo "kept: $(ls new | LC_ALL=C sort | sha256sum | cut -c1-16) of $(ls new | wc -l) inputs"
exit $code
