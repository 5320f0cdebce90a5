import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { Interrupt } from '../interrupt.ts';
import { countFlag, listenFlags, stopTimeoutFlag } from '../listen.ts';
import { homeOf } from '../session.ts';
import type { StartOptions } from '../server-module.ts';

export interface ServeFlags extends CommonFlags {
  readonly parts?: string;
  readonly listen?: string;
  readonly port?: string;
  readonly dataDir?: string;
  readonly workers?: string;
  readonly stopTimeout?: string;
}

/** `berth serve`: some of the parts, as one of any number of replicas; logs on stdout, until a signal. */
export async function serve(context: CommandContext, flags: ServeFlags): Promise<number> {
  const { io } = context;
  const parts = partsOf(flags.parts ?? 'api,worker');
  const given = listenFlags(flags);
  const listen = given ?? (parts.includes('api') ? ('default' as const) : null);
  const maxRuns = flags.workers === undefined ? null : countFlag('workers', flags.workers);
  const stopTimeout = stopTimeoutFlag(flags.stopTimeout);
  if ((io.env['DATABASE_URL'] ?? '') === '' && parts.length < 2) {
    throw failure(
      'USAGE',
      'Parts that run apart need a common PostgreSQL.',
      'Set DATABASE_URL, or start everything in one process with `berth up`.',
    );
  }
  using interrupt = new Interrupt(null);
  const module = await io.loadServer();
  const server = await module.startServer({
    home: homeOf(flags.dataDir === undefined ? io.env : { ...io.env, BERTH_HOME: flags.dataDir }),
    env: io.env,
    parts,
    socket: 'if-free',
    log: { write: (line) => io.stdout.write(line), pretty: context.out.isTty },
    onProgress: () => undefined,
    ...(listen === null ? {} : { listen }),
    ...(maxRuns === null ? {} : { maxRuns }),
    ...stopTimeout,
  });
  try {
    await ended(interrupt.signal);
  } finally {
    await server.stop();
  }
  return interrupt.exitCode;
}

function partsOf(text: string): StartOptions['parts'] {
  const parts = text.split(',').map((part) => part.trim());
  const known = parts.filter((part): part is 'api' | 'worker' => part === 'api' || part === 'worker');
  if (known.length !== parts.length || new Set(known).size !== known.length) {
    throw failure('USAGE', `--parts ${text} is not api, worker or api,worker.`);
  }
  return known;
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
