#!/bin/sh
# `npm ci`, with a sentence that says what to do when it fails.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

log=$(mktemp)
scratch=
trap 'rm -rf "$log" ${scratch:+"$scratch"}' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# npm keeps a cache in the home directory; a user without one that can be written gets a passing one.
if [ -z "${npm_config_cache:-}" ] && ! mkdir -p "${HOME:-/nonexistent}/.npm" 2>/dev/null; then
  scratch=$(mktemp -d)
  npm_config_cache=$scratch
  export npm_config_cache
fi

say 'installing dependencies (npm ci) …'
# Without a network npm would otherwise wait more than a minute between its tries. It only warns of a file that it
# could not write, and calls that a success.
if npm ci --no-audit --no-fund --no-update-notifier --loglevel=warn --fetch-retry-maxtimeout=10000 >"$log" 2>&1 &&
  ! grep -q TAR_ENTRY_ERROR "$log"; then
  # The closing line ("added 195 packages in 14s"), without the rest.
  grep -E '^added ' "$log" | sed 's/^/setup: /' >&2 || true
  exit 0
fi

grep . "$log" | uniq | tail -n 12 >&2
case $(cat "$log") in
  *ENOSPC* | *EDQUOT* | *'no space left'*)
    next="the disk is full. Make room (about 700 MB here and in npm's cache), then try again." ;;
  *EACCES* | *EPERM* | *EROFS*)
    next="this user may not write to $PWD or to npm's cache. Run it as their owner, or clone into a directory of your own." ;;
  *ENOTFOUND* | *EAI_AGAIN* | *ECONNREFUSED* | *ECONNRESET* | *ETIMEDOUT* | *ENETUNREACH* | *EHOSTUNREACH* | *ERR_SOCKET_TIMEOUT* | *'network'*)
    next='npm cannot reach its package registry. Check the network, or tell npm the way (`npm config set registry URL`, `proxy`, `https-proxy`), then try again.' ;;
  *SELF_SIGNED* | *UNABLE_TO_* | *CERT_*)
    next="the registry's certificate is not trusted. Name your organisation's CA in NODE_EXTRA_CA_CERTS or npm's \`cafile\`, then try again." ;;
  *E401* | *E403* | *E404* | *ETARGET*)
    next='the package registry refused or lacks a package (above). Check the registry and the credentials in your npm configuration, then try again.' ;;
  *) next='npm ci failed (above). Mend the cause, then try again.' ;;
esac
say "$next"
exit 1
