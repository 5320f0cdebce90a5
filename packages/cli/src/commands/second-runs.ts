import type { Run } from '@berth/client';
import type { CommandContext } from '../command-context.ts';
import { failure } from '../failure.ts';
import { follow, printOutcome, timeoutOf } from '../follow.ts';
import { Interrupt } from '../interrupt.ts';
import { parseLimits } from '../limits.ts';
import { runIdOf } from '../run-id.ts';
import type { Session } from '../session.ts';
import { leaveToHost } from './host.ts';
import type { ResumeFlags } from './resume.ts';

export interface SecondRunFlags extends ResumeFlags {
  /** Added to the task for the new run. */
  readonly text?: string;
}

/** `berth retry`: another attempt at the same task. */
export async function retry(
  context: CommandContext,
  flags: SecondRunFlags & { readonly newestBase?: boolean },
  id: string | undefined,
): Promise<number> {
  return secondRun(context, flags, id, async (session, run, own) =>
    session.client.retry(run, { base: flags.newestBase === true ? 'newest' : 'same', ...own }),
  );
}

/** `berth fork`: a new task that begins with the working tree of a checkpoint. */
export async function fork(
  context: CommandContext,
  flags: SecondRunFlags & { readonly at?: string },
  id: string | undefined,
): Promise<number> {
  const seq = flags.at === undefined ? undefined : seqOf(flags.at);
  return secondRun(context, flags, id, async (session, run, own) => {
    const made = await session.client.branchOff(run, { ...own, ...(seq === undefined ? {} : { seq }) });
    const { checkpointSeq, between } = made.place;
    const left = between === 0 ? '' : `; what the ${between} entries after it changed is not in it`;
    context.note(`Begins at the checkpoint of entry ${checkpointSeq}${left}. Branch: ${made.run.branch}`);
    return made.run;
  });
}

/** `--at`. */
export function seqOf(text: string): number {
  const seq = Number(text.replace(/^#/, ''));
  if (Number.isInteger(seq) && seq >= 1) return seq;
  throw failure(
    'USAGE',
    `--at ${JSON.stringify(text)} is no entry.`,
    'Give a number: `berth logs -a` shows them.',
  );
}

async function secondRun(
  context: CommandContext,
  flags: SecondRunFlags,
  id: string | undefined,
  make: (
    session: Session,
    run: string,
    own: { readonly text?: string; readonly limits: ReturnType<typeof parseLimits> },
  ) => Promise<Run>,
): Promise<number> {
  const limits = parseLimits(flags.limit);
  using interrupt = new Interrupt(timeoutOf(flags.timeout));
  const isDetached = flags.detach === true;
  return await context.withSession(isDetached ? ['api'] : ['api', 'worker'], async (session) => {
    const before = await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd });
    const run = await make(session, before, {
      limits,
      ...(flags.text === undefined ? {} : { text: flags.text }),
    });
    if (isDetached) {
      if (session.isHost) {
        await session.close();
        await leaveToHost(context);
      }
      if (context.format === 'json' || context.format === 'jsonl') context.printLine(run);
      else context.out.write(`${run.id}\n`);
      return 0;
    }
    const view = flags.wait === true ? 'plain' : 'live';
    const followed = { context, session, run, afterSeq: 0, interrupt, view, isFull: flags.full } as const;
    const result = await follow(followed);
    if (result.isEnded || context.format !== 'text') printOutcome(context, result.run);
    return result.exitCode;
  });
}
