import { afterEach, expect, test } from 'vitest';
import { AgentHarness } from '../testing/agent-harness.ts';
import { ScriptedModel, calls, finishes, inTurn } from '../testing/scripted-model.ts';

const open: AgentHarness[] = [];
function harness(...options: ConstructorParameters<typeof AgentHarness>): AgentHarness {
  const made = new AgentHarness(...options);
  open.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (one) => await one.close()));
});

test('an agent reads, edits, runs a command and finishes', async () => {
  const run = harness({ files: { 'src/date.ts': 'export const zone = "CET";\n' } });
  const model = new ScriptedModel(
    inTurn([
      calls(['read', { path: 'src/date.ts' }], ['list', { path: 'src' }]),
      calls(['edit', { path: 'src/date.ts', old: '"CET"', new: '"UTC"' }]),
      calls(['bash', { command: 'cd src && export WHERE=here && cat date.ts' }]),
      calls(['bash', { command: 'pwd; echo "$WHERE"; exit 3' }]),
      finishes,
    ]),
  );
  const result = await run.live({ model });
  expect(result).toEqual({ result: 'done', code: null, summary: 'All done.' });
  expect(run.file('src/date.ts')).toBe('export const zone = "UTC";\n');
  const ended = run.events('tool.ended').map((event) => event.data);
  expect(ended.map((end) => end.isError)).toEqual([false, false, false, false, false, false]);
  expect(ended[3]!.text).toContain('export const zone = "UTC";');
  expect(ended[4]!.text).toContain('repo/src\nhere\n[exit 3]');
  expect(ended[4]!.exitCode).toBe(3);
});
