import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { isUnreachable, type NewTask, type Run } from '@berth/client';
import type { CommandContext, CommonFlags } from '../command-context.ts';
import { failure } from '../failure.ts';
import { follow, printOutcome, timeoutOf } from '../follow.ts';
import { Interrupt } from '../interrupt.ts';
import { parseLimits } from '../limits.ts';
import { remoteUrlOf } from '../remote/remote-url.ts';
import { isUrl, repositoryOf } from '../repository.ts';
import { readTextFile, taskText } from '../task-text.ts';
import type { Session } from '../session.ts';
import { leaveToHost } from './host.ts';

export interface RunFlags extends CommonFlags {
  readonly file?: string;
  readonly repo?: string;
  readonly base?: string;
  readonly model?: string;
  readonly blueprint?: string;
  readonly limit: readonly string[];
  readonly propose: boolean;
  readonly record?: string;
  readonly cassette?: string;
  readonly detach?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly full?: boolean;
}

/** `berth run`: everything that can be wrong with the command itself is found before a server is looked for. */
export async function run(
  context: CommandContext,
  flags: RunFlags,
  given: string | undefined,
): Promise<number> {
  const timeoutMs = timeoutOf(flags.timeout);
  const task = await newTask(context, flags, given);
  if (flags.detach === true) return detached(context, task);
  using interrupt = new Interrupt(timeoutMs);
  return await context.withSession(['api', 'worker'], async (session) => {
    const created = await create(session, task);
    context.note(
      context.paintErr('dim', `run ${created.id} of task ${created.task} in ${created.project}`) +
        (created.simulated ? ' (a cassette stands in for the model)' : ''),
    );
    const view = flags.wait === true ? 'plain' : 'live';
    const result = await follow({
      context,
      session,
      run: created,
      afterSeq: 0,
      interrupt,
      view,
      isFull: flags.full,
      leavesAtGate: flags.wait !== true && !context.err.isMovable,
    });
    if (result.isEnded) {
      printOutcome(context, result.run);
      nextSteps(context, result.run);
    } else if (context.format !== 'text') printOutcome(context, result.run);
    return result.exitCode;
  });
}

/** Sends the task; a server that goes away in the middle makes no second task, thanks to the key. */
async function create(session: Session, task: NewTask) {
  const key = randomUUID();
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { run: created } = await session.client.createTask(task, key);
      return created;
    } catch (error) {
      if (!isUnreachable(error) || attempt >= 5) throw error;
      await session.connect();
    }
  }
}

async function detached(context: CommandContext, task: NewTask): Promise<number> {
  return context.withSession(['api'], async (session) => {
    const created = await create(session, task);
    if (session.isHost) {
      await session.close();
      await leaveToHost(context);
    }
    if (context.format === 'json' || context.format === 'jsonl') context.printLine(created);
    else context.out.write(`${created.id}\n`);
    context.note(`Running. \`berth logs -f ${created.id}\` · \`berth cancel ${created.id}\``);
    return 0;
  });
}

async function newTask(
  context: CommandContext,
  flags: RunFlags,
  given: string | undefined,
): Promise<NewTask> {
  const { io } = context;
  if (flags.record !== undefined && flags.cassette !== undefined) {
    throw failure(
      'USAGE',
      'A cassette cannot be played and recorded at once.',
      'Drop --record or --cassette.',
    );
  }
  const limits = parseLimits(flags.limit);
  const text = await taskText(io, given, flags.file);
  const path = (file: string | undefined): string | null =>
    file === undefined ? null : resolve(io.cwd, file);
  const blueprint = path(flags.blueprint);
  return {
    text,
    repository: await repositoryFor(context, flags.repo),
    origin: 'cli',
    options: {
      base: flags.base ?? null,
      model: flags.model ?? null,
      blueprint: blueprint === null ? null : { path: blueprint, text: await readTextFile(blueprint) },
      limits,
      propose: flags.propose,
      record: path(flags.record),
      cassette: path(flags.cassette),
    },
  };
}

/** A server elsewhere knows nothing of this machine's paths: it is told where the repository came from. */
async function repositoryFor(context: CommandContext, given: string | undefined): Promise<string> {
  const repository = await repositoryOf(given, context.io.cwd);
  if ((await context.remote()) === null || isUrl(repository)) return repository;
  return remoteUrlOf(repository, context.io.env);
}

function nextSteps(context: CommandContext, { id, status, pullRequest }: Run): void {
  if (status.code !== null && status.state !== 'succeeded') context.note(`  code: ${status.code}`);
  if (status.next !== null) context.note(`  next: ${status.next.replaceAll('RUN', id)}`);
  if (pullRequest !== null) {
    context.note(
      `  look: berth proposals show ${id} · berth diff ${id}\n  take: berth proposals merge ${id}`,
    );
  }
}
