import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../packages/client/src/index.ts';
import { systemClock } from '../packages/server/src/domain/clock.ts';
import type { SandboxRef } from '../packages/server/src/domain/ports/sandbox.ts';
import { openDatabase } from '../packages/server/src/store/database.ts';
import { bubblewrapIsMissing } from '../packages/server/src/testing/bubblewrap.ts';
import { makeRepository } from '../packages/server/src/testing/git-fixtures.ts';
import { canReadMemory, commandOf, sandboxProcesses, scanFiles, scanHost } from './isolation/host-scan.ts';
import { dataOf, openWorld, type RunResult, type World, withBlueprint } from './support/world.ts';

const canaryNamed = (name: string): string => `${name}-${randomBytes(15).toString('hex')}`;
const canaries = {
  forwarded: canaryNamed('fwd'),
  prefixed: canaryNamed('pre'),
  brokered: canaryNamed('brk'),
  model: canaryNamed('mdl'),
};
/** Only these are allowed inside, and nowhere outside. */
const exposedOnes = [canaries.forwarded, canaries.prefixed];
const hiddenOnes = [canaries.brokered, canaries.model];

/** A number of seconds that nothing else sleeps for: the test ends this sleep from outside, when it has looked. */
const restSeconds = 86_413;

/** Says what it was given in every form it can think of. */
const talk = `
echo "plain: $NPM_TOKEN $EXTRA"
printf %s "$NPM_TOKEN" | base64 -w0; echo
printf %s "x$NPM_TOKEN" | base64 -w0; echo
printf %s "$NPM_TOKEN" | od -An -tx1 | tr -d ' \\n'; echo
printf %s "$NPM_TOKEN" | cut -c1-9 | tr -d '\\n'; sleep 0.3; printf %s "$NPM_TOKEN" | cut -c10-; echo
echo "placeholder: $GITHUB_TOKEN"
echo "to stderr: $NPM_TOKEN" >&2
echo "$NPM_TOKEN" > /tmp/planted
`;

/** Names of files below a directory that hold a text. */
function filesWith(directory: string, needle: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => {
      try {
        return statSync(path).isFile() && readFileSync(path).includes(needle);
      } catch {
        return false;
      }
    });
}

