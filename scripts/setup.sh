#!/bin/sh
# Makes this checkout ready to run. Every part is skipped when it is done already: a second call takes a tenth of a
# second of processor time.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
need() {
  command -v "$1" >/dev/null 2>&1 || { say "$1 is missing. On Debian or Ubuntu: $2"; exit 1; }
}

need node 'install Node.js 20 or newer (https://nodejs.org)'
need npm 'install npm, it comes with Node.js'
need git 'sudo apt-get install -y --no-install-recommends git'

# The Node.js that `npm ci` brought, or the machine's own.
brought=node_modules/.bin/node
starts() { [ -x "$brought" ] && "$brought" -e '' 2>/dev/null; }
require_node() {
  version=$(node -v 2>/dev/null || true)
  major=${version#v}
  major=${major%%.*}
  case $major in '' | *[!0-9]*) major=0 ;; esac
  [ "$major" -ge "$1" ] && return
  say "$2, this is ${version:-one that does not start} ($(command -v node)). Install a newer one (https://nodejs.org), then try again."
  exit 1
}
starts || require_node 20 'Node.js 20 or newer is needed'

# First, as it is the quickest to say no.
if [ "$(uname -s)" = Linux ]; then
  scripts/ensure-sandbox-driver.sh
fi

stamp=node_modules/.berth-installed
wanted=$(cat package-lock.json packages/*/package.json | cksum)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
  scripts/install-dependencies.sh
  printf '%s' "$wanted" >"$stamp" || { say "cannot write in $PWD: is the disk full?"; exit 1; }
fi

starts || {
  require_node 24 "the Node.js 24 that Berth brings along does not start on $(uname -s) $(uname -m), so the machine's own must be as new"
  brought=node
}
"$brought" scripts/build.ts
