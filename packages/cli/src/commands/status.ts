import { harmlessLine, type Run } from '@berth/client';
import type { CommandContext } from '../command-context.ts';
import { isEnded } from '../exit-codes.ts';
import { present, type PresentFlags } from '../present.ts';
import { runIdOf } from '../run-id.ts';
import { stateWord } from '../output/marks.ts';
import { ago } from '../output/units.ts';

/** `berth status [id]`: one sentence per run that is active or waits for a person; with an id that run's. */
export async function status(
  context: CommandContext,
  flags: PresentFlags,
  id: string | undefined,
): Promise<number> {
  return present(context, flags, async (session) => {
    if (id !== undefined || flags.last === true) {
      const which = { id, last: flags.last, cwd: context.io.cwd };
      const run = await session.client.getRun(await runIdOf(session, which));
      return {
        document: run.status,
        ids: [run.id],
        text: sentence(context, run),
        isOver: isEnded(run.status.state),
      };
    }
    const states = ['needs_human', 'running', 'queued', 'paused'] as const;
    const pages = await Promise.all(
      states.map(async (state) => session.client.listRuns({ state, limit: 50 })),
    );
    const all = pages.flatMap((found) => found.runs);
    // What waits for somebody comes first: ended for a person, or at a gate.
    const runs = [...all.filter(needsYou), ...all.filter((run) => !needsYou(run))];
    return {
      items: runs,
      next: null,
      ids: runs.map((run) => run.id),
      text: runs.map((run) => sentence(context, run)).join(''),
      notes: runs.length === 0 ? ['Nothing runs and nothing waits for you.'] : [],
    };
  });
}

function needsYou({ status }: Pick<Run, 'status'>): boolean {
  return status.state === 'needs_human' || status.code?.startsWith('GATE_') === true;
}

function sentence({ out, paint }: CommandContext, run: Pick<Run, 'id' | 'status'>): string {
  const { text, tone } = stateWord(run.status.state, out.isAscii);
  const reason = harmlessLine(run.status.reason);
  const next = run.status.next === null ? null : harmlessLine(run.status.next);
  if (!out.isTty) return `${[run.id, run.status.state, reason, next ?? '', run.status.since].join('\t')}\n`;
  const first = `${run.id}  ${paint(tone, text)} · ${reason} · since ${ago(run.status.since, Date.now())}\n`;
  return next === null ? first : `${first}  ${paint('dim', 'next:')} ${next.replaceAll('RUN', run.id)}\n`;
}
