#!/bin/sh
# The checks that read the source: format, lint (with types), types, and that no client of the last release breaks.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
export PATH
oxfmt --check
oxlint --type-aware --deny-warnings
tsc -p tsconfig.json
node scripts/openapi.ts
