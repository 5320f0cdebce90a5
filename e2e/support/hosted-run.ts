/**
 * A process that hosts a server and one run, for crash tests: it kills itself with SIGKILL once the log holds the
 * entry it is told of. Started anew on the same data directory it goes on with that run, to its end.
 *
 * Environment: `BERTH_HOME`; `E2E_REQUEST` (JSON of `CreateTask`, for the first start); `E2E_RUN` (the run to go on
 * with); `E2E_KILL_AT` (`type:n`: at the n-th entry of that type, counted over the whole log).
 * `E2E_KILL_AFTER_MS` (so long after that entry). `E2E_KILL_ON_BLOB` (`draft:n` or `whole:n`: once the blob store holds a
 * draft, or a blob, of at least n bytes that was not there at the start).
 * `E2E_KILL_AT_FILE`: as soon as this directory of a local forge (`refs/heads/berth`, `pull-requests`) holds something: what
 * was done is not in the log yet.
 * `E2E_APPROVE_AS` approves every gate of the run, as this principal.
 * Prints `run <id>` and, at the end, `ended <JSON of the run>`.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startServer } from '../../packages/server/src/main.ts';
import type { CreateTask } from '../../packages/server/src/domain/ports/control-plane.ts';

const { env } = process;
const killAt = env['E2E_KILL_AT'];
const [killType = '', killPlace = '0'] = killAt?.split(/:(?=\d+$)/) ?? [];
const counted = new Map<string, number>();

/** Runs on while the time passes: this is a moment in the middle of what it does. */
function after(ms: number): void {
  if (ms === 0) process.kill(process.pid, 'SIGKILL');
  else setTimeout(() => process.kill(process.pid, 'SIGKILL'), ms);
}

function sizes(kind: 'draft' | 'whole'): Map<string, number> {
  const root = join(env['BERTH_HOME'] ?? '', 'blobs');
  const found = new Map<string, number>();
  if (!existsSync(root)) return found;
  for (const folder of readdirSync(root)) {
    if ((folder === 'tmp') !== (kind === 'draft')) continue;
    for (const name of readdirSync(join(root, folder)))
      found.set(name, statSync(join(root, folder, name), { throwIfNoEntry: false })?.size ?? 0);
  }
  return found;
}

const [blobKind, blobBytes] = env['E2E_KILL_ON_BLOB']?.split(':') ?? [];
if (blobKind === 'draft' || blobKind === 'whole') {
  const before = sizes(blobKind);
  setInterval(() => {
    for (const [name, bytes] of sizes(blobKind))
      if (!before.has(name) && bytes >= Number(blobBytes)) process.kill(process.pid, 'SIGKILL');
  }, 1).unref();
}

const killAtFile = env['E2E_KILL_AT_FILE'];
if (killAtFile !== undefined) {
  const forges = join(env['BERTH_HOME'] ?? '', 'forge');
  const namesIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);
  setInterval(() => {
    for (const forge of namesIn(forges)) {
      const held = namesIn(join(forges, forge, killAtFile)).filter((name) =>
        /^[\w-]+(?:\.json)?$/.test(name),
      );
      if (held.length > 0) process.kill(process.pid, 'SIGKILL');
    }
  }, 1).unref();
}

const server = await startServer({
  home: env['BERTH_HOME'] ?? '',
  // Of the caller's own environment nothing but the engine counts.
  env: env['DOCKER_HOST'] === undefined ? {} : { DOCKER_HOST: env['DOCKER_HOST'] },
  parts: ['worker'],
  onProgress: (sentence) => process.stderr.write(`${sentence}\n`),
  onAppended: (_state, types) => {
    for (const type of types) counted.set(type, (counted.get(type) ?? 0) + 1);
    if (killAt !== undefined && (counted.get(killType) ?? 0) >= Number(killPlace))
      after(Number(env['E2E_KILL_AFTER_MS'] ?? 0));
  },
});

const { controlPlane } = server;
let runId = env['E2E_RUN'];
if (runId === undefined) {
  const request = JSON.parse(env['E2E_REQUEST'] ?? '{}') as CreateTask;
  runId = (await controlPlane.createTask(request)).run.id;
}
process.stdout.write(`run ${runId}\n`);
for await (const item of controlPlane.follow(runId, 0, AbortSignal.timeout(280_000))) {
  if ('event' in item && env['E2E_VERBOSE'] !== undefined)
    process.stderr.write(`${item.event.seq} ${item.event.type} ${item.event.title}\n`);
  if ('event' in item && item.event.type === 'gate.opened' && env['E2E_APPROVE_AS'] !== undefined) {
    const { gateId } = item.event.data as { gateId: string };
    const by = { id: env['E2E_APPROVE_AS'], tokenId: null };
    const decision = { verdict: 'approved', by, comment: null, tree: null } as const;
    // Not awaited, and again after each start: a gate is decided once.
    controlPlane.gates.decide(gateId, decision).catch(() => undefined);
  }
}
const run = await controlPlane.getRun(runId);
const events = await controlPlane.listEvents(runId, { afterSeq: 0, limit: 5_000 });
await new Promise<void>((resolve) => {
  process.stdout.write(`ended ${JSON.stringify({ run, events })}\n`, () => resolve());
});
await server.stop();
