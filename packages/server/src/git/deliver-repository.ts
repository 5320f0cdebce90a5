import { createReadStream } from 'node:fs';
import { BerthError } from '../domain/errors/index.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import { rawAttributes, runInSandbox } from './sandbox-script.ts';
import type { DeliveryPack } from './shallow-pack.ts';

/**
 * Materialises one commit in `/workspace/repo` and a second copy of its objects in `$HOME/.berth`, which
 * checkpoints are made against. Files are written byte for byte as the commit holds them: no end of line
 * conversion, no filters, LFS pointers and submodules as they are.
 *
 * Arguments: directory, commit, branch, pack file, object format. Standard input: the shallow commits.
 */
const script = `
set -euf
umask 022
directory=$1 commit=$2 branch=$3 pack=$PWD/$4 format=$5
checkpoints=$HOME/.berth/checkpoint.git
mkdir -p "$HOME/.berth"
rm -rf "$directory" "$checkpoints"
git init -q --template= --object-format="$format" "$directory"
cd "$directory"
mkdir -p .git/info .git/objects/pack
cat > .git/shallow
[ -s .git/shallow ] || rm -f .git/shallow
printf '%s\\n' '${rawAttributes}' > .git/info/attributes
git index-pack --stdin --keep=berth < "$pack" > /dev/null
rm -f "$pack"
git config user.name 'Berth agent'
git config user.email 'agent@berth.invalid'
git config gc.auto 0
git update-ref "refs/heads/$branch" "$commit"
git symbolic-ref HEAD "refs/heads/$branch"
git read-tree --reset -u "$commit"
git init -q --bare --template= --object-format="$format" "$checkpoints"
mkdir -p "$checkpoints/info" "$checkpoints/objects/pack"
cp .git/info/attributes "$checkpoints/info/attributes"
set +f
for file in .git/objects/pack/*.pack .git/objects/pack/*.idx; do cp "$file" "$checkpoints/objects/pack/"; done
cp -p .git/index "$checkpoints/base.index"
cp -p .git/index "$checkpoints/proposal.index"
git rev-parse HEAD
`;

export interface DeliverRequest {
  /** Unique for each attempt. */
  readonly callId: string;
  readonly pack: DeliveryPack;
  /** Checked out in the sandbox: the task's branch. */
  readonly branch: string;
  readonly signal: AbortSignal;
  /** Default 10 minutes. */
  readonly timeoutMs?: number;
}

/** Whether git accepts `branch` as the name of a branch (the common subset, without spelling it to git). */
export function isBranchName(branch: string): boolean {
  return (
    branch.length <= 200 &&
    /^[A-Za-z0-9_][A-Za-z0-9._/+@#-]*$/.test(branch) &&
    !/\.\.|\/\/|@\{|\/\.|\.lock(\/|$)|[./]$/.test(branch)
  );
}

/**
 * Puts a commit into a sandbox: `/workspace/repo` with the branch checked out and identity `Berth agent`, no
 * remote. Whatever was at that place is replaced.
 *
 * @throws BerthError `DELIVERY_FAILED`, `SANDBOX_LOST`
 */
export async function deliverRepository(sandbox: Sandbox, request: DeliverRequest): Promise<void> {
  if (!isBranchName(request.branch)) {
    throw new BerthError('DELIVERY_FAILED', `"${request.branch}" is not the name of a branch.`);
  }
  const { pack, signal } = request;
  const place = '.berth-delivery.pack';
  await sandbox.write(place, createReadStream(pack.path), { signal });
  const { stdout } = await runInSandbox(sandbox, {
    id: request.callId,
    script,
    args: ['repo', pack.commit, request.branch, place, pack.commit.length === 64 ? 'sha256' : 'sha1'],
    cwd: '.',
    stdin: Buffer.from(pack.shallow.map((id) => `${id}\n`).join('')),
    timeoutMs: request.timeoutMs ?? 10 * 60_000,
    maxOutputBytes: 64 * 1024,
    signal,
    failure: { code: 'DELIVERY_FAILED', tooLarge: 'DELIVERY_FAILED' },
  });
  if (stdout.toString('latin1').trim() !== pack.commit) throw new BerthError('DELIVERY_FAILED');
}
