import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cassetteText, script } from '../packages/server/src/models/index.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { live, place, type Life, type Place, request } from './support/start-run.ts';

/**
 * A whole run with gates, killed around each of them: it is approved once, what was approved is what is pushed, and the
 * run goes on to the same pull request.
 */
const files = {
  'greeting.txt': 'helo\n',
  '.berth/blueprint.yaml': `version: 1
name: gated
checks:
  - name: spelling
    kind: test
    run: 'grep -qx hello greeting.txt'
`,
};

const cassette = cassetteText(
  script([
    { toolCalls: [{ name: 'edit', input: { path: 'greeting.txt', old: 'helo', new: 'hello' } }] },
    { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Spelled.' } }] },
  ]),
);

const configuration = `version: 1
gates:
  at: [start, proposal]
  selfApproval: false
`;

describe.skipIf(bubblewrapMissing !== null)(`gates (${bubblewrapMissing ?? 'with bubblewrap'})`, () => {
  let here: Place;
  let cassettePath: string;
  /** One data directory for all: a new one costs two seconds, and a server that was killed has had runs before. */
  let home: string;
  beforeAll(() => {
    here = place(files);
    cassettePath = join(here.directory, 'cassette.jsonl');
    writeFileSync(cassettePath, cassette);
    home = join(here.directory, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'berth.yaml'), configuration);
  });
  afterAll(() => here.remove());

  const asked = (): string =>
    JSON.stringify(request(here.repository, { text: 'Mend the greeting', cassette: cassettePath }));

  test.each([
    'gate.opened:1',
    // The decision is in the inbox, and whoever owns the run then has not made it an event yet.
    'run.owned:2',
    'gate.decided:1',
    'gate.opened:2',
    'run.owned:3',
    'gate.decided:2',
    'proposal.pushed:1',
  ])('killed at %s, it is approved once and ends with the approved tree', async (moment) => {
    const first = await live(home, {
      E2E_KILL_AT: moment,
      E2E_REQUEST: asked(),
      E2E_APPROVE_AS: 'ben@example.com',
    });
    expect([first.killed, first.stderr]).toEqual([true, first.stderr]);
    const last = await live(home, { E2E_RUN: first.runId ?? 'latest', E2E_APPROVE_AS: 'ben@example.com' });
    checkEnd(last);
  });

  function checkEnd(life: Life): void {
    if (life.ended === null) throw new Error(`it did not end: ${life.stderr}`);
    const { run, events } = life.ended;
    expect(run.status).toMatchObject({ state: 'succeeded' });
    const of = (type: string) => events.filter((event) => event.type === type);
    expect(of('gate.opened').map((event) => (event.data as { at: string }).at)).toEqual([
      'start',
      'proposal',
    ]);
    expect(of('gate.decided').map((event) => (event.data as { verdict: string }).verdict)).toEqual([
      'approved',
      'approved',
    ]);
    const { proposal } = of('gate.opened')[1]!.data as { proposal: { commit: string; tree: string } };
    expect(of('proposal.pushed').map((event) => (event.data as { commit: string }).commit)).toEqual([
      proposal.commit,
    ]);
    expect(of('proposal.opened')).toHaveLength(1);
    // Nothing ran before the first approval, and nothing was pushed before the second.
    const seqOf = (type: string, nth = 0): number => of(type)[nth]?.seq ?? Infinity;
    expect(seqOf('step.started')).toBeGreaterThan(seqOf('gate.decided'));
    expect(seqOf('proposal.pushed')).toBeGreaterThan(seqOf('gate.decided', 1));
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    const at = execFileSync('git', ['-C', here.repository, 'rev-parse', 'HEAD']).toString().trim();
    expect(run.base?.commit).toBe(at);
  }
});
