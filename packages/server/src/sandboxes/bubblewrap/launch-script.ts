/**
 * Starts bubblewrap from outside. All data comes as arguments, none is part of the script:
 * `image FILE DIR` mounts the sandbox's disk, `own DIR UID` makes a directory on it, `bind SOURCE TARGET` makes a place reachable that only root can reach,
 * `cgroup FILE` joins a control group, `--` ends the list, and the rest is the program. Run by root it stands in a
 * mount namespace of its own: its mounts vanish with the sandbox, whatever happens to us.
 */
export const launchScript = `set -eu
while [ "$1" != -- ]; do
  case "$1" in
    image) mount -o loop,nosuid,nodev,noatime,discard -- "$2" "$3"; shift 3 ;;
    own) mkdir -p -m 0700 -- "$2"; chown "$3:$3" -- "$2"; shift 3 ;;
    bind) mount --bind -- "$2" "$3"; shift 3 ;;
    cgroup) echo $$ > "$2"; shift 2 ;;
    *) echo "unknown step $1" >&2; exit 125 ;;
  esac
done
shift
exec "$@"
`;
