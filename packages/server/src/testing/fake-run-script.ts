import { blueprintSchema } from '../domain/blueprint.ts';
import { commandResultSchema, type NewEvent } from '../domain/events/index.ts';
import type { LiveFrame } from '../domain/live.ts';
import { defaultRunLimits } from '../domain/limits.ts';

/** One act of a scripted run: an event or a live frame, `afterMs` after the one before it. */
export interface ScriptLine {
  readonly afterMs: number;
  readonly item: { readonly event: NewEvent } | { readonly frame: LiveFrame };
}

const tree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
const fixedTree = '9f1c2ab45d3e8a77c0de5512f00dfeedbeef0417';
const commit = '1e5f0a9d7c3b2a486f5e4d3c2b1a09f8e7d6c5b4';
const base = 'c0ffee11223344556677889900aabbccddeeff00';

const event = (afterMs: number, entry: NewEvent): ScriptLine => ({ afterMs, item: { event: entry } });
const frame = (afterMs: number, live: LiveFrame): ScriptLine => ({ afterMs, item: { frame: live } });

function step(key: string, kind: string, round = 0): ScriptLine {
  return event(40, { type: 'step.started', data: { key, kind, round } });
}

function stepEnd(
  key: string,
  kind: string,
  sentence: string,
  durationMs: number,
  outcome: 'passed' | 'failed' = 'passed',
): ScriptLine {
  return event(30, {
    type: 'step.ended',
    data: { key, kind, outcome, code: null, sentence, durationMs },
  });
}

function exited(exitCode: number, durationMs: number) {
  return commandResultSchema.parse({
    exitCode,
    signal: null,
    timedOut: false,
    outOfMemory: false,
    truncated: false,
    lost: null,
    durationMs,
  });
}

function command(
  stepKey: string,
  name: string,
  line: string,
  purpose: 'setup' | 'test',
  output: readonly string[],
  exitCode: number,
): ScriptLine[] {
  const id = `${stepKey}/${name}`;
  const whole = `${output.join('\n')}\n`;
  return [
    event(30, {
      type: 'command.started',
      data: { id, sandboxId: 's-fake', step: stepKey, purpose, name, command: line },
    }),
    ...output.map((text) => frame(180, { kind: 'output', callId: id, stream: 'stdout', text: `${text}\n` })),
    event(120, {
      type: 'command.ended',
      data: {
        id,
        result: exited(exitCode, 180 * output.length + 120),
        output: `blob-${id}`,
        outputBytes: whole.length,
        tail: whole,
      },
    }),
  ];
}

function modelCall(
  stepKey: string,
  n: number,
  text: string,
  calls: readonly { name: string; input: unknown }[],
): ScriptLine[] {
  const callId = `${stepKey}/model-${n}`;
  const words = text.split(/(?<= )/);
  return [
    event(30, {
      type: 'model.requested',
      data: {
        callId,
        step: stepKey,
        slot: 'primary',
        model: 'cassette/demo',
        reservedUsd: 0.1,
        reservedTokens: 9000,
        repeated: false,
      },
    }),
    ...words.map((word) => frame(40, { kind: 'text', callId, text: word })),
    event(60, {
      type: 'model.answered',
      data: {
        callId,
        step: stepKey,
        model: 'cassette/demo',
        parts: [
          { type: 'text', text },
          ...calls.map((call, place) => ({
            type: 'tool-call' as const,
            id: `${callId}/${place}`,
            name: call.name,
            input: call.input,
          })),
        ],
        finish: calls.length === 0 ? 'stop' : 'tool-calls',
        usage: {
          inputTokens: 5200,
          cachedInputTokens: 4100,
          cacheWriteTokens: 0,
          outputTokens: 180,
          reasoningTokens: 0,
        },
        costUsd: 0.021,
        durationMs: 40 * words.length + 60,
      },
    }),
  ];
}

function tool(
  stepKey: string,
  id: string,
  name: string,
  input: unknown,
  summary: string,
  exitCode: number | null = null,
): ScriptLine[] {
  return [
    event(20, { type: 'tool.started', data: { id, step: stepKey, name, input, sandboxId: 's-fake' } }),
    event(60, {
      type: 'tool.ended',
      data: {
        id,
        step: stepKey,
        name,
        text: summary,
        isError: exitCode !== null && exitCode !== 0,
        interrupted: false,
        summary,
        full: null,
        exitCode,
        durationMs: 62,
      },
    }),
  ];
}

