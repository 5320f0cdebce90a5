#!/bin/sh
# Makes this checkout ready to run. Every part is skipped when it is done already, so a second call costs nothing.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
need() {
  command -v "$1" >/dev/null 2>&1 || { say "$1 is missing. On Debian or Ubuntu: $2"; exit 1; }
}

need node 'install Node.js 20 or newer (https://nodejs.org)'
need npm 'install npm, it comes with Node.js'
need git 'sudo apt-get install git'

major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || { say "Node.js 20 or newer is needed, this is $(node -v)"; exit 1; }

stamp=node_modules/.berth-installed
wanted=$(cat package-lock.json packages/*/package.json | cksum)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
  say 'installing dependencies (npm ci) …'
  npm ci --no-audit --no-fund --loglevel=error >&2
  printf '%s' "$wanted" >"$stamp"
fi

if [ "$(uname -s)" = Linux ]; then
  scripts/ensure-sandbox-driver.sh
fi

PATH="$PWD/node_modules/.bin:$PATH" npm run --silent build
