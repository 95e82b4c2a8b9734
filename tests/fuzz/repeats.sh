#!/usr/bin/env bash
# Two runs of a fuzz target keep the same inputs, or a test could fail once and pass the next time. Arguments: run.sh's.
set -uo pipefail
run=$(dirname "$0")/run.sh
first=$("$run" "$@") || { code=$?; echo "$first"; exit $code; }
second=$("$run" "$@") || { code=$?; echo "$second"; exit $code; }
[ "${first##*$'\n'}" = "${second##*$'\n'}" ] || { printf '%s\n' "$first" "the second run:" "$second"; exit 1; }
echo "twice ${first##*$'\n'}"
