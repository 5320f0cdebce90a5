/**
 * Runs the script that is its first argument with Berth's own programs where the sandbox has them: the tar of an image may
 * write another format, or be none at all.
 */
export const withOwnPrograms = `
script=$1
shift
if [ -x /opt/berth/own/sh ]; then
  PATH=/opt/berth/own:$PATH
  export PATH
  exec /opt/berth/own/sh -c "$script" berth "$@"
fi
exec sh -c "$script" berth "$@"
`;

/**
 * Prints what setup made as one tar: everything untracked of the repository, what lies beside it in the workspace, and
 * the home directory, under the names `workspace/…` and `home/…`. Git's own folder and Berth's are left out. Needs `sh`,
 * `git`, `tar`, `find` and `xargs`. The current directory is the repository.
 *
 * Ends with 3 when setup changed a tracked file: that change would be missing from the snapshot.
 */
export const makeScript = `
set -euf
umask 022
base=$1
checkpoints=$HOME/.berth/checkpoint.git
t=$HOME/.berth/snapshot
rm -rf "$t"
mkdir -p "$t"
ln -s "$PWD/.." "$t/workspace"
ln -s "$HOME" "$t/home"
export GIT_DIR="$checkpoints" GIT_WORK_TREE="$PWD" GIT_INDEX_FILE="$t/index"
cp -p "$checkpoints/base.index" "$t/index"
git diff-index --cached --quiet "$base" || exit 3
git diff-files --quiet --ignore-submodules=all || { git update-index -q --refresh; git diff-files --quiet --ignore-submodules=all; } || exit 3
git ls-files -z --others --directory | xargs -0 sh -c 'for f do printf "workspace/repo/%s\\0" "$f"; done' sh > "$t/list"
cd "$t"
find workspace/ -mindepth 1 -maxdepth 1 ! -name repo -print0 >> list
find home/ -mindepth 1 -maxdepth 1 ! -name .berth -print0 >> list
find home/.berth/ -mindepth 1 -maxdepth 1 ! -name snapshot ! -name checkpoint.git ! -name saving ! -name restoring -print0 >> list
# GNU's form: the times of pax headers would double the size of small files.
tar --format=gnu -b 128 -cf - --null -T list
cd "$HOME"
rm -rf "$t"
`;

/**
 * Reads such a tar from standard input into a sandbox whose repository was just delivered. Ends with 3 when a tracked
 * file is not the commit's any more afterwards.
 */
export const restoreScript = `
set -euf
umask 022
checkpoints=$HOME/.berth/checkpoint.git
t=$HOME/.berth/snapshot
rm -rf "$t"
mkdir -p "$t"
ln -s "$PWD/.." "$t/workspace"
ln -s "$HOME" "$t/home"
work=$PWD
cd "$t"
tar --no-same-owner -b 128 -xpf -
cd "$work"
export GIT_DIR="$checkpoints" GIT_WORK_TREE="$PWD" GIT_INDEX_FILE="$t/index"
cp -p "$checkpoints/base.index" "$t/index"
git diff-files --quiet --ignore-submodules=all || { git update-index -q --refresh; git diff-files --quiet --ignore-submodules=all; } || exit 3
rm -rf "$t"
`;
