import { rawAttributes } from './sandbox-script.ts';

/**
 * Saves the working tree in the current directory. Needs `sh`, `git`, `tar` and `find`, `xargs`, `awk`.
 *
 * Every list of files is NUL separated and kept in files; sets are subtracted with throw-away git indexes whose
 * entries name files without content, so that git's own ignore rules decide and no file name is ever parsed.
 * `update-index` takes files inside nested repositories as plain files.
 *
 * Arguments: base commit, largest file, largest ignored file, largest sum of ignored files (bytes), names of
 * folders that are always left out, names of folders left out where they are ignored (both without characters
 * special to the shell), then the paths of the base's submodules.
 *
 * Standard output: one pack. Standard error: lines \`berth:<name> <value>\`.
 */
export const saveScript = `
set -euf
umask 022
base=$1 largest=$2 small=$3 total=$4 always=$5 ignorable=$6
shift 6
work=$PWD
checkpoints=$HOME/.berth/checkpoint.git
rm -rf "$HOME/.berth/saving"
mkdir -p "$HOME/.berth/saving"
t=$HOME/.berth/saving
export GIT_DIR="$checkpoints" GIT_WORK_TREE="$work"

kept=
set +f
for keep in .git/objects/pack/*.keep; do
  if [ -f "$keep" ] && [ "$(cat "$keep")" = berth ]; then kept=\${keep%.keep}; fi
done
set -f
if ! git cat-file -e "$base^{tree}" 2> /dev/null; then
  # Somebody removed our objects: build them anew from the delivered pack, every id computed again.
  [ -n "$kept" ] || { echo 'the delivered objects are gone' >&2; exit 42; }
  rm -rf "$checkpoints"
  GIT_DIR= ; unset GIT_DIR GIT_WORK_TREE
  if [ \${#base} -eq 64 ]; then format=sha256; else format=sha1; fi
  git init -q --bare --template= --object-format=$format "$checkpoints"
  export GIT_DIR="$checkpoints" GIT_WORK_TREE="$work"
  mkdir -p "$checkpoints/info"
  git index-pack --stdin < "$kept.pack" > /dev/null
fi
mkdir -p "$checkpoints/info"
printf '%s\\n' '${rawAttributes}' > "$checkpoints/info/attributes"
rm -f "$checkpoints"/proposal.index.lock

readable=
if find / -maxdepth 0 -readable > /dev/null 2>&1; then readable=-readable; fi
prune='-name .git'
for name in $always; do prune="$prune -o -type d -name $name"; done
pruneMore=$prune
for name in $ignorable; do pruneMore="$pruneMore -o -type d -name $name"; done
void=$(git hash-object -t blob --stdin < /dev/null)

# An index that only names the files of a list.
named() {
  rm -f "$t/$2"
  xargs -0 sh -c 'for f do printf "100644 %s\\t%s\\0" "$0" "\${f#./}"; done' "$void" < "$t/$1" |
    GIT_INDEX_FILE="$t/$2" git update-index -z --index-info
}
ignored() { GIT_INDEX_FILE="$t/$1" git ls-files -z -c -i --exclude-standard; }

find . \\( $prune \\) -prune -o \\( -type l -o -type f $readable \\) -size "-\${largest}c" -print0 > "$t/all" || true
named all x
: > "$t/inside"
export GIT_INDEX_FILE="$t/x"
for path do
  GIT_LITERAL_PATHSPECS=1 git ls-files -z -- "$path/" > "$t/one"
  cat "$t/one" >> "$t/inside"
  git update-index -z --force-remove --stdin < "$t/one"
done
ignored x > "$t/ignored"
git update-index -z --force-remove --stdin < "$t/ignored"
git ls-files -z > "$t/normal"
find . \\( $prune \\) -prune -o -type f -size "+\${largest}c" -print0 > "$t/large" || true

# What the agent added although it is ignored is part of its change.
GIT_INDEX_FILE="$work/.git/index" git ls-files -z -c -i --exclude-standard 2> /dev/null |
  xargs -0 sh -c 'for f do if [ -f "$f" ] || [ -L "$f" ]; then printf "%s\\0" "$f"; fi; done' sh > "$t/forced" || true

# The proposal: the base, what changed in it, and what is new and not ignored.
export GIT_INDEX_FILE="$checkpoints/proposal.index"
git read-tree -m "$base" 2> /dev/null || { rm -f "$GIT_INDEX_FILE"; git read-tree "$base"; }
take() {
  # A file that another process changes at this moment makes git fail: look again.
  git update-index -z --add --remove --replace --stdin < "$1" ||
    git update-index -z --add --remove --replace --stdin < "$1" ||
    git update-index -z --add --remove --replace --stdin < "$1"
}
{ git diff-files -z --name-only --ignore-submodules=all; cat "$t/normal" "$t/forced"; } > "$t/changed"
take "$t/changed"
proposal=$(git write-tree)

# Small ignored files, as many as fit.
: > "$t/extra"
limit=0
for try in $small 65536 4096; do
  [ "$try" -le "$small" ] || continue
  find . \\( $pruneMore \\) -prune -o \\( -type l -o -type f $readable \\) -size "-\${try}c" -print0 > "$t/small" || true
  named small y
  ignored y > "$t/extra"
  sum=$(xargs -0 ls -lnd < "$t/extra" 2> /dev/null | awk '/^-/ { s += $5 } END { printf "%d", s }')
  count=$(tr -cd '\\0' < "$t/extra" | wc -c)
  if [ -s "$t/extra" ] && { [ "$sum" -gt "$total" ] || [ "$count" -gt 20000 ]; }; then : > "$t/extra"; continue; fi
  limit=$try
  break
done

cp -p "$GIT_INDEX_FILE" "$t/tree.index"
export GIT_INDEX_FILE="$t/tree.index"
cat "$t/inside" >> "$t/extra"
take "$t/extra"
tree=$(git write-tree)

# The agent's own refs, index, objects and settings, without the pack that was delivered.
set --
if [ -n "$kept" ]; then set -- "--exclude=$kept.*"; fi
tar -cf "$t/dotgit.tar" --exclude='*.lock' "$@" .git 2> /dev/null || [ -s "$t/dotgit.tar" ]
dotgit=$(git hash-object -w --no-filters -- "$t/dotgit.tar")
find . -mindepth 2 \\( -name .git -prune -print0 \\) -o \\( $prune \\) -prune > "$t/nested" || true
nested=$void
git hash-object -w -t blob --stdin < /dev/null > /dev/null
if [ -s "$t/nested" ]; then
  tar -cf "$t/nested.tar" --null -T "$t/nested" 2> /dev/null || [ -s "$t/nested.tar" ]
  nested=$(git hash-object -w --no-filters -- "$t/nested.tar")
fi
find . -mindepth 1 \\( $pruneMore \\) -prune -o -type d -empty -print0 > "$t/folders" || true
folders=$(git hash-object -w --no-filters -- "$t/folders")
root=$(printf '040000 tree %s\\tproposal\\n040000 tree %s\\tworktree\\n100644 blob %s\\tdotgit\\n100644 blob %s\\tfolders\\n100644 blob %s\\tnested\\n' \\
  "$proposal" "$tree" "$dotgit" "$folders" "$nested" | git mktree)

printf '%s\\n^%s^{tree}\\n' "$root" "$base" | git pack-objects --revs --stdout --quiet --delta-base-offset --window=5
stat=$(git diff-tree -r --no-ext-diff --no-textconv --no-renames --shortstat "$base^{tree}" "$proposal")
printf 'berth:root %s\\nberth:tree %s\\nberth:proposal %s\\nberth:ignoredLimit %s\\nberth:large %s\\nberth:stat %s\\n' \\
  "$root" "$tree" "$proposal" "$limit" "$(tr -cd '\\0' < "$t/large" | wc -c)" "$stat" >&2
rm -rf "$t"
`;

