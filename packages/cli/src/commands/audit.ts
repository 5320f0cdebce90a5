import { harmlessLine, type AuditAct, type AuditQuery, type AuditVerdict } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { jsonLines } from '../output/json-lines.ts';
import type { Tone } from '../output/style.ts';
import { table } from '../output/table.ts';
import { ago } from '../output/units.ts';
import { present, type PresentFlags } from '../present.ts';
import { runIdOf } from '../run-id.ts';
import type { Session } from '../session.ts';
import { listLimit } from './runs.ts';

export interface FilterFlags {
  readonly by?: string;
  readonly action?: string;
  readonly object?: string;
  readonly result?: NonNullable<AuditQuery['result']>;
  readonly project?: string;
  readonly since?: string;
  readonly until?: string;
}

const tones: Readonly<Record<AuditAct['result'], Tone>> = {
  allowed: 'dim',
  denied: 'bad',
  failed: 'warn',
  open: 'signal',
  unknown: 'warn',
};

/** `berth audit list`: newest first. */
export async function list(
  context: CommandContext,
  flags: PresentFlags & FilterFlags & { readonly limit: string; readonly cursor?: string },
): Promise<number> {
  const query = { ...filterOf(flags), limit: listLimit(flags.limit) };
  return present(context, flags, async (session) => {
    const { acts, next } = await session.client.listAudit({
      ...query,
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
    return {
      items: acts,
      next,
      ids: acts.map((act) => act.id),
      text: actTable(context, acts),
      notes: [
        ...(acts.length === 0 ? ['No act on record.'] : []),
        ...(next === null ? [] : [`More: berth audit list --cursor ${next}`]),
      ],
    };
  });
}

function actTable({ out, paint }: CommandContext, acts: readonly AuditAct[]): string {
  const nowMs = Date.now();
  const columns = [
    { title: 'WHEN' },
    { title: 'BY', isFlexible: true },
    { title: 'ACTION' },
    { title: 'OBJECT', isFlexible: true },
    { title: 'RESULT' },
    { title: 'CODE' },
    { title: 'FROM', isFlexible: true },
  ];
  return table(
    out,
    paint,
    columns,
    acts.map((act) => {
      const count = act.details['count'];
      const times = typeof count === 'number' && count > 1 ? ` ×${count}` : '';
      return [
        { text: ago(act.at, nowMs), plain: act.at },
        { text: harmlessLine(act.by) },
        { text: harmlessLine(act.action) },
        { text: harmlessLine(act.object.id === '' ? act.object.kind : act.object.id) },
        { text: `${act.result}${times}`, tone: tones[act.result] },
        { text: act.code === null ? '' : harmlessLine(act.code) },
        { text: harmlessLine(act.from.address ?? act.via), tone: 'dim' as const },
      ];
    }),
  );
}

/** `berth audit verify`; exits 11 when something does not hold. */
export async function verify(
  context: CommandContext,
  flags: CommonFlags & { readonly run?: string },
): Promise<number> {
  const { run } = flags;
  if (run !== undefined) return verifyRun(context, flags, run);
  return context.withSession(['api'], async (session) =>
    judged(context, flags, await verifyAll(context, session)),
  );
}

/** `berth runs verify`. */
export async function verifyRun(
  context: CommandContext,
  flags: CommonFlags,
  id: string | undefined,
): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const run = await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd });
    return judged(context, flags, await session.client.verifyRun(run));
  });
}

function judged(context: CommandContext, flags: CommonFlags, verdict: AuditVerdict): number {
  show(context, verdict);
  return verdict.ok || flags.exitZero === true ? 0 : 11;
}

async function verifyAll(context: CommandContext, session: Session): Promise<AuditVerdict> {
  let told = 0;
  for await (const line of jsonLines(await session.client.verifyAudit())) {
    const item = line as {
      readonly verdict?: AuditVerdict;
      readonly progress?: { readonly entries: number; readonly runs: number };
      readonly problem?: { readonly detail: string };
    };
    if (item.verdict !== undefined) return item.verdict;
    if (item.problem !== undefined) throw failure('SERVER_UNREACHABLE', item.problem.detail);
    const { entries, runs } = item.progress ?? { entries: 0, runs: 0 };
    if (entries + runs < told + 10_000) continue;
    told = entries + runs;
    context.note(context.paintErr('dim', `${entries} acts and ${runs} runs checked`));
  }
  throw failure('SERVER_UNREACHABLE', 'The server went away before its verdict.');
}

function show(context: CommandContext, verdict: AuditVerdict): void {
  const { out, paint } = context;
  if (context.format === 'json' || context.format === 'jsonl') {
    context.printDocument(verdict);
    return;
  }
  if (context.format === 'quiet') return;
  for (const { sentence, problem } of verdict.findings) {
    out.write(
      `${paint('bad', out.isAscii || !out.isTty ? 'FAIL' : '✖')}  ${problem}  ${harmlessLine(sentence)}\n`,
    );
  }
  if (verdict.more > 0) out.write(`… and ${verdict.more} more\n`);
  const head =
    verdict.head === null ? 'nothing sealed yet' : `head ${verdict.head.number} ${verdict.head.hash}`;
  const rest = [
    `${verdict.entries} acts in ${verdict.seals} seals`,
    `${verdict.runs} runs with ${verdict.events} events`,
    ...(verdict.erased === 0 ? [] : [`${verdict.erased} events with erased contents`]),
    ...(verdict.unsealed.count === 0 ? [] : [`${verdict.unsealed.count} acts not sealed yet`]),
    ...(verdict.cut === null ? [] : [`cut before ${verdict.cut.before}`]),
    head,
  ];
  const word = verdict.ok ? paint('good', 'The record holds') : paint('bad', 'The record does not hold');
  out.write(`${word}: ${rest.join(', ')}.\n`);
}

/** `berth audit export`: to standard output, as it comes. */
export async function exportRecord(context: CommandContext, flags: FilterFlags): Promise<number> {
  const query = filterOf(flags);
  return context.withSession(['api'], async (session) => {
    const decoder = new TextDecoder();
    let last = '';
    for await (const bytes of await session.client.exportAudit(query)) {
      const text = decoder.decode(bytes, { stream: true });
      context.out.write(text);
      last = (last + text).slice(-200);
    }
    if (!last.includes('"kind":"end"')) {
      throw failure('SERVER_UNREACHABLE', 'The export was cut off: it has no end.');
    }
    return 0;
  });
}

function filterOf(flags: FilterFlags): AuditQuery {
  const { by, action, object, result, project, since, until } = flags;
  const given = { by, action, object, result, project, since: timeOf(since), until: timeOf(until) };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const unitsMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time, or how long ago it was. */
export function timeOf(text: string | undefined, nowMs = Date.now()): string | undefined {
  if (text === undefined) return undefined;
  const age = /^(\d{1,6})([smhd])$/.exec(text);
  const ms = age === null ? Date.parse(text) : nowMs - Number(age[1]) * (unitsMs[age[2]!] ?? 0);
  if (Number.isFinite(ms)) return new Date(ms).toISOString();
  throw failure(
    'USAGE',
    `${JSON.stringify(text)} is no time.`,
    'Give a time (2026-11-21T12:00Z) or an age (7d).',
  );
}
