import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../packages/client/src/index.ts';
import type { SandboxRef } from '../packages/server/src/domain/ports/sandbox.ts';
import { gitIn, makeRepository } from '../packages/server/src/testing/git-fixtures.ts';
import { TestGitHub } from '../packages/server/src/testing/github/test-forge.ts';
import { removeHomes } from '../packages/server/src/testing/remove-homes.ts';
import { canReadMemory, sandboxProcesses, scanFiles, scanHost } from './isolation/host-scan.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { live, request } from './support/start-run.ts';
import { openWorld, type RunResult, withBlueprint, type World } from './support/world.ts';

const blueprint = (fix: string): string => `version: 1
checks:
  - { name: change, kind: format, run: "grep -q yes changed", fix: ${JSON.stringify(fix)}, timeoutMinutes: 5 }
steps: [check, verify, propose]
`;

/** A GitHub with one repository, and a data directory that is configured for it. */
async function prepare(fix: string): Promise<{ directory: string; github: TestGitHub }> {
  const directory = mkdtempSync('/var/tmp/berth-e2e-');
  const source = makeRepository(join(directory, 'source'), {
    'README.md': '# web\n',
    changed: 'no\n',
    '.berth/blueprint.yaml': blueprint(fix),
  });
  mkdirSync(join(directory, 'github'));
  const github = new TestGitHub(join(directory, 'github'), source);
  await github.start();
  writeFileSync(join(directory, 'key.pem'), github.privateKey);
  return { directory, github };
}

function configure(home: string, directory: string, github: TestGitHub): void {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const app = `{ id: ${github.appId}, privateKey: "\${file:${directory}/key.pem}" }`;
  writeFileSync(
    join(home, 'berth.yaml'),
    `version: 1
forges: [{ name: hub, kind: github, url: "${github.url}", app: ${app} }]
projects: [{ name: web, repository: "${github.repository}" }]
`,
  );
}

describe.skipIf(bubblewrapMissing !== null)(
  `a worker that is killed, on GitHub (${bubblewrapMissing ?? 'with bubblewrap'})`,
  () => {
    test.each(['proposal.pushed:1', 'proposal.opened:1'])(
      'at %s: one branch and one pull request',
      async (moment) => {
        const { directory, github } = await prepare('echo yes > changed');
        try {
          const home = join(directory, 'home');
          configure(home, directory, github);
          const first = await live(home, {
            E2E_KILL_AT: moment,
            E2E_REQUEST: JSON.stringify(request(github.repository, { text: 'Change it' })),
          });
          expect(first).toMatchObject({ killed: true });
          expect(github.state.pulls).toHaveLength(moment === 'proposal.pushed:1' ? 0 : 1);
          const second = await live(home, { E2E_RUN: first.runId ?? 'latest' });
          expect(second).toMatchObject({ ended: { run: { status: { state: 'succeeded' } } } });
          expect(github.state.pulls).toHaveLength(1);
          expect(github.state.pulls[0]).toMatchObject({ state: 'open', draft: false });
          const branches = gitIn(github.state.directory, ['branch', '--format=%(refname:short)']).split('\n');
          expect(branches.filter((name) => name.startsWith('berth/'))).toHaveLength(1);
          expect(github.faultsOfForm).toEqual([]);
        } finally {
          await github.stop();
          removeHomes(directory);
        }
      },
    );
  },
);

/** Longer than anything else sleeps: the test ends it when it has looked. */
const restSeconds = 86_417;
const planted = 'planted-canary-5d1f0c';

