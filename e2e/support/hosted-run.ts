/**
 * A process that hosts a server and one run, for crash tests: it kills itself with SIGKILL once the log holds the
 * entry it is told of. Started anew on the same data directory it goes on with that run, to its end.
 *
 * Environment: `BERTH_HOME`; `E2E_REQUEST` (JSON of `CreateTask`, for the first start); `E2E_RUN` (the run to go on
 * with); `E2E_KILL_AT` (`type:n`: at the n-th entry of that type, counted over the whole log).
 * `E2E_APPROVE_AS` approves every gate of the run, as this principal.
 * Prints `run <id>` and, at the end, `ended <JSON of the run>`.
 */
import { startServer } from '../../packages/server/src/main.ts';
import type { CreateTask } from '../../packages/server/src/domain/ports/control-plane.ts';

const { env } = process;
const killAt = env['E2E_KILL_AT'];
const [killType = '', killPlace = '0'] = killAt?.split(/:(?=\d+$)/) ?? [];
const counted = new Map<string, number>();

const server = await startServer({
  home: env['BERTH_HOME'] ?? '',
  env: {},
  parts: ['worker'],
  onProgress: (sentence) => process.stderr.write(`${sentence}\n`),
  onAppended: (_state, types) => {
    for (const type of types) counted.set(type, (counted.get(type) ?? 0) + 1);
    if (killAt !== undefined && (counted.get(killType) ?? 0) >= Number(killPlace))
      process.kill(process.pid, 'SIGKILL');
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
