import { harmlessLine, type BerthClient } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { EscapeKeys } from '../escape-keys.ts';
import { failure } from '../failure.ts';
import { keyInputOf, type KeyInput } from '../live/keyboard.ts';
import { runIdOf } from '../run-id.ts';

/** `berth runs terminal`: a shell in the sandbox of a run; exits with the shell's code. */
export async function terminal(
  context: CommandContext,
  flags: CommonFlags,
  id: string | undefined,
): Promise<number> {
  const input = keyInputOf(context.io);
  if (input === null || !context.out.isTty) {
    throw failure(
      'USAGE',
      'A shell needs a terminal on standard input, output and error.',
      'For what a run printed: `berth logs`.',
    );
  }
  return await context.withSession(['api'], async (session) => {
    const runId = await runIdOf(session, { id, last: flags.last, cwd: context.io.cwd });
    const run = await session.client.getRun(runId);
    context.note(
      context.paintErr(
        'dim',
        `${harmlessLine(run.title)}: the agent is not paused, you share its working copy. ` +
          'What you type is recorded. ~. leaves.',
      ),
    );
    return await sitAt(context, session.client, run.id, input);
  });
}

async function sitAt(
  { io }: CommandContext,
  client: BerthClient,
  runId: string,
  input: KeyInput,
): Promise<number> {
  const { stdout } = io;
  const size = (): { columns: number; rows: number } => ({
    columns: stdout.columns ?? 80,
    rows: stdout.rows ?? 24,
  });
  // Bytes as they are: a character may be cut in two between messages.
  const write = (data: Uint8Array | string): void => void process.stdout.write(data);
  const say = (text: string): void => write(`\r\n[berth] ${harmlessLine(text)}\r\n`);
  const shell = await client.terminal(runId, size(), { output: write, notice: say });
  const keys = new EscapeKeys();
  const onData = (bytes: Uint8Array): void => {
    const { data, asked } = keys.take(bytes);
    if (data.length > 0) shell.type(data);
    if (asked === 'leave') shell.leave();
    if (asked === 'help') say('~. leaves and ends the shell, ~~ types one ~');
  };
  const onResize = (): void => shell.resize(size().columns, size().rows);
  const cook = (): void => void input.setRawMode(false);
  process.on('exit', cook);
  stdout.on?.('resize', onResize);
  input.setRawMode(true);
  input.on('data', onData);
  input.resume();
  try {
    const end = await shell.ended;
    if (end.kind === 'failed') throw end.failure;
    return end.exitCode ?? 0;
  } finally {
    input.off('data', onData);
    stdout.off?.('resize', onResize);
    cook();
    input.pause();
    process.off('exit', cook);
    write('\r\n');
  }
}
