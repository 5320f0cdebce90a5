/**
 * Pid 1 of the container `work`, as a POSIX shell script (dash, bash, busybox): about 1 MiB, and nothing of the user's
 * image but a shell. It reaps what commands leave behind (every shell's `wait` collects adopted children too), holds the limits,
 * and keeps the runner up, also while sandboxd restarts. It ends with 143 on SIGTERM, and never with 0: a pod whose
 * container ended with 0 reads as succeeded. With 78 it says that a limit did not take hold.
 *
 * Arguments: processes, bytes of one file, open files, the file with the last generation, then the runner's argument list.
 *
 * `ulimit` counts processes as `-u` in bash and as `-p` in dash and busybox (where `-p` of bash is the size of pipes), and
 * files in blocks of 512 bytes, or 1024 in bash outside of its POSIX mode: what counts is read back from the kernel.
 */
export const guardScript = `
processes=$1 file_bytes=$2 open_files=$3 generation_file=$4
shift 4
trap 'exit 143' TERM INT
trap '' HUP
lower() { # least of the wanted and what may be had
  while read -r one two three soft hard rest; do
    if [ "$one $two $three" = "$1" ]; then
      case $hard in unlimited) ;; *) [ "$hard" -lt "$2" ] && { echo "$hard"; return; } ;; esac
    elif [ "$one $two" = "$1" ]; then
      case $soft in unlimited) ;; *) [ "$soft" -lt "$2" ] && { echo "$soft"; return; } ;; esac
    fi
  done </proc/self/limits
  echo "$2"
}
holds() {
  while read -r one two three four five rest; do
    if [ "$one $two $three" = "$1" ]; then
      [ "$four" = "$2" ] && [ "$five" = "$2" ]; return
    elif [ "$one $two" = "$1" ]; then
      [ "$three" = "$2" ] && [ "$four" = "$2" ]; return
    fi
  done </proc/self/limits
  return 1
}
ulimit -c 0 2>/dev/null
processes=$(lower 'Max processes' "$processes")
open_files=$(lower 'Max open files' "$open_files")
file_bytes=$(lower 'Max file size' "$file_bytes")
blocks=$((file_bytes / 512))
ulimit -n "$open_files" 2>/dev/null
ulimit -f "$blocks" 2>/dev/null
holds 'Max file size' "$((blocks * 512))" || ulimit -f "$((blocks / 2))" 2>/dev/null
ulimit -u "$processes" 2>/dev/null || ulimit -p "$processes" 2>/dev/null
holds 'Max processes' "$processes" || { echo 'berth-guard: RLIMIT_NPROC did not take hold' >&2; exit 78; }
holds 'Max file size' "$((blocks * 512))" || holds 'Max file size' "$((blocks / 2 * 1024))" ||
  { echo 'berth-guard: RLIMIT_FSIZE did not take hold' >&2; exit 78; }
generation=0
delay=0.05
pid=
stop() {
  trap '' TERM INT
  [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null
  [ -n "$pid" ] && wait "$pid" 2>/dev/null
  exit 143
}
trap stop TERM INT
while :; do
  last=0
  [ -r "$generation_file" ] && read -r last <"$generation_file"
  case $last in '' | *[!0-9]*) last=0 ;; esac
  [ "$last" -gt "$generation" ] && generation=$last
  generation=$((generation + 1))
  "$@" --generation "$generation" </dev/null &
  pid=$!
  while :; do
    wait "$pid" 2>/dev/null
    code=$?
    kill -0 "$pid" 2>/dev/null || break
  done
  pid=
  sleep "$delay" &
  wait $! 2>/dev/null
  # 75: sandboxd was not there; it is being restarted, and the next try is soon.
  if [ "$code" = 75 ]; then delay=0.2; continue; fi
  case $delay in 0.05) delay=0.2 ;; 0.2) delay=1 ;; *) delay=5 ;; esac
done
`;
