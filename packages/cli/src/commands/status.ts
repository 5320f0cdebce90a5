import { harmlessLine, type Run } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { stateWord } from '../output/marks.ts';
import { ago } from '../output/units.ts';

/** `berth status [id]`: one sentence per run that is active or waits for a person; with an id that run's. */
export async function status(
  context: CommandContext,
  _: CommonFlags,
  id: string | undefined,
): Promise<number> {
  return context.withSession(['api'], async (session) => {
    if (id !== undefined) {
      const run = await session.client.getRun(id);
      if (context.format === 'json' || context.format === 'jsonl') context.printDocument(run.status);
      else if (context.format === 'quiet') context.out.write(`${run.id}\n`);
      else context.out.write(sentence(context, run));
      return 0;
    }
    const states = ['needs_human', 'running', 'queued', 'paused'] as const;
    const pages = await Promise.all(
      states.map(async (state) => session.client.listRuns({ state, limit: 50 })),
    );
    const runs = pages.flatMap((found) => found.runs);
    if (context.format === 'json' || context.format === 'jsonl') context.printList(runs);
    else if (context.format === 'quiet') for (const run of runs) context.out.write(`${run.id}\n`);
    else {
      for (const run of runs) context.out.write(sentence(context, run));
      if (runs.length === 0) context.note('Nothing runs and nothing waits for you.');
    }
    return 0;
  });
}

function sentence({ out, paint }: CommandContext, run: Run): string {
  const { text, tone } = stateWord(run.status.state, out.isAscii);
  const reason = harmlessLine(run.status.reason);
  const next = run.status.next === null ? null : harmlessLine(run.status.next);
  if (!out.isTty) return `${[run.id, run.status.state, reason, next ?? '', run.status.since].join('\t')}\n`;
  const first = `${run.id}  ${paint(tone, text)} · ${reason} · since ${ago(run.status.since, Date.now())}\n`;
  return next === null ? first : `${first}  ${paint('dim', 'next:')} ${next.replaceAll('RUN', run.id)}\n`;
}
