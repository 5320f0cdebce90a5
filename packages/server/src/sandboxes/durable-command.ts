import { createHash } from 'node:crypto';
import type { CommandResult } from '../domain/events/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Blobs } from '../domain/ports/blobs.ts';
import type { EventSink } from '../domain/ports/event-sink.ts';
import type { Redactor } from '../domain/ports/redaction.ts';
import type { CommandOutcome, DurableCommand, RunLog } from '../domain/ports/run-context.ts';
import type { ExecRequest, ExecResult, Sandbox } from '../domain/ports/sandbox.ts';
import { captureOutput } from './output-capture.ts';

/** A command whose sandbox is lost again and again is given up after this many. */
const maxAttempts = 3;
/** Output past this is cut: enough for any log a person reads, and it bounds the sandbox's spool. */
const maxOutputBytes = 16 * 1024 * 1024;

export interface DurableCommandParts {
  readonly events: EventSink;
  readonly log: RunLog;
  readonly blobs: Blobs;
  readonly signal: AbortSignal;
  readonly redaction?: Redactor | undefined;
  readonly repositoryPath: string;
  /** The sandbox to run in, ready, with the command's egress policy set. */
  sandbox(command: DurableCommand): Promise<Sandbox>;
  /** Takes the policy back; called however the command ended, and also when `sandbox` failed. */
  done(): void;
}

/**
 * Runs one deterministic command so that a crash at any line neither repeats nor forgets it: its start is
 * recorded before it is sent, its id makes the sandbox attach, its end is recorded before it is used. Lost with
 * its sandbox, it runs again in the next one under a new id.
 * @throws BerthError `SANDBOX_LOST` when it was lost three times
 */
export async function runDurably(
  command: DurableCommand,
  parts: DurableCommandParts,
): Promise<CommandOutcome> {
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    const id = attempt === 1 ? command.id : `${command.id}~${attempt}`;
    const outcome = await attemptOnce(id, command, parts);
    if (outcome.result.lost === null) return outcome;
  }
  throw new BerthError(
    'SANDBOX_LOST',
    `The command ${command.name} was lost with its sandbox ${maxAttempts} times.`,
  );
}

async function attemptOnce(
  id: string,
  command: DurableCommand,
  parts: DurableCommandParts,
): Promise<CommandOutcome> {
  const known = parts.log.state().commands[id];
  if (known !== undefined && known.end !== null) return { id, ...known.end };
  try {
    return await inSandbox(id, command, parts);
  } finally {
    // Whatever follows, the agent first of all, begins without a way out.
    parts.done();
  }
}

async function inSandbox(
  id: string,
  command: DurableCommand,
  parts: DurableCommandParts,
): Promise<CommandOutcome> {
  const { events, log } = parts;
  const known = log.state().commands[id];
  const sandbox = await parts.sandbox(command);
  if (known !== undefined && known.sandboxId !== sandbox.ref.id)
    return recordEnd(id, lostWith('sandbox'), noOutput, parts);
  if (known === undefined) {
    const { step, purpose, name } = command;
    await events.append({
      type: 'command.started',
      data: { id, sandboxId: sandbox.ref.id, step, purpose, name, command: command.command.run },
    });
  }
  const capture = captureOutput(id, parts.blobs, events, parts.redaction);
  try {
    const result = await sandbox.exec(requestOf(id, command, parts.repositoryPath), {
      signal: parts.signal,
      onOutput: (chunk) => capture.take(chunk),
    });
    const outcome = await recordEnd(id, commandResult(result), await capture.finish(), parts);
    await sandbox.forget(callId(id)).catch(() => undefined);
    return outcome;
  } catch (error) {
    capture.abandon();
    throw error;
  }
}

/** The id on the channel, where only some characters are allowed: the same for the same id, different otherwise. */
function callId(id: string): string {
  return `cmd-${createHash('sha256').update(id).digest('hex').slice(0, 40)}`;
}

const noOutput = { output: null, outputBytes: 0, tail: '' };

async function recordEnd(
  id: string,
  result: CommandResult,
  captured: { output: string | null; outputBytes: number; tail: string },
  parts: DurableCommandParts,
): Promise<CommandOutcome> {
  await parts.events.append({ type: 'command.ended', data: { id, result, ...captured } });
  return { id, result, ...captured };
}

function requestOf(id: string, command: DurableCommand, repositoryPath: string): ExecRequest {
  const { run, cwd, env, timeoutMinutes } = command.command;
  const directory = cwd === '.' ? repositoryPath : `${repositoryPath}/${cwd}`;
  const args = command.args ?? [];
  return {
    id: callId(id),
    command: args.length === 0 ? { script: run } : { argv: ['/bin/sh', '-c', run, 'check', ...args] },
    cwd: directory,
    env: {
      CI: '1',
      PAGER: 'cat',
      GIT_PAGER: 'cat',
      GIT_TERMINAL_PROMPT: '0',
      DEBIAN_FRONTEND: 'noninteractive',
      ...env,
    },
    stdin: new Uint8Array(),
    timeoutMs: timeoutMinutes * 60_000,
    maxOutputBytes,
    overflow: 'truncate',
  };
}

function commandResult(result: ExecResult): CommandResult {
  switch (result.kind) {
    case 'exited': {
      const { exitCode, signal, timedOut, outOfMemory, truncated, durationMs } = result;
      return { exitCode, signal, timedOut, outOfMemory, truncated, lost: null, durationMs };
    }
    case 'lost':
      return lostWith(result.what);
  }
}

function lostWith(what: 'runner' | 'sandbox'): CommandResult {
  return {
    exitCode: null,
    signal: null,
    timedOut: false,
    outOfMemory: false,
    truncated: false,
    lost: what,
    durationMs: 0,
  };
}
