import { copyFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../packages/server/src/domain/ports/control-plane.ts';
import { type Ended, hostServer, type HostedServer } from './support/hosted-server.ts';
import { bubblewrapMissing } from './support/parts.ts';
import { commitAll } from './support/start-run.ts';

const bash = (command: string, say = 'I do it.') => ({
  say,
  toolCalls: [{ name: 'bash', input: { command } }],
});
const finish = { toolCalls: [{ name: 'finish', input: { result: 'done', summary: 'Done.' } }] };

const blueprint = [
  'version: 1',
  'name: second',
  'checks:',
  '  - name: greeting',
  '    kind: test',
  '    run: grep -qx hello greeting.txt',
  'limits:',
  '  rounds: 0',
  '',
].join('\n');

describe.skipIf(bubblewrapMissing !== null)(
  `runs made from runs (${bubblewrapMissing ?? 'with bubblewrap'})`,
  () => {
    let hosted: HostedServer;
    let control: ControlPlane;
    let repository: string;
    let cassette: string;
    let first: Ended;

    beforeAll(async () => {
      hosted = await hostServer();
      control = hosted.server().controlPlane;
      repository = hosted.repository({ 'greeting.txt': 'helo\n', '.berth/blueprint.yaml': blueprint });
      cassette = hosted.cassette([
        bash(
          [
            'echo hello > greeting.txt; mkdir -p docs/deep; echo "# Café" > docs/deep/page.md',
            'ln -s /etc/passwd secrets; ln -s ../.. docs/up; mkdir "odd $(printf \'\\033\')name"; touch odd*/x',
            'printf "ignored.txt\\n" > .gitignore; echo kept > ignored.txt; chmod +x greeting.txt',
            'head -c 6000000 /dev/zero > large.bin; git init -q nested; echo n > nested/file',
          ].join('\n'),
          'First I spell the word right.',
        ),
        finish,
      ]);
      first = await hosted.end(await hosted.start(repository, { text: 'Spell the word right', cassette }));
    });
    afterAll(async () => hosted.close());

    const checkpoints = (): number[] =>
      first.events.filter((event) => event.type === 'checkpoint.saved').map((event) => event.seq);

    test('at a checkpoint the diff is that of its tree, and another entry answers with the nearest earlier one', async () => {
      const saved = checkpoints();
      const last = saved.at(-1)!;
      expect(await control.stateAt(first.run.id, last)).toMatchObject({ checkpointSeq: last });
      const at = await control.diffAt(first.run.id, { seq: last, from: 'base' });
      expect(at.place).toMatchObject({ seq: last, checkpointSeq: last, between: 0 });
      expect(at.text).toContain('+hello');
      expect(at.text).toContain('docs/deep/page.md');
      expect(at.text).not.toContain('ignored.txt\n+kept');
      const later = await control.diffAt(first.run.id, { seq: first.run.seq, from: 'base' });
      expect(later.place).toMatchObject({ checkpointSeq: last, between: first.run.seq - last });
      expect(later.text).toBe(at.text);
      const between = await control.diffAt(first.run.id, { seq: last, from: last });
      expect(between).toMatchObject({ text: '', from: { checkpointSeq: last } });
      await expect(control.diffAt(first.run.id, { seq: 2, from: 'base' })).rejects.toMatchObject({
        code: 'CHECKPOINT_NONE',
      });
    });

    test('files are listed and read as they were, links and submodules are named and not followed', async () => {
      const seq = null;
      const root = await control.filesAt(first.run.id, { seq, path: '' });
      const kinds = Object.fromEntries(root.entries.map((entry) => [entry.name, entry.kind]));
      expect(kinds).toMatchObject({
        'greeting.txt': 'executable',
        docs: 'folder',
        secrets: 'symlink',
        'ignored.txt': 'file',
        'large.bin': 'file',
        nested: 'folder',
      });
      const deep = await control.filesAt(first.run.id, { seq, path: 'docs/deep/' });
      expect(deep).toMatchObject({
        path: 'docs/deep',
        entries: [{ name: 'page.md', kind: 'file', bytes: 8 }],
      });
      const read = (path: string) => control.fileAt(first.run.id, { seq, path });
      expect(Buffer.from((await read('docs/deep/page.md')).bytes).toString()).toBe('# Café\n');
      for (const [path, code] of [
        ['secrets', 'FILE_NOT_SHOWN'],
        ['docs/up', 'FILE_NOT_SHOWN'],
        ['docs/up/greeting.txt', 'NOT_FOUND'],
        ['secrets/x', 'NOT_FOUND'],
        ['docs', 'FILE_NOT_SHOWN'],
        ['large.bin', 'FILE_TOO_LARGE'],
        ['../greeting.txt', 'USAGE'],
        ['docs/../greeting.txt', 'USAGE'],
        ['/etc/passwd', 'USAGE'],
        ['docs//deep', 'USAGE'],
        ['greeting.txt\u0000', 'USAGE'],
        [':(glob)**', 'NOT_FOUND'],
        ['*', 'NOT_FOUND'],
        ['--help', 'NOT_FOUND'],
      ] as const) {
        await expect(read(path)).rejects.toMatchObject({ code });
      }
      await expect(control.filesAt(first.run.id, { seq, path: 'greeting.txt' })).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    });

    test('branched off, a run begins with the tree of the checkpoint, on its own branch, and is told what came before', async () => {
      const own = hosted.cassette([
        {
          ...bash('cat greeting.txt docs/deep/page.md; echo more > more.txt'),
          expect: { lastUserIncludes: 'First I spell the word right.' },
        },
        finish,
      ]);
      copyFileSync(own, cassette);
      const made = await control.branchOff(first.run.id, {
        by: 'anna',
        seq: first.run.seq,
        instruction: 'Add a file more.txt',
        limits: { steps: 9 },
      });
      const last = checkpoints().at(-1)!;
      expect(made.place).toMatchObject({ checkpointSeq: last, between: first.run.seq - last });
      expect(made.run).toMatchObject({ attempt: 1, parent: { run: first.run.id, seq: last } });
      expect(made.task.id).not.toBe(first.run.task);
      expect(made.task.branch).not.toBe(first.run.branch);
      const { run, events } = await hosted.end(made.run.id);
      expect(run.status.state).toBe(first.run.status.state);
      expect(run.base).toEqual(first.run.base);
      expect(run.limits.find((limit) => limit.name === 'steps')?.cap).toBe(9);
      const tool = events.find((event) => event.type === 'tool.ended');
      expect(JSON.stringify(tool?.data)).toContain('# Café');
      const diff = await control.diff(run.id);
      expect(diff).toContain('more.txt');
      expect(diff).toContain('docs/deep/page.md');
      const { runs } = await control.listRuns({ visible: 'all', limit: 1 });
      expect(runs[0]).toMatchObject({ id: run.id, parent: { run: first.run.id, seq: last } });
      // The one it comes from is as it was.
      expect(await control.getRun(first.run.id)).toEqual(first.run);
      await expect(
        control.branchOff(first.run.id, { by: 'anna', seq: 2, instruction: null, limits: {} }),
      ).rejects.toMatchObject({ code: 'CHECKPOINT_NONE' });
    });

    test('retried, a task has one more run on its branch, its pull request is the same, and only one is active', async () => {
      const cassette = hosted.cassette([bash('echo hello > greeting.txt'), finish]);
      const first = await hosted.end(await hosted.start(repository, { text: 'Spell it right', cassette }));
      expect(first.run.status.state).toBe('succeeded');
      copyFileSync(
        hosted.cassette([bash('echo hello > greeting.txt; echo b > again.txt'), finish]),
        cassette,
      );
      commitAll(repository, 'Moved on');
      const ask = (base: 'same' | 'newest') =>
        control.retry(first.run.id, { by: 'anna', base, instruction: 'Only the word, please', limits: {} });
      const asked = await Promise.allSettled([ask('same'), ask('same'), ask('same')]);
      const made = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const refused = asked.flatMap((one) =>
        one.status === 'rejected' ? [one.reason as { code: string }] : [],
      );
      expect(made).toHaveLength(1);
      expect(refused.map((one) => one.code)).toEqual(['RUN_ACTIVE', 'RUN_ACTIVE']);
      const second = await hosted.end(made[0]!.id);
      expect(second.run).toMatchObject({
        task: first.run.task,
        branch: first.run.branch,
        attempt: 2,
        parent: { run: first.run.id, seq: first.run.seq },
        base: first.run.base,
        pullRequest: { number: first.run.pullRequest!.number },
      });
      const text = (second.events[0]!.data as { text: string }).text;
      expect(text).toContain('Only the word, please');
      expect(await control.diff(second.run.id)).toContain('again.txt');
      const task = await control.getTask(first.run.task);
      expect(task.runs).toEqual([second.run.id, first.run.id]);

      const third = await hosted.end((await ask('newest')).id);
      const head = execFileSync('git', ['-C', repository, 'rev-parse', 'HEAD']).toString().trim();
      expect(third.run.base?.commit).toBe(head);
      expect(third.run).toMatchObject({ attempt: 3, pullRequest: { number: first.run.pullRequest!.number } });
      const proposal = await control.getProposal(third.run.id);
      expect(proposal.pushedTree).toBe(proposal.tree);
      await control.closeProposal(third.run.id, 'anna');
      await expect(ask('same')).rejects.toMatchObject({ code: 'TASK_CLOSED' });
    });
  },
);
