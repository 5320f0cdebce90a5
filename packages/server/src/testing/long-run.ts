import type { NewEvent } from '../domain/events/index.ts';
import { runLimitsSchema } from '../domain/limits.ts';
import { blueprintSchema } from '../domain/blueprint.ts';
import { projectRun, readState } from '../runs/own-run.ts';
import type { Database } from '../store/database.ts';
import { claimRun } from '../store/runs/claim-run.ts';
import { readRun } from '../store/runs/read-run.ts';
import { makeWorker } from './owned-run.ts';
import { makeRun } from './project-run.ts';
import { openRunWriter, type RunWriter } from './run-writer.ts';

/** What a planned run's log begins with. */
export const planned: NewEvent = {
  type: 'run.planned',
  data: {
    base: { ref: 'main', commit: 'b'.repeat(40) },
    blueprint: blueprintSchema.parse({ version: 1, checks: [] }),
    source: { kind: 'detected', ecosystems: ['node'] },
    limits: runLimitsSchema.parse({ costUsd: 5, tokens: 1_000_000, steps: 1_000, minutes: 60, rounds: 2 }),
    models: {},
    simulated: true,
  },
};

/** A run of the real projection, and the pen of its owner. */
export async function ownedRun(
  db: Database,
  options: Parameters<typeof makeRun>[1] = {},
): Promise<{ readonly runId: string; readonly taskId: string; readonly writer: RunWriter }> {
  const { runId, taskId } = await makeRun(db, options);
  return { runId, taskId, writer: await penOf(db, runId) };
}

export async function penOf(db: Database, runId: string): Promise<RunWriter> {
  const ownership = await claimRun(db, runId, await makeWorker(db));
  if (ownership === null) throw new Error('the run has another owner');
  return openRunWriter(db, {
    ownership,
    head: (await readRun(db, runId)).head,
    state: await readState(db, runId),
    projection: projectRun,
    redact: (value) => value,
    signal: new AbortController().signal,
  });
}

/** One turn of an agent: a call of the model, a tool call, and now and then something that fails or is refused. */
export function turn(place: number): NewEvent[] {
  const step = '2:agent';
  const callId = `m-${place}`;
  const id = `c-${place}`;
  const failed = place % 7 === 3;
  const usage = {
    inputTokens: 1_000,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 50,
    reasoningTokens: 0,
  };
  const events: NewEvent[] = [
    {
      type: 'model.requested',
      data: {
        callId,
        step,
        slot: 'primary',
        model: 'test',
        reservedUsd: 0.01,
        reservedTokens: 2_000,
        repeated: false,
      },
    },
    {
      type: 'model.answered',
      data: {
        callId,
        step,
        model: 'test',
        parts: [{ type: 'text', text: `Turn ${place}: I look at the date test, as it fails in spring. ✓` }],
        finish: 'tool-calls',
        usage,
        costUsd: 0.001,
        durationMs: 900,
      },
    },
    {
      type: 'tool.started',
      data: { id, step, name: 'bash', input: { command: `npm test ${place}` }, sandboxId: 's-1' },
    },
    {
      type: 'tool.ended',
      data: {
        id,
        step,
        name: 'bash',
        text: failed ? `needle-${place} expected 1, got 2` : 'ok',
        isError: false,
        interrupted: false,
        summary: `npm test ${place}`,
        full: null,
        exitCode: failed ? 1 : 0,
        durationMs: 40,
      },
    },
  ];
  if (place % 50 === 10) {
    events.push({
      type: 'egress.decided',
      data: {
        host: 'files.example',
        port: 443,
        allowed: false,
        reason: 'not in the allow list',
        bytesUp: 0,
        bytesDown: 0,
      },
    });
  }
  return events;
}

/** Brings a run's log to at least `events` entries, in batches as a worker writes them. */
export async function fillRun(writer: RunWriter, events: number): Promise<void> {
  await writer.append([planned, { type: 'step.started', data: { key: '2:agent', kind: 'agent', round: 0 } }]);
  for (let place = 0; writer.head.seq < events;) {
    const batch: NewEvent[] = [];
    while (batch.length < 200) {
      batch.push(...turn(place));
      place += 1;
    }
    await writer.append(batch.slice(0, Math.max(1, events - writer.head.seq)));
  }
}
