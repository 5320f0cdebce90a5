import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cassetteText, script } from '../packages/server/src/models/index.ts';
import type { EventView, RunView } from '../packages/server/src/domain/views.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { live, type Life, place, type Place, request } from './support/start-run.ts';

/**
 * Promise 3: `kill -9` of the worker at any moment; the run goes on, no event is lost or doubled, and no command is
 * repeated on a living sandbox. Every check and tool call adds a line to a file of the sandbox that is not part of the
 * change and prints how many there are, so the log itself shows how often each was executed.
 */
const count = 'echo x >> "$HOME/executions"; wc -l < "$HOME/executions"';

/** Its setup leaves a pipe, of which no snapshot is made: a crash must not change how often anything is executed. */
const files = {
  'README.md': '# sample\n',
  'greeting.txt': 'helo\n',
  '.berth/blueprint.yaml': `version: 1
name: crash
setup:
  - run: '${count}; mkfifo "$HOME/pipe"'
checks:
  - name: spelling
    kind: test
    run: '${count}; sleep 0.2; grep -qx hello greeting.txt'
`,
};

const cassette = cassetteText(
  script([
    { say: 'I look.', toolCalls: [{ name: 'bash', input: { command: `${count}; cat greeting.txt` } }] },
    { toolCalls: [{ name: 'edit', input: { path: 'greeting.txt', old: 'helo', new: 'helloo' } }] },
    { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled.' } }] },
    { toolCalls: [{ name: 'edit', input: { path: 'greeting.txt', old: 'helloo', new: 'hello' } }] },
    { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled right.' } }] },
  ]),
);

interface Outcome {
  readonly tree: string;
  readonly commit: string;
  readonly executions: readonly string[];
  readonly pullRequests: number;
  readonly run: RunView;
}

describe.skipIf(bubblewrapMissing !== null)(`crash (${bubblewrapMissing ?? 'with bubblewrap'})`, () => {
  let here: Place;
  let cassettePath: string;
  let undisturbed: { readonly outcome: Outcome; readonly events: readonly EventView[] };

  beforeAll(async () => {
    here = place(files);
    cassettePath = join(here.directory, 'cassette.jsonl');
    writeFileSync(cassettePath, cassette);
    const life = await live(join(here.directory, 'undisturbed'), { E2E_REQUEST: asked() });
    if (life.ended === null) throw new Error(`the undisturbed run did not end: ${life.stderr}`);
    undisturbed = { outcome: outcomeOf(life), events: life.ended.events };
  });
  afterAll(() => here.remove());

  const asked = (): string =>
    JSON.stringify(request(here.repository, { text: 'Mend the greeting', cassette: cassettePath }));

  /** Kills at each of the moments in turn, one life after the other, on one data directory; at least so many times. */
  const crashAt = async (home: string, moments: readonly string[], leastKills: number): Promise<void> => {
    // A kill at the very first entry comes before anybody was told of the run: it is the newest of the list.
    let runId = 'latest';
    let kills = 0;
    for (const [place, moment] of moments.entries()) {
      const life = await live(home, {
        E2E_KILL_AT: moment,
        ...(place === 0 ? { E2E_REQUEST: asked() } : { E2E_RUN: runId }),
      });
      runId = life.runId ?? runId;
      if (life.ended !== null) break;
      if (!life.killed) throw new Error(`it was not killed at ${moment}: ${life.stderr}`);
      kills += 1;
    }
    expect(kills).toBeGreaterThanOrEqual(leastKills);
    const last = await live(home, { E2E_RUN: runId });
    if (last.ended === null) throw new Error(`it did not end: ${last.stderr}`);
    const outcome = outcomeOf(last);
    expect(outcome.run.status).toMatchObject({ state: 'succeeded' });
    expect(outcome.tree).toBe(undisturbed.outcome.tree);
    expect(outcome.executions).toEqual(undisturbed.outcome.executions);
    expect(outcome.pullRequests).toBe(1);
    const { events } = last.ended;
    expect(events.map((event) => event.seq)).toEqual(events.map((_, place) => place + 1));
  };

  test('the undisturbed run goes through a failing check, a repair and a verification', () => {
    expect(undisturbed.outcome.run.status).toMatchObject({ state: 'succeeded' });
    expect(undisturbed.events.map((event) => event.type)).toContain('agent.told');
    expect(
      undisturbed.events.filter((event) => event.type === 'check.judged').map((event) => event.title),
    ).toEqual(['spelling failed', 'spelling passed', 'spelling passed']);
  });

  const kinds = [
    'run.owned',
    'run.planned',
    'step.started',
    'context.prefetched',
    'sandbox.created',
    'command.started',
    'command.ended',
    'agent.briefed',
    'model.requested',
    'model.answered',
    'tool.started',
    'tool.planned',
    'tool.ended',
    'agent.finished',
    'check.judged',
    'checkpoint.saved',
    'agent.told',
    'proposal.made',
    'proposal.pushed',
    'proposal.opened',
  ];
  // Every fourth kind in one run: a process and a whole run for each of them alone takes three times as long. Between
  // two moments each life still does work of its own, and all begin with a server that was killed.
  const runs = [0, 1, 2, 3].map((first) => kinds.filter((_, place) => place % 4 === first));
  test.each(runs.map((moments) => [moments.join(', '), moments] as const))(
    'killed at the first %s',
    async (_names, moments) => {
      // One data directory for all of them: a new one costs two seconds.
      const home = join(here.directory, 'killed');
      await crashAt(
        home,
        moments.map((kind) => `${kind}:1`),
        moments.length,
      );
    },
  );

  test.each(['refs/heads/berth', 'pull-requests'])(
    'killed when the local forge has something in %s, before the log can say so',
    async (directory) => {
      const home = join(here.directory, `killed-at-${directory.replaceAll('/', '-')}`);
      const first = await live(home, { E2E_REQUEST: asked(), E2E_KILL_AT_FILE: directory });
      if (!first.killed) throw new Error(`it was not killed: ${first.stderr}`);
      const last = await live(home, { E2E_RUN: first.runId ?? 'latest' });
      if (last.ended === null) throw new Error(`it did not end: ${last.stderr}`);
      const outcome = outcomeOf(last);
      expect(outcome.run.status).toMatchObject({ state: 'succeeded' });
      expect(outcome.tree).toBe(undisturbed.outcome.tree);
      expect(outcome.pullRequests).toBe(1);
      const [forge] = readdirSync(join(home, 'forge')).filter((name) => name.endsWith('.git'));
      const stored = readdirSync(join(home, 'forge', forge!, 'pull-requests'));
      expect(stored.filter((name) => name.endsWith('.json'))).toEqual(['1.json']);
      expect(readdirSync(join(home, 'forge', forge!, 'refs/heads/berth'))).toHaveLength(1);
    },
  );

  test('killed again and again at random moments (seeded)', async () => {
    const random = generator(20_260_101);
    const types = undisturbed.events.map((event) => event.type);
    const moments = Array.from({ length: 6 }, () => {
      const type = types[Math.floor(random() * types.length)]!;
      return `${type}:${1 + Math.floor(random() * 2)}`;
    });
    await crashAt(join(here.directory, 'random'), moments, 1);
  }, 900_000);

  function outcomeOf(life: Life): Outcome {
    const { run, events } = life.ended!;
    const made = events.findLast((event) => event.type === 'proposal.made');
    const proposal = made?.data as { commit: string; tree: string } | undefined;
    const executions = events
      .filter((event) => event.type === 'command.ended' || event.type === 'tool.ended')
      .map((event) => counted(event));
    return {
      tree: proposal?.tree ?? '',
      commit: proposal?.commit ?? '',
      executions,
      pullRequests: events.filter((event) => event.type === 'proposal.opened').length,
      run,
    };
  }

  /** What a call printed of the counter. */
  function counted(event: EventView): string {
    const data = event.data as { tail?: string; text?: string };
    return /^\s*\d+$/m.exec(data.tail ?? data.text ?? '')?.[0].trim() ?? '-';
  }
});

/** A small seeded generator (mulberry32): the same moments on every machine. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}
