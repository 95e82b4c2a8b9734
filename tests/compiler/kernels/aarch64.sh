#!/bin/sh
# Cross-compiles a kernel and runs it under emulation. $1: kimi-opt. Exit code 77: no cross compiler or no emulator.
here=$(dirname "$0")
command -v qemu-aarch64 >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null ||
  { echo "skipped: needs qemu-user and gcc-aarch64-linux-gnu"; exit 77; }
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
"$1" "$here/Inputs/aarch64.mlir" --kimi-generate-code="code-directory=$work" >/dev/null || exit 1
aarch64-linux-gnu-gcc -O1 "$here/aarch64.c" -o "$work/caller" -ldl -lm || exit 1
qemu-aarch64 -L /usr/aarch64-linux-gnu "$work/caller" "$work"/*.so
