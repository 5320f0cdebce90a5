#!/bin/sh
# Makes sure that sandboxes can be made: bubblewrap, and the few programs that start and limit it. Installs what is
# missing where it may (root on a Debian-like system) and says so; otherwise names the exact command and fails. Then
# starts an empty sandbox (about 20 ms): a kernel or a container that refuses namespaces is named here, not in a run.
set -u

# `sbin` is not on the PATH of ordinary users.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
say() { printf 'sandbox: %s\n' "$*" >&2; }

is_root=
[ "$(id -u)" = 0 ] && is_root=yes

packages=
want() { # program, package
  command -v "$1" >/dev/null 2>&1 && return
  case " $packages " in *" $2 "*) ;; *) packages="${packages:+$packages }$2" ;; esac
}

want bwrap bubblewrap
want prlimit util-linux
if [ "$is_root" ]; then
  want setpriv util-linux
  want unshare util-linux
  want mount mount
fi

if [ "$packages" ]; then
  command="apt-get install -y --no-install-recommends $packages"
  if ! command -v apt-get >/dev/null 2>&1; then
    say "these packages are missing: $packages. Install them with this system's package manager, then try again."
    exit 1
  fi
  if [ -z "$is_root" ]; then
    say "these packages are missing: $packages. Run: sudo $command"
    say "(on a machine without package lists, sudo apt-get update comes first)"
    exit 1
  fi

  say "installing $packages ($command)"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  export DEBIAN_FRONTEND=noninteractive
  # A fresh image has no package lists, an old one has stale ones: ask for new ones only when the first try fails.
  # shellcheck disable=SC2086 # a list of package names
  apt-get install -y --no-install-recommends $packages >"$log" 2>&1 ||
    { apt-get update && apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1 ||
    {
      tail -n 20 "$log" >&2
      say "$packages could not be installed (above). Mend the cause, then run: apt-get update && $command"
      exit 1
    }
fi

# As a real one is started: root gives its sandboxes a user id of their own.
try() {
  set -- bwrap --unshare-all --die-with-parent --ro-bind / / --proc /proc --dev /dev -- /bin/true
  [ "$is_root" ] && set -- setpriv --reuid 64999 --regid 64999 --clear-groups --inh-caps=-all --bounding-set=-all \
    --no-new-privs -- "$@"
  [ "$is_root" ] && set -- unshare --mount --propagation private "$@"
  (cd / && "$@") 2>&1
}
said=$(try) && exit 0

setting() { cat "/proc/sys/$1" 2>/dev/null || echo "$2"; }
settings=
[ "$(setting kernel/unprivileged_userns_clone 1)" = 0 ] && settings="$settings kernel.unprivileged_userns_clone=1"
[ "$(setting user/max_user_namespaces 1)" = 0 ] && settings="$settings user.max_user_namespaces=10000"
[ "$(setting kernel/apparmor_restrict_unprivileged_userns 0)" = 1 ] &&
  settings="$settings kernel.apparmor_restrict_unprivileged_userns=0"

say "bubblewrap cannot make a sandbox here: $(printf '%s' "$said" | tail -n 1)"
if [ "$settings" ]; then
  say "the kernel's settings forbid it. Run:$([ "$is_root" ] || echo ' sudo') sysctl -w$settings"
  say "(to keep it over a restart, write the same lines to /etc/sysctl.d/90-berth.conf)"
else
  say "this container or kernel does not let programs make namespaces. Run Berth on the machine itself, or give the container that right (Docker: --privileged, or --cap-add SYS_ADMIN with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined)."
fi
exit 1