function judged(key: string, verdict: 'passed' | 'failed', at: string): ScriptLine {
  return event(20, {
    type: 'check.judged',
    data: {
      step: key,
      name: 'test',
      kind: 'test',
      commandId: `${key}/test`,
      command: 'npm test',
      exitCode: verdict === 'passed' ? 0 : 1,
      durationMs: 910,
      tree: at,
      verdict,
      failure: verdict === 'passed' ? null : 'x parses DST change\n  expected 01:00Z, got 02:00Z',
    },
  });
}

const failing = [
  ' ✓ parses ISO (3 ms)',
  ' x parses DST change (41 ms)',
  '   expected 2026-03-29T01:00Z, got 2026-03-29T02:00Z',
  ' 1 failed, 11 passed',
];
const passing = [' ✓ parses ISO (3 ms)', ' ✓ parses DST change (2 ms)', ' 12 passed'];

/** What a run does up to its first failing check; every ending shares it. */
export function opening(): ScriptLine[] {
  return [
    event(30, { type: 'run.owned', data: { worker: 'w-fake', epoch: 1 } }),
    event(30, {
      type: 'run.planned',
      data: {
        base: { ref: 'main', commit: base },
        blueprint: blueprintSchema.parse({
          version: 1,
          checks: [{ name: 'test', kind: 'test', run: 'npm test' }],
        }),
        source: { kind: 'detected', ecosystems: ['node/npm'] },
        limits: defaultRunLimits,
        models: { primary: ['cassette/demo'] },
        simulated: true,
      },
    }),
    step('0:prefetch', 'prefetch'),
    event(40, {
      type: 'context.prefetched',
      data: {
        items: [
          { kind: 'rules', path: 'AGENTS.md', text: 'Be brief.', provenance: 'base commit' },
          { kind: 'map', path: 'map of 14 files', text: '…', provenance: 'base commit' },
        ],
      },
    }),
    stepEnd('0:prefetch', 'prefetch', 'AGENTS.md and a map of 14 files', 70),
    step('1:setup', 'setup'),
    event(60, {
      type: 'sandbox.created',
      data: {
        purpose: 'work',
        ref: { id: 's-fake', driver: 'fake', bootId: 'b1', address: 'nowhere' },
        commit: base,
        durationMs: 60,
        restoredFrom: null,
      },
    }),
    ...command('1:setup', 'setup', 'npm ci', 'setup', ['added 31 packages in 1s'], 0),
    stepEnd('1:setup', 'setup', 'npm ci', 420),
    step('2:agent', 'agent'),
    ...modelCall('2:agent', 1, 'I will read the date module and its test first.', [
      { name: 'read', input: { path: 'src/date.ts' } },
      { name: 'read', input: { path: 'test/date.test.ts' } },
    ]),
    ...tool('2:agent', '2:agent/model-1/0', 'read', { path: 'src/date.ts' }, 'read src/date.ts'),
    ...tool('2:agent', '2:agent/model-1/1', 'read', { path: 'test/date.test.ts' }, 'read test/date.test.ts'),
    ...modelCall('2:agent', 2, 'The offset is taken before the clock changes; I move it behind.', [
      { name: 'edit', input: { path: 'src/date.ts' } },
    ]),
    ...tool('2:agent', '2:agent/model-2/0', 'edit', { path: 'src/date.ts' }, 'edit src/date.ts +5 -0'),
    event(20, {
      type: 'egress.decided',
      data: {
        host: 'files.example',
        port: 443,
        allowed: false,
        reason: 'not in the allow-list',
        bytesUp: 0,
        bytesDown: 0,
      },
    }),
    event(20, {
      type: 'agent.finished',
      data: { step: '2:agent', result: 'done', code: null, summary: 'Moved the offset.' },
    }),
    stepEnd('2:agent', 'agent', 'done', 1500),
    step('3:check', 'check'),
    ...command('3:check', 'test', 'npm test', 'test', failing, 1),
    judged('3:check', 'failed', tree),
    stepEnd('3:check', 'check', 'test failed', 910, 'failed'),
  ];
}

