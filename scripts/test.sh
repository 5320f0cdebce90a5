#!/bin/sh
# Everything that can say no: the source checks, then the tests. The reporter prints the closing line.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
began=$(date +%s)
scripts/check.sh
echo "source checks: $(($(date +%s) - began)) s"
vitest run --reporter=default --reporter=./scripts/closing-line.ts "$@"