describe.skipIf(bubblewrapIsMissing)('credentials of a whole run (bwrap is not installed)', () => {
  let world: World;
  let log = '';
  let live = '';
  let result: RunResult;
  let pullRequest = '';
  let answers = '';
  let inside: ReturnType<typeof scanHost> = {};
  let files: ReturnType<typeof scanFiles> = {};

  beforeAll(async () => {
    const directory = mkdtempSync('/var/tmp/berth-e2e-');
    const repository = makeRepository(join(directory, 'repositories', 'web'), { 'README.md': '# web\n' });
    mkdirSync(join(directory, 'home'), { mode: 0o700 });
    writeFileSync(join(directory, 'github-token'), `${canaries.brokered}\n`);
    writeFileSync(
      join(directory, 'home', 'berth.yaml'),
      `version: 1
models: { providers: { mine: { kind: anthropic, apiKey: "\${env:MINE}" } } }
secrets:
  - { name: npm, from: "\${env:NPM}", projects: [web] }
  - { name: github, from: "\${file:${directory}/github-token}", projects: [web] }
projects:
  - name: web
    repository: "${repository}"
    sandboxEnv: true
    forwardEnv: [{ name: NPM_TOKEN, secret: npm }]
    credentials:
      - name: github
        secret: github
        host: api.example.org
        env: GITHUB_TOKEN
        placement: { in: header, name: authorization, prefix: "Bearer " }
`,
    );
    world = await openWorld({
      directory,
      env: {
        NPM: canaries.forwarded,
        MINE: canaries.model,
        SANDBOX_ENV_EXTRA: canaries.prefixed,
        BERTH_LOG: 'debug',
      },
      log: { write: (line) => void (log += line), pretty: false },
    });
    // The work sandbox waits to be looked at.
    const fix = `${talk}\nsleep ${restSeconds} || true\necho yes > changed`;
    const blueprint = `version: 1
checks:
  - { name: change, kind: format, run: ${JSON.stringify(talk)}, fix: ${JSON.stringify(fix)}, timeoutMinutes: 5 }
steps: [check, verify, propose]
`;
    const text = `Use ${canaries.forwarded} for it`;
    const runId = await world.start(withBlueprint(repository, blueprint, { text }));
    await lookWhileItRests(runId);
    result = await world.ended(runId);
    const client = createClient({ socketPath: world.server.socketPath });
    const shown = [
      await client.getRun(runId),
      await client.getProject('web'),
      await client.listAudit({}),
      await client.getTask(result.run.task),
    ];
    answers = JSON.stringify(shown);
  });
  afterAll(() => world?.remove());

  /** Collects what is shown live until the sleep inside was found, looked at and ended. */
  async function lookWhileItRests(runId: string): Promise<void> {
    const looked = new AbortController();
    const signal = AbortSignal.any([AbortSignal.timeout(280_000), looked.signal]);
    const seen: { ref: SandboxRef | null } = { ref: null };
    const looking = (async () => {
      // Looked for again and again: the sleep begins after the last line before it was shown.
      while (!(seen.ref !== null && live.includes('to stderr') && lookInside(seen.ref)))
        await wait(50, null, { signal });
      looked.abort();
    })();
    looking.catch(() => undefined);
    try {
      for await (const item of world.server.controlPlane.follow(runId, 0, signal)) {
        if ('frame' in item) live += item.frame.text;
        if ('event' in item && item.event.type === 'sandbox.created')
          seen.ref ??= (item.event.data as { ref: SandboxRef }).ref;
      }
    } catch (error) {
      if (!looked.signal.aborted) throw error;
    }
    await looking;
  }

  /** False while nothing sleeps in the sandbox. */
  function lookInside(ref: SandboxRef): boolean {
    const pids = sandboxProcesses(ref);
    // Not the shell, in whose script the number stands too.
    const resting = pids.find((pid) => commandOf(pid) === ['sleep', restSeconds, ''].join('\0'));
    if (resting === undefined) return false;
    inside = scanHost(pids, canaries);
    files = scanFiles(resting, canaries);
    process.kill(resting, 'SIGKILL');
    return true;
  }

  test('the run went its whole way, with a pull request that names what was exposed', async () => {
    expect(result.run.pullRequest).not.toBeNull();
    expect(result.run.secrets).toEqual({
      exposed: ['EXTRA', 'NPM_TOKEN'],
      brokered: [{ name: 'github', host: 'api.example.org' }],
    });
    const given = dataOf<{ purpose: string; exposed: string[] }>(result, 'secrets.given');
    expect(new Set(given.map(({ purpose }) => purpose))).toEqual(new Set(['work', 'verify']));
    expect(given.every(({ exposed }) => exposed.join() === 'EXTRA,NPM_TOKEN')).toBe(true);
    pullRequest = filesOfForge();
    expect(pullRequest).toContain('exposed to this run');
    expect(pullRequest).toContain('NPM_TOKEN');
  });

  test.skipIf(!canReadMemory)(
    'inside, only what was forwarded is found: in memory, environment and files (needs root)',
    () => {
      for (const name of ['forwarded', 'prefixed']) {
        const places = new Set(inside[name]?.map(({ where }) => where));
        expect(places).toContain('memory');
        expect(places).toContain('environment');
      }
      expect(files['forwarded']).not.toEqual([]);
      expect(files).toMatchObject({ brokered: [], model: [] });
      expect(inside['brokered']).toEqual([]);
      expect(inside['model']).toEqual([]);
    },
  );

  test('the placeholder is inside instead of the brokered value', () => {
    expect(live).toMatch(/placeholder: berthplaceholder[0-9a-f]{40}/);
  });

  test('no canary, in any form, stands in events, live frames, log, answers or the pull request', () => {
    // Each scanner first finds what is there.
    expect(live).toContain('plain: [secret ');
    expect(log).toContain(result.run.id);
    const events = JSON.stringify(result.events);
    expect(events).toContain('[secret npm]');
    expect(answers).toContain('[secret npm]');
    const texts = { events, live, log, answers, pullRequest: filesOfForge() };
    for (const canary of [...exposedOnes, ...hiddenOnes]) {
      for (const form of formsOf(canary)) {
        for (const [name, text] of Object.entries(texts))
          expect({ name, found: text.includes(form) }).toEqual({ name, found: false });
      }
    }
  });

  test('nor in blobs or any other file of the data directory, nor in a dump of the database', async () => {
    const { home, databaseRoot } = world;
    const stored = filesWith(home, 'to stderr: [secret npm]');
    expect(stored).not.toEqual([]);
    const db = await openDatabase({
      home,
      rootDirectory: databaseRoot,
      clock: systemClock,
      signal: new AbortController().signal,
    });
    let dump = '';
    try {
      const tables = await sql<{ name: string }>`
        select format('%I.%I', schemaname, tablename) as name from pg_tables
        where schemaname not in ('pg_catalog', 'information_schema')`.execute(db.sql);
      for (const { name } of tables.rows) {
        const rows = await sql<{ row: string }>`select t::text as row from ${sql.raw(name)} t`.execute(
          db.sql,
        );
        dump += rows.rows.map(({ row }) => row).join('\n');
      }
    } finally {
      await db.close();
    }
    expect(dump).toContain(result.run.id);
    expect(dump).toContain('[secret npm]');
    for (const canary of [...exposedOnes, ...hiddenOnes]) {
      for (const form of formsOf(canary)) {
        expect(dump).not.toContain(form);
        expect(filesWith(home, form)).toEqual([]);
      }
    }
  });

  /** Forms that the command printed, and a half that a cut would leave. */
  function formsOf(canary: string): string[] {
    const bytes = Buffer.from(canary);
    const shifted = Buffer.from(`x${canary}`).toString('base64').slice(2, -4);
    return [canary, canary.slice(12), bytes.toString('base64').slice(0, -4), shifted, bytes.toString('hex')];
  }

  function filesOfForge(): string {
    const files = filesWith(world.home, 'Opened by Berth, run');
    return files.map((path) => readFileSync(path, 'utf8')).join('\n');
  }
});
