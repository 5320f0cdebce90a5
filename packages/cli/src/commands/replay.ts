import { harmlessLine, type RunStateView } from '@berth/client';
import type { CommandContext } from '../command-context.ts';
import { stateWord, stepMark } from '../output/marks.ts';
import { count, duration, money } from '../output/units.ts';
import { present, type PresentFlags } from '../present.ts';
import { runIdOf } from '../run-id.ts';
import { page } from './runs.ts';
import { seqOf } from './second-runs.ts';

/** `berth runs replay --at seq`: how a run stood after an entry of its log. */
export async function replay(
  context: CommandContext,
  flags: PresentFlags & { readonly at?: string },
  id: string | undefined,
): Promise<number> {
  const seq = flags.at === undefined ? null : seqOf(flags.at);
  return present(context, flags, async (session) => {
    const run = await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd });
    const state = await session.client.runState(run, seq);
    return { document: state, ids: [state.run], text: statePage(context, state), isOver: seq !== null };
  });
}

function statePage({ out, paint }: CommandContext, state: RunStateView): string {
  const { status, outline, changes, network, context } = state;
  const isAscii = out.isAscii || !out.isTty;
  const { text: word, tone } = stateWord(status.state, isAscii);
  const facts: [string, string][] = [
    ['status', `${paint(tone, word)} · ${harmlessLine(status.reason)}`],
    ['entry', `${state.seq} of ${state.head}${state.at === null ? '' : `, ${state.at}`}`],
  ];
  for (const step of outline.steps) {
    const { text: mark } = stepMark(step.state, isAscii);
    const took = step.durationMs === null ? '' : ` ${duration(step.durationMs)}`;
    const counts = step.turns + step.calls === 0 ? '' : `, ${step.turns} turns, ${step.calls} calls`;
    facts.push([`step ${harmlessLine(step.name)}`, `${mark} ${step.state}${took}${counts}`]);
  }
  for (const { name, used, cap } of state.limits) {
    const shown = (value: number): string =>
      name === 'cost' ? money(value) : name === 'tokens' ? count(value) : String(Math.round(value * 10) / 10);
    facts.push([`limit ${name}`, `${shown(used)}/${shown(cap)}`]);
  }
  if (changes !== null)
    facts.push(['changes', `${changes.files} files +${changes.added} -${changes.removed}`]);
  facts.push([
    'tree',
    state.checkpointSeq === null ? 'no checkpoint yet' : `of the checkpoint at entry ${state.checkpointSeq}`,
  ]);
  for (const { host, port, allowed, reason } of network) {
    facts.push(['network', harmlessLine(`${host}:${port} ${allowed ? 'allowed' : 'DENIED'} (${reason})`)]);
  }
  for (const { kind, path, provenance } of context.items) {
    facts.push(['context', harmlessLine(`${kind} ${path}, ${provenance}`)]);
  }
  return page(`${state.run} at entry ${state.seq}`, facts, paint, out.isTty);
}
