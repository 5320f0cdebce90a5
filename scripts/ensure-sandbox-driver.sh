#!/bin/sh
# Makes sure that sandboxes can be made: bubblewrap, and the few programs that start and limit it. Installs what is
# missing where it may (root on a Debian-like system) and says so; otherwise names the exact command and fails.
set -u

packages=
want() { # program, package
  PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 && return
  case " $packages " in *" $2 "*) ;; *) packages="${packages:+$packages }$2" ;; esac
}

want bwrap bubblewrap
want prlimit util-linux
if [ "$(id -u)" = 0 ]; then
  want setpriv util-linux
  want unshare util-linux
  want mount mount
fi
[ -z "$packages" ] && exit 0

command="apt-get install -y --no-install-recommends $packages"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "sandbox: these packages are missing: $packages. Install them with this system's package manager, then try again." >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "sandbox: these packages are missing: $packages. Run: sudo $command" >&2
  exit 1
fi

echo "sandbox: installing $packages ($command)" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# A fresh image has no package lists, an old one has stale ones: ask for new ones only when the first try fails.
# shellcheck disable=SC2086 # a list of package names
apt-get install -y --no-install-recommends $packages >"$log" 2>&1 ||
  { apt-get update && apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1 ||
  {
    tail -n 20 "$log" >&2
    echo "sandbox: $packages could not be installed. Run: $command" >&2
    exit 1
  }