/** Repair, verify and proposal, up to but without the end of the run. */
export function repairAndPropose(): ScriptLine[] {
  return [
    step('2:agent#1', 'agent', 1),
    ...modelCall('2:agent#1', 1, 'One branch still used the old offset.', [
      { name: 'edit', input: { path: 'src/zone.ts' } },
    ]),
    ...tool('2:agent#1', '2:agent#1/model-1/0', 'edit', { path: 'src/zone.ts' }, 'edit src/zone.ts +2 -1'),
    stepEnd('2:agent#1', 'agent', 'done', 700),
    step('3:check#1', 'check', 1),
    ...command('3:check#1', 'test', 'npm test', 'test', passing, 0),
    judged('3:check#1', 'passed', fixedTree),
    stepEnd('3:check#1', 'check', 'all checks passed', 720),
    event(20, {
      type: 'proposal.made',
      data: { commit, tree: fixedTree, base, branch: 'berth/demo', files: 2, added: 7, removed: 1 },
    }),
    step('4:verify', 'verify'),
    ...command('4:verify', 'test', 'npm test', 'test', passing, 0),
    judged('4:verify', 'passed', fixedTree),
    stepEnd('4:verify', 'verify', 'passed in a fresh sandbox on tree 9f1c2ab45d', 660),
    step('5:propose', 'propose'),
    event(20, { type: 'proposal.pushed', data: { branch: 'berth/demo', commit } }),
    event(20, {
      type: 'proposal.opened',
      data: { number: 1, url: 'file:///forge/demo/pulls/1', draft: false, head: commit },
    }),
    stepEnd('5:propose', 'propose', 'pull request #1', 50),
  ];
}

/** How a scripted run ends; `{ending}` in the task text picks one, and `succeeded` is the default. */
export const endings = {
  succeeded: ['succeeded', null, 'Pull request #1 open, verified', null],
  failed: ['failed', 'SANDBOX_LOST', 'The sandbox ended three times', 'Look at `berth logs`.'],
  human: ['needs_human', 'AGENT_STUCK', 'Checks still fail after 2 rounds', 'Look at the draft.'],
  limit: [
    'failed',
    'LIMIT_COST',
    'Stopped at $2.00 of $2.00; work kept on branch berth/demo',
    'Raise it and go on: `berth resume RUN --limit cost=4`.',
  ],
  cancelled: ['cancelled', 'RUN_CANCELLED', 'Cancelled by somebody', null],
} as const;

/** The script for a task text. */
export function scriptFor(text: string): ScriptLine[] {
  const wanted = /\{([a-z]+)\}/.exec(text)?.[1] ?? 'succeeded';
  if (wanted === 'gate') return [...opening(), gate(), ...repairAndPropose(), ending('succeeded')];
  if (wanted === 'hostile') return [...opening(), ...hostile(), ...repairAndPropose(), ending('succeeded')];
  if (!Object.hasOwn(endings, wanted)) return [...opening(), ...repairAndPropose(), ending('succeeded')];
  const name = wanted as keyof typeof endings;
  return name === 'succeeded' || name === 'human'
    ? [...opening(), ...repairAndPropose(), ending(name)]
    : [...opening(), ending(name)];
}

/** Waits for an approval; played on once it is decided. */
function gate(): ScriptLine {
  return event(20, {
    type: 'gate.opened',
    data: {
      gateId: 'g-fake-1',
      at: 'proposal',
      reason: '2 files +7 -1, tree 9f1c2ab45d',
      objections: [],
      proposal: { commit, tree: fixedTree, base, branch: 'berth/demo', files: 2, added: 7, removed: 1 },
      selfApproval: true,
      requesters: ['tester'],
      expiresAt: '2126-01-01T00:00:00.000Z',
    },
  });
}

function ending(name: keyof typeof endings): ScriptLine {
  const [outcome, code, sentence, next] = endings[name];
  return event(20, { type: 'run.ended', data: { outcome, code, sentence, next } });
}

/** Everything a terminal must not see raw. */
function hostile(): ScriptLine[] {
  const bad =
    '\u001b[2J\u001b]0;owned\u0007\u202Egnp.exe\u009b31m 日本語 👩‍👩‍👧 e\u0301 \u001b]8;;http://evil\u0007x';
  return [
    ...modelCall('2:agent', 9, `${bad} `, []),
    ...command('2:agent', 'evil', `echo ${bad}`, 'test', [bad, `${bad}${'wide字'.repeat(60)}`], 0),
    ...tool('2:agent', 'evil-tool', 'bash', { command: bad }, `bash ${bad}`, 3),
  ];
}
