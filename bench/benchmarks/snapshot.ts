import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sandbox } from '../../packages/server/src/domain/ports/sandbox.ts';
import { deliverRepository } from '../../packages/server/src/git/deliver-repository.ts';
import { openProject } from '../../packages/server/src/git/mirror.ts';
import { resolveBase } from '../../packages/server/src/git/base-ref.ts';
import { packFor } from '../../packages/server/src/git/shallow-pack.ts';
import { putSnapshot, takeSnapshot } from '../../packages/server/src/sandboxes/snapshots/transfer.ts';
import { directoryBlobs } from '../../packages/server/src/store/blobs/directory-blobs.ts';
import type { BenchmarkContext, Measured } from '../lib/benchmark.ts';
import { sampleRepository } from '../lib/sample-repository.ts';
import { bubblewrapDriver, mebibyte, newSpec, runCommand } from '../lib/sandbox.ts';
import { median, timed } from '../lib/statistics.ts';

/** A tree as package managers leave it: packages of ten files of 0.3 to 4 KiB that look like sources. */
const makeFiles = `
const { mkdirSync, writeFileSync } = require('node:fs');
const count = Number(process.argv[1]);
let seed = 1;
const next = () => (seed = (seed * 1103515245 + 12345) % 2147483648);
for (let at = 0; at < count; at += 1) {
  const folder = 'node_modules/package-' + Math.floor(at / 10) + '/lib';
  if (at % 10 === 0) mkdirSync(folder, { recursive: true });
  let text = '';
  for (let lines = 8 + (next() % 100); lines > 0; lines -= 1) text += 'export const v' + next().toString(36) + ' = ' + next() + ';\\n';
  writeFileSync(folder + '/file-' + (at % 10) + '.js', text);
}
`;

export async function run(context: BenchmarkContext): Promise<Measured> {
  const { quick, directory, signal } = context;
  const files = quick ? 2_000 : 100_000;
  const driver = bubblewrapDriver(context);
  const blobs = directoryBlobs(join(directory, 'blobs'));
  const repository = sampleRepository(directory);
  const mirror = await openProject({ home: join(directory, 'home'), repository, signal });
  const { commit } = await resolveBase(mirror, null, signal);
  const pack = await packFor(mirror, commit, {}, signal);
  const filled = async (): Promise<Sandbox> => {
    const sandbox = await driver.create(newSpec(), signal);
    await deliverRepository(sandbox, { callId: 'deliver', pack, branch: 'work', signal });
    return sandbox;
  };
  const made: Sandbox[] = [];
  try {
    const first = await filled();
    made.push(first);
    const script = `cd repo && exec node -e "$0" "$1"`;
    const [setupMs = 0] = await timed(1, () =>
      runCommand(first, ['sh', '-c', script, makeFiles, String(files)], { signal }),
    );
    let kept = await takeSnapshot(first, commit, { blobs, signal });
    const makings = await timed(quick ? 1 : 3, async () => {
      kept = await takeSnapshot(first, commit, { blobs, signal });
    });
    const restorings: number[] = [];
    for (let index = 0; index < (quick ? 1 : 3); index += 1) {
      const sandbox = await filled();
      made.push(sandbox);
      restorings.push(...(await timed(1, () => putSnapshot(sandbox, kept, { blobs, signal }))));
      await runCommand(sandbox, ['test', '-f', `repo/node_modules/package-${files / 10 - 1}/lib/file-9.js`], {
        signal,
      });
      await made.pop()?.destroy();
    }
    const digits = kept.blob.replace('sha256-', '');
    const { size } = await stat(join(directory, 'blobs', digits.slice(0, 2), digits));
    const restoring = median(restorings);
    return {
      figures: [
        {
          name: 'restored into a fresh sandbox, median',
          value: restoring,
          unit: 'ms',
          ...(quick ? {} : { goal: { below: 15_000 } }),
        },
        { name: 'made (the agent waits so long, once), median', value: median(makings), unit: 'ms' },
        { name: 'files restored', value: (kept.files / restoring) * 1_000, unit: 'per second' },
        { name: 'unpacked, as a tar', value: kept.bytes / mebibyte, unit: 'MiB' },
        { name: 'stored', value: size / mebibyte, unit: 'MiB' },
        { name: 'writing the same files inside, without any network', value: setupMs, unit: 'ms' },
      ],
      notes: [
        `${files.toLocaleString('en')} files and their folders, in a sandbox whose disk is the driver’s`,
      ],
    };
  } finally {
    for (const sandbox of made) await sandbox.destroy();
  }
}