describe.skipIf(bubblewrapMissing !== null)(
  `a run on GitHub (${bubblewrapMissing ?? 'with bubblewrap'})`,
  () => {
    let directory: string;
    let github: TestGitHub;
    let world: World;
    let log = '';
    let result: RunResult;
    let inside: ReturnType<typeof scanHost> = {};
    let files: ReturnType<typeof scanFiles> = {};
    const commandLines: string[] = [];

    beforeAll(async () => {
      const fix = `export PLANTED=${planted}; echo $PLANTED > /tmp/planted; sleep ${restSeconds} || true; echo yes > changed`;
      ({ directory, github } = await prepare('true'));
      configure(join(directory, 'home'), directory, github);
      github.onGit = () => {
        for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
          try {
            commandLines.push(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
          } catch {
            continue;
          }
        }
      };
      world = await openWorld({
        directory,
        env: { BERTH_LOG: 'debug' },
        log: { write: (line) => void (log += line), pretty: false },
      });
      const runId = await world.start(
        withBlueprint(github.repository, blueprint(fix), { text: 'Change it' }),
      );
      await lookWhileItRests(runId);
      result = await world.ended(runId);
    }, 280_000);
    afterAll(async () => {
      await world?.remove();
      await github?.stop();
    });

    /** All tokens that were minted, in the forms they were used in. */
    const needles = (): Record<string, string> =>
      Object.fromEntries(
        [...github.state.tokens.keys()].flatMap((token, place) => [
          [`token ${place}`, token],
          [`basic ${place}`, Buffer.from(`x-access-token:${token}`).toString('base64')],
        ]),
      );

    async function lookWhileItRests(runId: string): Promise<void> {
      let ref: SandboxRef | null = null;
      for await (const item of world.server.controlPlane.follow(runId, 0, AbortSignal.timeout(200_000))) {
        if ('event' in item && item.event.type === 'sandbox.created')
          ref ??= (item.event.data as { ref: SandboxRef }).ref;
        if ('event' in item && item.event.type === 'command.started' && ref !== null) break;
      }
      if (ref === null) throw new Error('there was no sandbox');
      for (let tries = 0; tries < 600; tries += 1) {
        const pids = sandboxProcesses(ref);
        const resting = pids.find((pid) => commandOf(pid) === ['sleep', restSeconds, ''].join('\0'));
        if (resting !== undefined) {
          const all = { ...needles(), planted };
          inside = scanHost(pids, all);
          files = scanFiles(resting, all);
          process.kill(resting, 'SIGKILL');
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      throw new Error('nothing rested in the sandbox');
    }

    test('it was fetched and pushed with tokens of one repository, and is one ready pull request', () => {
      expect(result.run.status).toMatchObject({ state: 'succeeded' });
      expect(github.state.pulls).toHaveLength(1);
      expect(github.state.pulls[0]).toMatchObject({ draft: false, base: 'main', state: 'open' });
      expect(result.run.pullRequest).toMatchObject({ number: 1, url: `${github.url}/acme/web/pull/1` });
      const held = [...github.state.tokens.values()];
      expect(held.length).toBeGreaterThanOrEqual(3);
      expect(held.every((one) => one.repositories?.join() === 'web')).toBe(true);
      expect(held.map((one) => one.permissions)).toContainEqual({ contents: 'read' });
      expect(github.gitSeen.every((one) => one.status === 200)).toBe(true);
      expect(github.faultsOfForm).toEqual([]);
    });

    test.skipIf(!canReadMemory)('no token is in the sandbox: memory, environment, files (needs root)', () => {
      expect(inside['planted']).not.toEqual([]);
      expect(files['planted']).not.toEqual([]);
      const { planted: _, ...found } = { ...inside };
      const { planted: __, ...stored } = { ...files };
      expect(Object.keys(found).length).toBeGreaterThan(0);
      expect(Object.values(found).flat()).toEqual([]);
      expect(Object.values(stored).flat()).toEqual([]);
    });

    test('nor in an event, the log, a file of the data directory, or the arguments of any process', () => {
      const stored = filesBelow(join(directory, 'home')).filter((path) => !path.endsWith('berth.yaml'));
      expect(stored.length).toBeGreaterThan(5);
      expect(commandLines.some((line) => line.includes('ls-remote'))).toBe(true);
      expect(log).toContain(result.run.id);
      const events = JSON.stringify(result.events);
      for (const needle of Object.values(needles())) {
        expect(events.includes(needle)).toBe(false);
        expect(log.includes(needle)).toBe(false);
        expect(commandLines.some((line) => line.includes(needle))).toBe(false);
        expect(stored.filter((path) => readFileSync(path).includes(needle))).toEqual([]);
      }
    });

    test('the doctor says that the credential works', async () => {
      const { checks } = await world.server.controlPlane.doctor();
      expect(checks.find((check) => check.id === 'forge')).toMatchObject({
        state: 'pass',
        sentence: 'hub: works as berth-test[bot] (App); may push and propose on 1 repository',
      });
    });

    test('it is listed with its address on GitHub', async () => {
      const client = createClient({ socketPath: world.server.socketPath });
      const listed = await client.listProposals({});
      expect(JSON.stringify(listed)).toContain(`${github.url}/acme/web/pull/1`);
    });

    test('a person merges it', async () => {
      const merged = await world.server.controlPlane.mergeProposal(result.run.id, 'anna');
      expect(merged.pr).toMatchObject({ state: 'merged' });
      expect(gitIn(github.state.directory, ['cat-file', 'blob', 'main:changed'])).toBe('yes');
      const words = gitIn(github.state.directory, ['log', '-1', '--format=%B', 'main']);
      expect(words).toContain('Merged with Berth by anna');
    });
  },
);

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => {
      try {
        return statSync(path).isFile();
      } catch {
        return false;
      }
    });
}
