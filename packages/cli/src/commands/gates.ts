import { harmlessLine, type Gate } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { failure } from '../failure.ts';
import { present, type PresentFlags } from '../present.ts';
import { projectHere, runIdOf } from '../run-id.ts';
import type { Session } from '../session.ts';
import { table } from '../output/table.ts';
import { ago } from '../output/units.ts';
import { leaveToHost } from './host.ts';
import { listLimit } from './runs.ts';

/** `berth gates list`: what waits for somebody's approval. */
export async function list(
  context: CommandContext,
  flags: PresentFlags & { readonly project?: string; readonly limit: string; readonly cursor?: string },
): Promise<number> {
  const limit = listLimit(flags.limit);
  return present(context, flags, async (session) => {
    const { gates, next } = await session.client.listGates({
      limit,
      ...(flags.project === undefined ? {} : { project: flags.project }),
      ...(flags.cursor === undefined ? {} : { cursor: flags.cursor }),
    });
    return {
      items: gates,
      next,
      ids: gates.map((gate) => gate.run),
      text: gateTable(context, gates),
      notes: [
        ...(gates.length === 0
          ? ['Nothing waits for approval.']
          : ['Decide: berth approve ID · berth refuse ID']),
        ...(next === null ? [] : [`More: berth gates --cursor ${next}`]),
      ],
    };
  });
}

function gateTable({ out, paint }: CommandContext, gates: readonly Gate[]): string {
  const nowMs = Date.now();
  const columns = [
    { title: 'ID' },
    { title: 'BEFORE' },
    { title: 'PROJECT' },
    { title: 'TITLE', isFlexible: true },
    { title: 'WHAT', isFlexible: true },
    { title: 'SINCE', side: 'right' as const },
    { title: 'UNTIL' },
  ];
  return table(
    out,
    paint,
    columns,
    gates.map((gate) => [
      { text: gate.run },
      { text: gate.at },
      { text: harmlessLine(gate.project) },
      { text: harmlessLine(gate.title) },
      { text: harmlessLine(gate.reason), tone: 'dim' as const },
      { text: ago(gate.openedAt, nowMs).replace(' ago', ''), plain: gate.openedAt },
      { text: gate.expiresAt.slice(0, 16).replace('T', ' '), plain: gate.expiresAt },
    ]),
  );
}

export interface DecideFlags extends CommonFlags {
  readonly message?: string;
}

/** `berth approve`. */
export async function approve(
  context: CommandContext,
  flags: DecideFlags,
  id: string | undefined,
): Promise<number> {
  return decided(context, flags, id, 'approve');
}

/** `berth refuse`. */
export async function refuse(
  context: CommandContext,
  flags: DecideFlags,
  id: string | undefined,
): Promise<number> {
  return decided(context, flags, id, 'refuse');
}

async function decided(
  context: CommandContext,
  flags: DecideFlags,
  id: string | undefined,
  act: 'approve' | 'refuse',
): Promise<number> {
  // Where nobody hosts a server, this process has to: the run's owner is who takes the decision in.
  return context.withSession(['api', 'worker'], async (session) => {
    const gate = await gateToDecide(context, session, flags, id);
    if (context.mayAsk && flags.yes !== true) {
      context.note(facts(gate));
      await confirm(
        context,
        act === 'approve' ? 'Approve it?' : 'Refuse it? The run ends; its work is kept.',
      );
    }
    const decision = {
      ...(flags.message === undefined ? {} : { comment: flags.message }),
      // What was shown is what is decided.
      ...(gate.proposal === null ? {} : { tree: gate.proposal.tree }),
    };
    const { client } = session;
    const after = await (act === 'approve'
      ? client.approveGate(gate.id, decision)
      : client.refuseGate(gate.id, decision));
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(after);
    else context.out.write(`${after.run}\n`);
    context.note(`${after.state} by ${harmlessLine(after.decidedBy ?? 'somebody')}`);
    context.note(`  next: berth ${act === 'approve' ? `logs -f ${after.run}` : `show ${after.run}`}`);
    if (session.isHost) {
      await session.close();
      await leaveToHost(context);
    }
    return 0;
  });
}

/** The open gate that is meant: of the run that is named, or the only one there is here. */
async function gateToDecide(
  context: CommandContext,
  session: Session,
  flags: DecideFlags,
  id: string | undefined,
): Promise<Gate> {
  if (id?.startsWith('g-') === true) return session.client.getGate(id);
  if (id !== undefined || flags.last === true) {
    const run = await session.client.getRun(
      await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd }),
    );
    // One that was decided meanwhile: the answer to deciding it again says by whom.
    return run.gate ?? session.client.getGate(run.id);
  }
  const project = await projectHere(session, context.io.cwd);
  const { gates } = await session.client.listGates({ limit: 2, ...(project === null ? {} : { project }) });
  const [only, other] = gates;
  if (only !== undefined && other === undefined) return only;
  throw only === undefined
    ? failure('NOT_FOUND', 'Nothing waits for approval here.', 'What waits elsewhere: `berth gates`.')
    : failure('USAGE', 'More than one run waits for approval here.', 'Name one of `berth gates`.');
}

function facts(gate: Gate): string {
  const lines = [
    `"${harmlessLine(gate.title)}" (${gate.run}, ${harmlessLine(gate.project)}) asks at ${gate.at}: ${harmlessLine(gate.reason)}`,
    ...gate.objections.map((one) => `  objection ${one.code}: ${harmlessLine(one.sentence)}`),
    ...(gate.proposal === null
      ? []
      : [
          `  commit ${gate.proposal.commit.slice(0, 10)}, tree ${gate.proposal.tree.slice(0, 10)}; look: berth diff ${gate.run}`,
        ]),
    `  ${harmlessLine(gate.whoMay)} may decide until ${gate.expiresAt}`,
  ];
  return lines.join('\n');
}
