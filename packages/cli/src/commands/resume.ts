import type { CommandContext, CommonFlags } from '../command-context.ts';
import { runIdOf } from '../run-id.ts';
import { follow, printOutcome, timeoutOf } from '../follow.ts';
import { Interrupt } from '../interrupt.ts';
import { parseLimits } from '../limits.ts';
import { leaveToHost } from './host.ts';

export interface ResumeFlags extends CommonFlags {
  readonly limit: readonly string[];
  readonly detach?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly full?: boolean;
}

/** `berth resume`: goes on with a run, from its log, and follows it. */
export async function resume(
  context: CommandContext,
  flags: ResumeFlags,
  id: string | undefined,
): Promise<number> {
  const limits = parseLimits(flags.limit);
  using interrupt = new Interrupt(timeoutOf(flags.timeout));
  const isDetached = flags.detach === true;
  return await context.withSession(isDetached ? ['api'] : ['api', 'worker'], async (session) => {
    const before = await session.client.getRun(
      await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd }),
    );
    const run = await session.client.resume(before.id, limits);
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
    const result = await follow({
      context,
      session,
      run,
      afterSeq: before.seq,
      interrupt,
      view,
      isFull: flags.full,
      leavesAtGate: flags.wait !== true && !context.err.isMovable,
    });
    if (result.isEnded || context.format !== 'text') printOutcome(context, result.run);
    return result.exitCode;
  });
}
