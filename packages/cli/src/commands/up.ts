import { harmlessLine } from '@berth/client';
import { asCalled } from '../called-as.ts';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { keyInputOf } from '../live/keyboard.ts';
import { Interrupt } from '../interrupt.ts';
import { listenFlags, stopTimeoutFlag } from '../listen.ts';
import { homeOf } from '../session.ts';
import type { HostedServer } from '../server-module.ts';

export interface UpFlags extends CommonFlags {
  readonly listen?: string;
  readonly port?: string;
  readonly dataDir?: string;
  readonly stopTimeout?: string;
}

/** `berth up`: everything in one process, until Ctrl-C. */
export async function up(context: CommandContext, flags: UpFlags): Promise<number> {
  const { io } = context;
  const listen = listenFlags(flags) ?? 'default';
  const stopTimeout = stopTimeoutFlag(flags.stopTimeout);
  const home = homeOf(flags.dataDir === undefined ? io.env : { ...io.env, BERTH_HOME: flags.dataDir });
  using interrupt = new Interrupt(null);
  const module = await io.loadServer();
  const server = await module.startServer({
    home,
    // Warnings and errors beneath the start screen; all the rest on request.
    env: { ...io.env, BERTH_LOG: io.env['BERTH_LOG'] ?? 'warn' },
    parts: ['api', 'worker'],
    listen,
    log: { write: (line) => io.stderr.write(line), pretty: context.err.isTty },
    onProgress: (sentence) => context.note(context.paintErr('dim', sentence)),
    ...stopTimeout,
  });
  try {
    if (!interrupt.signal.aborted) {
      const link = await sayWhatIs(context, server, home);
      if (link !== null) linkAtEnter(context, server, interrupt.signal);
      await ended(interrupt.signal);
    }
    context.note(context.paintErr('dim', 'Stopping; once more Ctrl-C leaves at once'));
  } finally {
    await server.stop();
  }
  return interrupt.exitCode;
}

async function sayWhatIs(
  context: CommandContext,
  server: HostedServer,
  home: string,
): Promise<string | null> {
  const link = (await server.signInLink?.()) ?? null;
  const url = server.url ?? null;
  if (context.format !== 'text') {
    context.printDocument({ schema: 'berth.up/v1', url, socket: server.socketPath, home, signInLink: link });
    return link;
  }
  const { paint, out, io } = context;
  const database =
    (io.env['DATABASE_URL'] ?? '') === '' ? 'embedded PostgreSQL' : 'PostgreSQL of DATABASE_URL';
  const row = (name: string, value: string): string => `  ${paint('dim', name.padEnd(9))} ${value}\n`;
  const first = (command: string, what: string): string =>
    `${asCalled(`  berth ${command.padEnd(30)}`, io.env)} ${paint('dim', what)}\n`;
  out.write(
    `\n${paint('bold', 'Berth is up.')}\n\n` +
      row('address', url ?? 'the unix socket alone') +
      row(
        'sign in',
        link === null
          ? '`berth login`'
          : `${link}  ${paint('dim', '(works once, for ten minutes; Enter: a new one)')}`,
      ) +
      row('data', `${harmlessLine(home)}  ${paint('dim', `(${database})`)}`) +
      `\nFirst steps, in another terminal:\n` +
      first('doctor', 'looks whether everything is there') +
      first('run "fix the flaky date test"', 'in a git repository') +
      first('runs', 'what runs and what ran') +
      `\n${paint('dim', 'Ctrl-C stops it. Runs that are under way go on when it is back.')}\n`,
  );
  return link;
}

/** The link works once and for ten minutes: Enter prints another. */
function linkAtEnter(context: CommandContext, server: HostedServer, signal: AbortSignal): void {
  const input = keyInputOf(context.io);
  if (input === null || context.format !== 'text') return;
  const onData = (): void => {
    server.signInLink?.().then(
      (link) => context.out.write(`  ${context.paint('dim', 'sign in')}   ${link ?? '`berth login`'}\n`),
      (error: unknown) => context.note(error instanceof Error ? error.message : String(error)),
    );
  };
  input.on('data', onData);
  input.resume();
  signal.addEventListener(
    'abort',
    () => {
      input.off('data', onData);
      input.pause();
    },
    { once: true },
  );
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