/**
 * Brings a freshly delivered repository to a checkpoint. Arguments: root of the checkpoint, pack file.
 * The current directory is the repository; its base is checked out and untouched.
 */
export const restoreScript = `
set -euf
umask 022
root=$1 pack=$PWD/../$2
work=$PWD
checkpoints=$HOME/.berth/checkpoint.git
t=$HOME/.berth/restoring
rm -rf "$t"
mkdir -p "$t/pack"
export GIT_DIR="$checkpoints" GIT_WORK_TREE="$work"
git index-pack --stdin < "$pack" > /dev/null
rm -f "$pack"
cp -p "$checkpoints/base.index" "$t/tree.index"
GIT_INDEX_FILE="$t/tree.index" git read-tree --reset -u "$root:worktree"
set +f
mv .git/objects/pack/* "$t/pack/"
set -f
git cat-file blob "$root:dotgit" > "$t/dotgit.tar"
rm -rf .git
tar --no-same-owner -xpf "$t/dotgit.tar"
mkdir -p .git/objects/pack
set +f
mv "$t"/pack/* .git/objects/pack/
set -f
git cat-file blob "$root:folders" | xargs -0 sh -c 'for f do mkdir -p -- "$f"; done' sh
git cat-file blob "$root:nested" > "$t/nested.tar"
if [ -s "$t/nested.tar" ]; then tar --no-same-owner -xpf "$t/nested.tar"; fi
rm -rf "$t"
`;
