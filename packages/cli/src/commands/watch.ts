import type { CommandContext, CommonFlags } from '../command-context.ts';
import { runIdOf } from '../run-id.ts';
import { follow, printOutcome, timeoutOf } from '../follow.ts';
import { Interrupt } from '../interrupt.ts';

/** `berth watch`: the live view of a run that goes on elsewhere. */
export async function watch(
  context: CommandContext,
  flags: CommonFlags & { readonly timeout?: string; readonly full?: boolean },
  id: string | undefined,
): Promise<number> {
  using interrupt = new Interrupt(timeoutOf(flags.timeout));
  return await context.withSession(['api', 'worker'], async (session) => {
    const run = await session.client.getRun(
      await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd }),
    );
    const result = await follow({
      context,
      session,
      run,
      afterSeq: 0,
      interrupt,
      view: 'live',
      isFull: flags.full,
    });
    if (result.isEnded || context.format !== 'text') printOutcome(context, result.run);
    return result.exitCode;
  });
}
