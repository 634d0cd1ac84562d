#!/bin/sh
# fuzz_test.sh FUZZ_RESULTS N [SEED]: the harness on a folder of its own.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" "$folder" "$2" "${3:-1}"
