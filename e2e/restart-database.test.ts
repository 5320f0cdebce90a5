import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MemoryOnlyDriver } from '../bench/lib/memory-driver.ts';
import { createClient, socketPathOf } from '../packages/client/src/index.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import type { ExecRequest } from '../packages/server/src/domain/ports/sandbox.ts';
import { cassetteText, script } from '../packages/server/src/models/index.ts';
import { openDatabase, type Database } from '../packages/server/src/store/database.ts';
import { verifyChain } from '../packages/server/src/store/events/verify-chain.ts';
import { postmasterOf } from './support/postgres.ts';
import { dataOf, openWorld, type RunResult, withBlueprint, type World } from './support/world.ts';

const runs = 50;
const commands = 3;
const blueprint = 'version: 1\nsteps: [agent]\n';

interface Spent {
  readonly costUsd: number;
  readonly tokens: number;
  readonly calls: number;
}

/**
 * PostgreSQL goes away twice in the middle of fifty runs. Everything is real but the model (a cassette) and the sandboxes,
 * which are simulated in this process: fifty real ones would measure the machine. They count what is executed in them.
 */
describe('PostgreSQL restarted under 50 runs (sandboxes and model simulated)', () => {
  let world: World;
  let db: Database;
  const executions = new Map<string, number>();
  const restarts: {
    readonly at: number;
    readonly signal: NodeJS.Signals;
    pid: number | null;
    running: number;
  }[] = [
    { at: runs, signal: 'SIGKILL', pid: null, running: 0 },
    // PostgreSQL calls this a fast shutdown: sessions are ended, everything is written, the process ends with 0.
    { at: 2 * runs, signal: 'SIGINT', pid: null, running: 0 },
  ];
  let started = 0;
  let ended = 0;
  /** No command ends before all runs are in the middle of one. */
  const allStarted = Promise.withResolvers<void>();

  beforeAll(async () => {
    world = await openWorld({
      driver: new MemoryOnlyDriver(execute),
      maxRuns: runs,
      onAppended: (state, types) => {
        started += types.filter((type) => type === 'tool.started').length;
        if (started >= runs) allStarted.resolve();
        if (types.includes('run.ended') && state.ended !== null) ended += 1;
        const next = restarts.find((one) => one.pid === null);
        if (next === undefined || started < next.at) return;
        next.pid = postmasterOf(world);
        next.running = runs - ended;
        process.kill(next.pid ?? 0, next.signal);
      },
    });
    db = await openDatabase({
      home: world.home,
      rootDirectory: world.databaseRoot,
      clock: systemClock,
      signal: new AbortController().signal,
    });
  });
  afterAll(async () => {
    await db.close();
    await world.remove();
  });

  async function execute({ command }: ExecRequest): Promise<string> {
    const text = 'argv' in command ? (command.argv.at(-1) ?? '') : command.script;
    if (!text.startsWith('count ')) return '';
    executions.set(text, (executions.get(text) ?? 0) + 1);
    await allStarted.promise;
    await wait(150);
    return `done: ${text}`;
  }

  const start = (place: number): Promise<string> => {
    const cassette = join(world.directory, `run-${place}.jsonl`);
    const calls = Array.from({ length: commands }, (_, step) => ({
      toolCalls: [{ name: 'bash', input: { command: `count ${place}.${step}` } }],
    }));
    const finish = { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Counted.' } }] };
    writeFileSync(cassette, cassetteText(script([...calls, finish])));
    const repository = join(world.directory, 'repositories', `sample-${place % 5}`);
    return world.start(
      withBlueprint(repository, blueprint, { text: `Count ${place}`, cassette, propose: false }),
    );
  };

  const spentBy = (result: RunResult): Spent => {
    const answers = dataOf<{ costUsd: number; usage: { inputTokens: number; outputTokens: number } }>(
      result,
      'model.answered',
    );
    return total(
      answers.map(({ costUsd, usage }) => ({
        costUsd,
        tokens: usage.inputTokens + usage.outputTokens,
        calls: 1,
      })),
    );
  };

  test('every run succeeds; no entry, command or cent is lost or doubled; the record holds', async () => {
    for (let place = 0; place < 5; place += 1) world.repository(`sample-${place}`);
    const before = Date.now();
    const ids: string[] = [];
    for (let place = 0; place < runs; place += 1) ids.push(await start(place));
    const results = await Promise.all(ids.map((id) => world.ended(id)));
    if (process.env['E2E_VERBOSE'] !== undefined)
      process.stderr.write(`${JSON.stringify({ tookMs: Date.now() - before, restarts })}\n`);

    // Both restarts happened to a living server, while runs were on their way.
    expect(restarts.map((one) => one.pid)).not.toContain(null);
    expect(new Set([...restarts.map((one) => one.pid), postmasterOf(world)]).size).toBe(3);
    expect(restarts.map((one) => one.running)).toEqual([runs, runs]);

    for (const result of results) {
      const { run, events } = result;
      expect(run.status).toMatchObject({ state: 'succeeded' });
      expect(events.map((event) => event.seq)).toEqual(events.map((_, place) => place + 1));
      expect(await verifyChain(db, run.id)).toEqual({ ok: true, entries: run.seq, erased: 0 });
      expect(dataOf(result, 'run.ended')).toHaveLength(1);
      expect(
        dataOf(result, 'tool.ended').filter((data) => JSON.stringify(data).includes('done: count')),
      ).toHaveLength(commands);
      expect(run.costUsd).toBeCloseTo(spentBy(result).costUsd, 9);
    }
    expect(executions.size).toBe(runs * commands);
    expect([...executions].filter(([, times]) => times !== 1)).toEqual([]);

    const logged = total(results.map(spentBy));
    expect(logged.calls).toBe(runs * (commands + 1));
    await expectMoney(logged);
    expect(await verdictOfRecord()).toMatchObject({ ok: true, findings: [], runs });
  });

  /** The ledger, the runs' own limits and the budgets of the installation each hold what the logs say, and nothing is reserved. */
  async function expectMoney(logged: Spent): Promise<void> {
    const { rows } = await sql<Record<string, string>>`
      select 'ledger' as place, sum(cost_usd) as usd, sum(input_tokens + output_tokens) as tokens, sum(calls) as calls,
        sum(lost_tokens) as open from usage_ledger
      union all select 'runs', sum(used_usd), sum(used_tokens), sum(used_steps), sum(reserved_tokens + reserved_steps)
        from run_budgets
      union all select per, used_usd, used_tokens, ${logged.calls}::int, reserved_tokens from budget_use
        where scope = 'installation'`.execute(db.sql);
    expect(new Set(rows.map((row) => row['place']))).toEqual(
      new Set(['ledger', 'runs', 'day', 'week', 'month']),
    );
    expect(rows).toHaveLength(5);
    for (const { place, usd, tokens, calls, open } of rows) {
      expect({ place, tokens: Number(tokens), calls: Number(calls), open: Number(open) }).toEqual({
        place,
        tokens: logged.tokens,
        calls: logged.calls,
        open: 0,
      });
      // Each call is rounded up to a millionth of a cent.
      expect(Math.abs(Number(usd) - logged.costUsd)).toBeLessThan(logged.calls * 1e-8 + 1e-9);
    }
  }

  async function verdictOfRecord(): Promise<unknown> {
    const client = createClient({ socketPath: socketPathOf(world.home) });
    const text = await new Response(await client.verifyAudit()).text();
    const last = JSON.parse(text.trim().split('\n').at(-1) ?? '{}') as { verdict?: unknown };
    return last.verdict;
  }
});

function total(parts: readonly Spent[]): Spent {
  return parts.reduce(
    (sum, part) => ({
      costUsd: sum.costUsd + part.costUsd,
      tokens: sum.tokens + part.tokens,
      calls: sum.calls + part.calls,
    }),
    { costUsd: 0, tokens: 0, calls: 0 },
  );
}
