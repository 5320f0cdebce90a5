import { followRun, harmlessLine, type Event, type Run } from '@berth/client';
import type { CommandContext } from './command-context.ts';
import { durationMs } from './limits.ts';
import { failure } from './failure.ts';
import { exitCodeOf, isEnded } from './exit-codes.ts';
import type { Interrupt } from './interrupt.ts';
import { liveControl } from './live/live-control.ts';
import { LiveView } from './live/live-view.ts';
import { PlainView } from './live/plain-view.ts';
import type { View } from './live/view.ts';
import { isGithubActions, writeOutputs } from './output/github-actions.ts';
import { jobSummary, writeSummary } from './output/job-summary.ts';
import type { Session } from './session.ts';

export interface FollowRequest {
  readonly context: CommandContext;
  readonly session: Session;
  readonly run: Run;
  /** Events up to this one are not shown. */
  readonly afterSeq: number;
  readonly interrupt: Interrupt;
  /** No live view: one line per event, or nothing. */
  readonly view: 'live' | 'plain' | 'none';
  /** The live view in the terminal's second screen. */
  readonly isFull?: boolean | undefined;
  /** Leaves a run that waits for approval, where nobody sits in front of it; otherwise that is waited for. */
  readonly leavesAtGate?: boolean;
}

export interface FollowResult {
  readonly run: Run;
  readonly exitCode: number;
  /** Whether the run reached an end, rather than the patience of whoever watches. */
  readonly isEnded: boolean;
}

/** Time from an event to a look at the run itself; its header is not more exact than that. */
const refreshMs = 250;

/** Follows a run to its end, or until interrupted; then pauses it where this process carries it. */
export async function follow(request: FollowRequest): Promise<FollowResult> {
  const { context, session, interrupt } = request;
  const view = viewFor(request);
  let run = request.run;
  const refresh = async (): Promise<void> => {
    run = await session.client.getRun(run.id);
    view.run(run);
  };
  // Events only ask for a look; a burst of them is one look, shortly after its beginning.
  let look: NodeJS.Timeout | null = null;
  const lookSoon = (): void => {
    look ??= setTimeout(() => {
      look = null;
      void refresh().catch(() => undefined);
    }, refreshMs);
  };
  const leavesNow = (): boolean => request.leavesAtGate === true && run.gate !== null;
  view.run(run);
  try {
    if (request.afterSeq > 0) for (const event of await earlierCommands(request)) view.before(event);
    const followed = followRun(session.client, run.id, {
      afterSeq: request.afterSeq,
      signal: interrupt.signal,
      reconnect: async () => session.connect(),
    });
    for await (const item of followed) {
      if ('connection' in item) view.connection(item.connection, session.isHost);
      else if ('frame' in item) view.frame(item.frame);
      else {
        if (item.event.type === 'gate.opened' && request.leavesAtGate === true) await refresh();
        if (context.format === 'jsonl') context.printLine(item.event);
        view.event(item.event);
        if (leavesNow()) break;
        lookSoon();
      }
    }
    if (leavesNow()) return left(context, run);
    if (interrupt.cause === null) await refresh().catch(async () => session.connect().then(refresh));
    else if (session.isHost) {
      run = (await pausedRun(request, run)) ?? run;
      view.run(run);
    }
  } finally {
    if (look !== null) clearTimeout(look);
    view.end();
  }
  await writeOutputs(context.io.env, run);
  await writeSummary(context.io.env, async () => {
    const proposal = run.proposal === null ? null : await session.client.getProposal(run.id);
    return jobSummary(run, proposal);
  }).catch((error: unknown) => context.note(`The job's summary was not written: ${String(error)}`));
  // A run can end in the moment in which it is interrupted.
  if (interrupt.cause === null || isEnded(run.status.state)) {
    return { run, exitCode: exitCodeOf(run.status), isEnded: true };
  }
  context.note(farewell(request, run));
  return { run, exitCode: interrupt.exitCode, isEnded: false };
}

/** A person may take days: whoever waits for a program hears of it now. */
function left(context: CommandContext, run: Run): FollowResult {
  context.note(harmlessLine(run.status.reason));
  if (run.status.next !== null) context.note(`  next: ${harmlessLine(run.status.next)}`);
  return { run, exitCode: 5, isEnded: false };
}

/** Commands that began before what is followed: their end alone does not say what they were. */
async function earlierCommands({ session, run, afterSeq }: FollowRequest): Promise<Event[]> {
  const types = 'command.started,tool.started';
  const all: Event[] = [];
  for (let after = 0; ;) {
    const { events } = await session.client.listEvents(run.id, { after, limit: 500, types });
    for (const event of events) {
      after = event.seq;
      if (after <= afterSeq) all.push(event);
    }
    if (events.length < 500 || after > afterSeq) return all;
  }
}

/** Two seconds, whatever happens: a run that cannot be paused in them is taken over from its log later. */
const pauseTimeoutMs = 2_000;

async function pausedRun({ session, interrupt }: FollowRequest, run: Run): Promise<Run | null> {
  if (run.status.state === 'paused') return run;
  const reason =
    interrupt.cause === 'timeout'
      ? 'The time given has passed'
      : interrupt.cause === 'detach'
        ? 'The terminal that carried it left'
        : 'Interrupted';
  return within(pauseTimeoutMs, session.client.pause(run.id, reason));
}

function farewell({ session, interrupt }: FollowRequest, run: Run): string {
  const why =
    interrupt.cause === 'timeout'
      ? 'The time is up.'
      : interrupt.cause === 'detach'
        ? 'Detached.'
        : 'Interrupted.';
  if (run.gate !== null) return `${why} The run waits for approval. ${run.status.next ?? ''}`;
  if (!session.isHost) {
    return `${why} The run goes on. \`berth logs -f ${run.id}\` · \`berth cancel ${run.id}\``;
  }
  const how = run.status.state === 'paused' ? 'Paused' : 'Stopped';
  return `${why} ${how}; nothing is lost. Go on: \`berth resume ${run.id}\``;
}

async function within<Value>(ms: number, promise: Promise<Value>): Promise<Value | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([promise.catch(() => null), late]);
  } finally {
    clearTimeout(timer);
  }
}

function viewFor({ context, session, interrupt, view, run, isFull }: FollowRequest): View {
  if (view === 'none' || context.format !== 'text') return silent;
  return view === 'live' && context.err.isMovable
    ? new LiveView({
        io: context.io,
        surface: context.err,
        paint: context.paintErr,
        now: Date.now,
        control: liveControl(context.io, session, run, interrupt),
        mayAsk: context.mayAsk,
        isFull: isFull === true,
      })
    : new PlainView(context.err, run.id, Date.now, isGithubActions(context.io.env));
}

const silent: View = {
  run: () => undefined,
  before: () => undefined,
  event: () => undefined,
  frame: () => undefined,
  connection: () => undefined,
  end: () => undefined,
};

/** `--timeout` as milliseconds. */
export function timeoutOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = durationMs(text);
  if (ms === null) {
    throw failure(
      'USAGE',
      `--timeout ${JSON.stringify(text)} is not a duration.`,
      'Give one like 90s, 20m or 2h.',
    );
  }
  return ms;
}

/** What a command that followed a run prints as its result. */
export function printOutcome(context: CommandContext, run: Run): void {
  if (context.format === 'json') context.printDocument(run);
  else if (context.format === 'jsonl') context.printLine(run);
  else if (context.format === 'quiet') context.out.write(`${run.id}\n`);
  else context.out.write(`${run.pullRequest?.url ?? run.id}\n`);
}
