import { z } from 'zod';
import { sandboxPurposeSchema } from '../purpose.ts';
import { event } from './definition.ts';

const text = (value: string, most = 100): string => {
  const line = value.replaceAll(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
};

const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

export const stepOutcomeSchema = z.enum(['passed', 'failed', 'skipped', 'interrupted']);

export const commandResultSchema = z.object({
  exitCode: z.number().nullable(),
  signal: z.string().nullable(),
  timedOut: z.boolean(),
  outOfMemory: z.boolean(),
  truncated: z.boolean(),
  /** Null unless the command's process was lost; then the exit code is unknown. */
  lost: z.enum(['runner', 'sandbox']).nullable(),
  durationMs: z.number(),
});
export type CommandResult = z.infer<typeof commandResultSchema>;

/** The saved working tree of a run. */
export const checkpointSchema = z.object({
  id: z.string(),
  /** The git tree of the working copy. */
  tree: z.string(),
  /** The git tree a proposal would carry: without ignored files. */
  proposalTree: z.string(),
  /** Pack with the tree, against the base commit. */
  blob: z.string(),
  bytes: z.number(),
  files: z.number(),
  added: z.number(),
  removed: z.number(),
});

/** Steps, sandboxes, commands and checkpoints. */
export const workEvents = {
  'step.started': event(
    'normal',
    z.object({
      /** `<index>:<kind>` for the first visit of a step, `<index>:<kind>#<round>` in repair rounds. */
      key: z.string(),
      kind: z.string(),
      round: z.number(),
    }),
    (data) => (data.round === 0 ? data.kind : `${data.kind}, round ${data.round}`),
  ),
  'step.ended': event(
    'normal',
    z.object({
      key: z.string(),
      kind: z.string(),
      outcome: stepOutcomeSchema,
      code: z.string().nullable(),
      sentence: z.string(),
      durationMs: z.number(),
    }),
    (data) => `${data.kind} ${data.outcome}: ${text(data.sentence)}`,
  ),
  'context.prefetched': event(
    'normal',
    z.object({
      items: z.array(
        z.object({
          kind: z.enum(['rules', 'map', 'file', 'task', 'link']),
          path: z.string(),
          text: z.string(),
          /** Where it comes from: the base commit, the task … Never the branch under work. */
          provenance: z.string(),
        }),
      ),
    }),
    (data) => data.items.map((item) => item.path).join(', '),
  ),
  'sandbox.created': event(
    'normal',
    z.object({
      purpose: sandboxPurposeSchema,
      ref: z.object({
        id: z.string(),
        driver: z.enum(['bubblewrap', 'container', 'kubernetes', 'fake']),
        bootId: z.string(),
        address: z.string(),
      }),
      /** What it was filled from. */
      commit: z.string(),
      durationMs: z.number(),
      /** The checkpoint it was filled from; null: from the base commit. */
      restoredFrom: z.string().nullable(),
      /** Taken from the warm pool; absent in older entries: made for it. */
      warm: z.boolean().optional(),
      /** Until it was there, made or claimed, and still empty. */
      createMs: z.number().optional(),
    }),
    (data) => `${data.purpose} sandbox ready (${data.ref.driver}${data.warm === true ? ', warm' : ''})`,
  ),
  /** Recorded before the sandbox is made: names and never values. Each sandbox that replaces one is told anew. */
  'secrets.given': event(
    'high',
    z.object({
      purpose: sandboxPurposeSchema,
      sandboxId: z.string(),
      /** Variables with values that whoever runs code in the sandbox can read. */
      exposed: z.array(z.string()),
      /** Credentials that are put on requests outside; the sandbox has a placeholder. */
      brokered: z.array(z.object({ name: z.string(), host: z.string(), env: z.string().nullable() })),
    }),
    ({ purpose, exposed, brokered }) =>
      [
        ...(exposed.length === 0 ? [] : [`exposed to the ${purpose} sandbox: ${exposed.join(', ')}`]),
        ...(brokered.length === 0
          ? []
          : [`brokered: ${brokered.map(({ name, host }) => `${name} (${host})`).join(', ')}`]),
      ].join('; '),
  ),
  'sandbox.lost': event(
    'high',
    z.object({ purpose: sandboxPurposeSchema, id: z.string(), code: z.string(), sentence: z.string() }),
    (data) => `${data.purpose} sandbox lost: ${data.sentence}`,
  ),
  /** Something beside a sandbox that goes on: a service ended. */
  'sandbox.noticed': event(
    'high',
    z.object({ purpose: sandboxPurposeSchema, id: z.string(), code: z.string(), sentence: z.string() }),
    (data) => `${data.purpose} sandbox: ${data.sentence}`,
  ),
  'sandbox.destroyed': event(
    'low',
    z.object({ purpose: sandboxPurposeSchema, id: z.string() }),
    (data) => `${data.purpose} sandbox removed`,
  ),
  /** Before anything of it is in the sandbox: one without `snapshot.restored` after it holds a part, and is replaced. */
  'snapshot.begun': event(
    'low',
    z.object({ purpose: sandboxPurposeSchema, sandboxId: z.string(), key: z.string() }),
    (data) => `a snapshot of setup is put into the ${data.purpose} sandbox`,
  ),
  'snapshot.restored': event(
    'normal',
    z.object({
      purpose: sandboxPurposeSchema,
      sandboxId: z.string(),
      key: z.string(),
      files: z.number(),
      bytes: z.number(),
      ms: z.number(),
    }),
    (data) => `setup of the ${data.purpose} sandbox restored from a snapshot: ${data.files} files`,
  ),
  'snapshot.made': event(
    'low',
    z.object({
      sandboxId: z.string(),
      key: z.string(),
      files: z.number(),
      /** As they lie in the sandbox, and as they are kept. */
      bytes: z.number(),
      storedBytes: z.number(),
      ms: z.number(),
      /** False: another run made the same one at the same time, and that one counts. */
      kept: z.boolean(),
    }),
    (data) => `snapshot of setup made: ${data.files} files`,
  ),
  /** Berth went on without: setup ran for real, or the next run has to run it. */
  'snapshot.failed': event(
    'normal',
    z.object({
      doing: z.enum(['restore', 'make']),
      purpose: sandboxPurposeSchema,
      sandboxId: z.string(),
      key: z.string(),
      code: z.string(),
      sentence: z.string(),
    }),
    (data) =>
      data.doing === 'restore'
        ? `snapshot not restored, setup runs instead: ${data.sentence}`
        : `no snapshot of setup was made: ${data.sentence}`,
  ),
  'snapshot.skipped': event(
    'low',
    z.object({ sandboxId: z.string(), reason: z.string() }),
    (data) => `no snapshot of setup is made: ${data.reason}`,
  ),
  'egress.decided': event(
    'low',
    z.object({
      host: z.string(),
      port: z.number(),
      allowed: z.boolean(),
      reason: z.string(),
      code: z.string().optional(),
      contents: z.enum(['inspect', 'tunnel']).optional(),
      bytesUp: z.number(),
      bytesDown: z.number(),
      /** Of refused requests; the path without its query. */
      method: z.string().optional(),
      path: z.string().optional(),
    }),
    (data) => {
      const request = data.method === undefined ? '' : `${data.method} ${data.path ?? ''} `;
      const unread = data.contents === 'tunnel' ? '; contents not inspected' : '';
      return `${request}${data.host}:${data.port} ${data.allowed ? 'allowed' : 'DENIED'} (${data.reason}${unread})`;
    },
  ),
  /** What the run's sandboxes moved in all up to now, in bytes, so that limits go on counting with the next owner. */
  'egress.moved': event(
    'low',
    z.object({
      up: z.number().nonnegative(),
      down: z.number().nonnegative(),
      /** The hosts that moved most: up, down. */
      hosts: z.record(z.string(), z.tuple([z.number().nonnegative(), z.number().nonnegative()])),
    }),
    ({ up, down }) => `${mib(up)} sent and ${mib(down)} received by its sandboxes so far`,
  ),
  /** Recorded before the command is sent; its id makes sandboxd attach instead of repeating. */
  'command.started': event(
    'normal',
    z.object({
      id: z.string(),
      sandboxId: z.string(),
      step: z.string(),
      purpose: z.enum(['setup', 'format', 'lint', 'test', 'build', 'fix', 'baseline', 'other']),
      name: z.string(),
      command: z.string(),
    }),
    (data) => `$ ${text(data.command)}`,
  ),
  'command.ended': event(
    'normal',
    z.object({
      id: z.string(),
      result: commandResultSchema,
      /** Blob of the whole output (stdout and stderr as they came), null when there was none. */
      output: z.string().nullable(),
      outputBytes: z.number(),
      /** The last 4 KiB as text, for people. */
      tail: z.string(),
    }),
    (data) =>
      data.result.lost === null
        ? `exit ${data.result.exitCode ?? data.result.signal ?? '?'}`
        : `lost with its ${data.result.lost}`,
  ),
  'check.judged': event(
    'high',
    z.object({
      step: z.string(),
      name: z.string(),
      kind: z.string(),
      commandId: z.string(),
      command: z.string(),
      exitCode: z.number().nullable(),
      durationMs: z.number(),
      tree: z.string(),
      /** `preexisting`: it failed in the same way before the agent began, and is not held against it. */
      verdict: z.enum(['passed', 'failed', 'preexisting']),
      /** The failing part of the output, for the repair round and for people. */
      failure: z.string().nullable(),
    }),
    (data) => `${data.name} ${data.verdict}`,
  ),
  'checkpoint.saved': event('low', checkpointSchema, (data) => `checkpoint ${data.tree.slice(0, 10)}`),
  'proposal.made': event(
    'high',
    z.object({
      commit: z.string(),
      tree: z.string(),
      base: z.string(),
      branch: z.string(),
      files: z.number(),
      added: z.number(),
      removed: z.number(),
      /** What policy found: `refuse` is not pushed, `person` only as a draft, `note` is told to the reader. */
      findings: z
        .array(
          z.object({
            code: z.string(),
            sentence: z.string(),
            severity: z.enum(['refuse', 'person', 'note']),
            /** The rule of the policy; absent in older entries. */
            rule: z.string().optional(),
          }),
        )
        .optional(),
    }),
    (data) => `proposal ${data.commit.slice(0, 10)}: ${data.files} files +${data.added} -${data.removed}`,
  ),
  /** The base branch moved while the run was at work. */
  'proposal.base-moved': event(
    'high',
    z.object({
      ref: z.string(),
      from: z.string(),
      to: z.string(),
      /** `rebased`: a new proposal follows, and is verified again. Otherwise the one there is stays on its base. */
      result: z.enum(['rebased', 'conflict', 'rewritten', 'left']),
      sentence: z.string(),
    }),
    (data) => text(data.sentence, 200),
  ),
  /** The judge's answer; what it objects to is no longer than what people read. */
  'judge.decided': event(
    'high',
    z.object({
      step: z.string(),
      commit: z.string(),
      tree: z.string(),
      verdict: z.enum(['ok', 'object', 'unreadable', 'unaffordable']),
      reasons: z.array(z.object({ kind: z.string(), sentence: z.string() })),
      /** What was computed and told to the judge. */
      noticed: z.array(z.string()),
    }),
    (data) =>
      data.verdict === 'ok'
        ? 'the judge has no objection'
        : `the judge: ${data.verdict}${data.reasons.length === 0 ? '' : `; ${text(data.reasons.map((one) => one.sentence).join('; '), 200)}`}`,
  ),
  'proposal.pushed': event(
    'normal',
    z.object({ branch: z.string(), commit: z.string() }),
    (data) => `pushed ${data.branch}`,
  ),
  'proposal.opened': event(
    'high',
    z.object({ number: z.number(), url: z.string(), draft: z.boolean(), head: z.string() }),
    (data) => `${data.draft ? 'draft pull request' : 'pull request'} #${data.number}`,
  ),
};
