import { harmlessLine, type Run } from '@berth/client';
import { confirm } from '../confirm.ts';
import { isEnded } from '../exit-codes.ts';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { runIdOf } from '../run-id.ts';
import { failure } from '../failure.ts';
import type { Session } from '../session.ts';

/** `berth cancel`. */
export async function cancel(
  context: CommandContext,
  flags: CommonFlags,
  id: string | undefined,
): Promise<number> {
  const act = async (session: Session, run: string): Promise<Run> => {
    if (!context.mayAsk || flags.yes === true) return session.client.cancel(run);
    const found = await session.client.getRun(run);
    if (!isEnded(found.status.state)) {
      const what = `Cancel "${harmlessLine(found.title)}" (${found.id})? Its work so far is kept.`;
      await confirm(context, what);
    }
    return session.client.cancel(found.id);
  };
  return acted(context, flags, id, act, 'Again: `berth run`');
}

/** `berth pause`. */
export async function pause(
  context: CommandContext,
  flags: CommonFlags & { readonly reason?: string },
  id: string | undefined,
): Promise<number> {
  return acted(
    context,
    flags,
    id,
    async (session, run) => session.client.pause(run, flags.reason ?? null),
    null,
  );
}

async function acted(
  context: CommandContext,
  flags: CommonFlags,
  id: string | undefined,
  act: (session: Session, run: string) => Promise<Run>,
  hint: string | null,
): Promise<number> {
  // Where nobody hosts a server, this process has to: the run's owner is who takes the request in.
  return context.withSession(['api', 'worker'], async (session) => {
    const run = await act(session, await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd }));
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument(run);
    else context.out.write(`${run.id}\n`);
    context.note(`${run.status.state}: ${run.status.reason}`);
    const next = run.status.next ?? hint;
    if (next !== null) context.note(`  next: ${next}`);
    return 0;
  });
}

/** `berth steer [id] "text"`. */
export async function steer(
  context: CommandContext,
  flags: CommonFlags & { readonly afterStep?: boolean },
  first: string | undefined,
  second?: string,
): Promise<number> {
  const [id, text] = second === undefined ? [undefined, first] : [first, second];
  if (text === undefined || text.trim() === '') {
    throw failure('USAGE', 'There is nothing to say.', 'Give the text: `berth steer "keep the public API"`.');
  }
  return context.withSession(['api'], async (session) => {
    const run = await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd });
    const mode = flags.afterStep === true ? 'after_step' : 'now';
    const { messageId } = await session.client.steer(run, text, mode);
    if (context.format === 'json' || context.format === 'jsonl') context.printDocument({ messageId });
    else context.out.write(`${messageId}\n`);
    context.note(
      mode === 'now' ? 'Sent; delivered at the next tool boundary.' : 'Sent; delivered after this step.',
    );
    return 0;
  });
}
