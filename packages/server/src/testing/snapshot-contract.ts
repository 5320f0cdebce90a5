import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Blobs } from '../domain/ports/blobs.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from '../domain/ports/sandbox.ts';
import { resolveBase } from '../git/base-ref.ts';
import { deliverRepository } from '../git/deliver-repository.ts';
import { openProject } from '../git/mirror.ts';
import { packFor } from '../git/shallow-pack.ts';
import { putSnapshot, snapshotLimits, takeSnapshot } from '../sandboxes/snapshots/transfer.ts';
import { directoryBlobs } from '../store/blobs/directory-blobs.ts';
import { execRequest, runToEnd } from './exec-helper.ts';
import { makeRepository } from './git-fixtures.ts';

/** What the suite needs of a driver. */
export interface SnapshotContractSubject {
  readonly driver: SandboxDriver;
  /** A new spec; every id is new. */
  readonly spec: (overrides?: Partial<SandboxSpec>) => SandboxSpec;
  /** A sandbox with other programs than that of `spec()`; absent: this driver has one set of programs. */
  readonly otherSpec?: () => SandboxSpec;
  readonly cleanUp: () => Promise<void>;
}

const soon = (): AbortSignal => AbortSignal.timeout(120_000);

/** Everything that a setup may leave and a later run needs. */
const ordinary = `
set -eu
mkdir -p node_modules/.bin node_modules/empty "$HOME/.cache/deep" ../beside
echo real > node_modules/dep.js && chmod 755 node_modules/dep.js && ln node_modules/dep.js node_modules/hard.js
ln -s ../dep.js node_modules/.bin/dep
ln -s /nowhere/at/all node_modules/dangling
ln -s ../../../../../../etc/passwd node_modules/outward
printf x > "$(printf 'node_modules/a new\\nline \\t and \\047quotes\\047')"
printf y > 'node_modules/-rf'
long=node_modules/$(printf '%0120d' 7)/$(printf '%0120d' 8); mkdir -p "$long"; printf z > "$long/$(printf '%0150d' 9)"
echo cached > "$HOME/.cache/deep/x"; echo b > ../beside/b
mkdir -p "$HOME/.berth/tool"; echo t > "$HOME/.berth/tool/t"
`;

/** Names, kinds, modes, contents and links of all that setup made, as one text. */
const listing = `
cd /workspace
find repo/node_modules beside "$HOME/.cache" "$HOME/.berth/tool" -print0 | sort -z | while IFS= read -r -d '' f; do
  printf '%s ' "$f" | od -An -c | tr -d ' \\n'
  if [ -L "$f" ]; then readlink "$f"; elif [ -f "$f" ]; then stat -c %a "$f"; sha256sum < "$f"; else echo folder; fi
done
[ repo/node_modules/dep.js -ef repo/node_modules/hard.js ] && echo one file
cd repo && git status --porcelain && ls -A "$HOME/.berth" | grep -c '^snapshot$' || true
`;

/** Attempts of a setup to put into a snapshot what must not be in one. */
const refusals: ReadonlyArray<readonly [what: string, script: string, said: RegExp]> = [
  ['a setuid program', 'cp /bin/ls tool && chmod 4755 tool', /setuid/],
  ['a setgid folder in its home', 'mkdir -p "$HOME/shared" && chmod 2777 "$HOME/shared"', /setuid or setgid/],
  ['a pipe', 'mkdir p && echo f > p/f && mkfifo p/x', /of the kind/],
  ['a tracked file with other contents', 'echo poison > a.txt', /tracks/],
  ['a tracked file that is a link', 'rm a.txt && ln -s /etc/passwd a.txt', /tracks/],
  ['the placeholder of a credential', 'echo token=berthplaceholder.x.y > "$HOME/.npmrc"', /placeholder/],
  [
    'sparse files of more than may be kept',
    'for one in 1 2 3 4 5; do dd if=/dev/zero of="hole$one" bs=1 count=0 seek=100M 2>/dev/null; done',
    /SNAPSHOT_TOO_LARGE/,
  ],
];

