#!/bin/sh
# kimi.sample on an emulated GPU against a plain reference. Usage: sample.sh KIMI_OPT KERNELS FOLDER
set -eu
rm -rf "$3" && mkdir -p "$3"
{ echo 'module attributes {kimi.target = "cuda:sm_90a"} {'; cat "$2/sample.mlir"; echo '}'; } |
  "$1" - --kimi-fuse --kimi-generate-code="code-directory=$3" -o "$3/sample.mlir"
python3 "$2/sample.py" "$3" 200