/** Snapshots of setup: the same promises on the fake and on every real driver. */
export function snapshotContract(title: string, make: () => Promise<SnapshotContractSubject>): void {
  describe(`${title}: snapshots of setup`, () => {
    let subject: SnapshotContractSubject;
    let directory = '';
    let blobs: Blobs;
    let commit = '';
    let pack: Awaited<ReturnType<typeof packFor>>;
    const open: Sandbox[] = [];

    beforeAll(async () => {
      subject = await make();
      directory = mkdtempSync(join(tmpdir(), 'berth-snapshots-'));
      blobs = directoryBlobs(join(directory, 'blobs'), { durable: false });
      const repository = makeRepository(join(directory, 'source'), {
        'a.txt': 'a\n',
        '.gitignore': 'node_modules/\n',
      });
      const mirror = await openProject({ home: join(directory, 'home'), repository, signal: soon() });
      ({ commit } = await resolveBase(mirror, null, soon()));
      pack = await packFor(mirror, commit, {}, soon());
    }, 180_000);
    afterEach(async () => {
      for (const sandbox of open.splice(0)) await sandbox.destroy();
    });
    afterAll(async () => {
      await subject?.cleanUp();
      rmSync(directory, { recursive: true, force: true });
    });

    const made = async (spec = subject.spec()): Promise<Sandbox> => {
      const sandbox = await subject.driver.create(spec, soon());
      open.push(sandbox);
      return sandbox;
    };
    const filled = async (): Promise<Sandbox> => {
      const sandbox = await made();
      await deliverRepository(sandbox, { callId: 'deliver', pack, branch: 'work', signal: soon() });
      return sandbox;
    };
    /** In the repository, as setup does. */
    const setUp = async (sandbox: Sandbox, script: string): Promise<string> => {
      const ran = await runToEnd(sandbox, execRequest(script, { cwd: 'repo', timeoutMs: 120_000 }));
      expect([ran.result, ran.stderr.toString()]).toMatchObject([{ exitCode: 0 }, '']);
      return ran.stdout.toString();
    };
    const take = (sandbox: Sandbox, limits = snapshotLimits) =>
      takeSnapshot(sandbox, commit, { blobs, signal: soon(), limits });
    const failureOf = async (work: Promise<unknown>): Promise<string> =>
      await work.then(
        () => 'it worked',
        (error: { code?: string; message: string }) => `${error.code}: ${error.message}`,
      );

    test('what setup made lies in the next sandbox byte for byte, odd names and links included', async () => {
      const first = await filled();
      await setUp(first, ordinary);
      const before = await setUp(first, listing);
      expect(before).toContain('one file');
      const kept = await take(first);
      const second = await filled();
      await putSnapshot(second, kept, { blobs, signal: soon() });
      expect(await setUp(second, listing)).toBe(before);
      // Nothing of its own stays behind in either, and no call is left.
      for (const sandbox of [first, second])
        expect((await sandbox.calls()).filter(({ id }) => id.startsWith('snapshot-'))).toEqual([]);
    });

    test('what a process still writes while it is made never changes what was stored', async () => {
      const first = await filled();
      await setUp(
        first,
        'mkdir node_modules; (while :; do echo later > node_modules/late; rm -f node_modules/late; done) >/dev/null 2>&1 & echo up',
      );
      const kept = await take(first).catch((error: { code: string }) => error.code);
      // tar says so when a file went away under it: then there is no snapshot, which is fine.
      if (typeof kept === 'string') {
        expect(kept).toMatch(/^SNAPSHOT_/);
        return;
      }
      const second = await filled();
      await putSnapshot(second, kept, { blobs, signal: soon() });
      const text = await setUp(
        second,
        'cat node_modules/late 2>/dev/null || true; ps -e 2>/dev/null | wc -l',
      );
      expect(text).toMatch(/^(later\n)?/);
    });

    test.each(refusals)('refuses %s, and stores nothing', async (_what, script, said) => {
      const sandbox = await filled();
      await setUp(sandbox, script);
      const stored: string[] = [];
      const watching: Blobs = {
        ...blobs,
        put: async (data) => {
          const key = await blobs.put(data);
          stored.push(key);
          return key;
        },
      };
      const limits = { maxBytes: 64 * 1024 ** 2, maxFiles: 10_000 };
      const failure = await failureOf(
        takeSnapshot(sandbox, commit, { blobs: watching, signal: soon(), limits }),
      );
      expect(failure).toMatch(/^SNAPSHOT_/);
      expect(failure).toMatch(said);
      expect(stored).toEqual([]);
    });

    test('neither a device node nor a hard link to outside can be made inside to begin with', async () => {
      const sandbox = await filled();
      const tries = await setUp(
        sandbox,
        'mknod dev b 8 0 2>/dev/null && echo node; ln /etc/passwd out 2>/dev/null && echo linked; true',
      );
      expect(tries).toBe('');
    });

    test('git’s own folder is never in one, whatever hooks setup left there', async () => {
      const first = await filled();
      await setUp(
        first,
        'mkdir -p .git/hooks node_modules; echo poison > .git/hooks/post-checkout; echo x > node_modules/x',
      );
      const kept = await take(first);
      const tar = zstdDecompressSync(await blobs.get(kept.blob));
      expect(tar.includes('.git/')).toBe(false);
      expect(tar.includes('poison')).toBe(false);
      expect(tar.includes('node_modules/')).toBe(true);
    });

    test('more files or bytes than the limit end it before anything is kept', async () => {
      const sandbox = await filled();
      await setUp(sandbox, 'mkdir many && cd many && seq 1 600 | xargs touch');
      expect(await failureOf(take(sandbox, { maxBytes: 2 ** 30, maxFiles: 500 }))).toMatch(
        /^SNAPSHOT_TOO_LARGE/,
      );
      await setUp(sandbox, 'head -c 3000000 /dev/urandom > large');
      expect(await failureOf(take(sandbox, { maxBytes: 2_000_000, maxFiles: 5_000 }))).toMatch(
        /^SNAPSHOT_TOO_LARGE/,
      );
      expect((await sandbox.calls()).filter(({ id }) => id.startsWith('snapshot-'))).toEqual([]);
    });

    test('a sandbox of the same programs has the same fingerprint, one of others another, one that is gone none', async () => {
      const [one, same] = [subject.spec(), subject.spec()];
      await made(one);
      await made(same);
      const print = (spec: SandboxSpec) => subject.driver.fingerprint!(spec);
      const found = await print(one);
      expect(found).toEqual(expect.any(String));
      expect(await print(same)).toBe(found);
      if (subject.otherSpec === undefined) return;
      const other = subject.otherSpec();
      await made(other);
      expect(await print(other)).toEqual(expect.any(String));
      expect(await print(other)).not.toBe(found);
      expect(await print(subject.spec())).toBeNull();
    });
  });
}
