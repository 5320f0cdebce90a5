import type { EventData } from '../../domain/events/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { ExecRequest, ExecResult, Sandbox } from '../../domain/ports/sandbox.ts';
import { repositoryPath } from '../../sandboxes/workbench.ts';
import type { OwnedRun } from '../owned-runs.ts';
import type { AttachEvents } from './host.ts';
import type { TerminalRecord } from './records.ts';
import { TypedLines } from './typed-lines.ts';

const defaultIdleMs = 10 * 60_000;
const longestMs = 8 * 60 * 60_000;
/** Output that nobody has taken yet; then the shell waits. */
const backlogBytes = 256 * 1024;
/** How often typed lines are written to the log. */
const recordMs = 2_000;

type Reason = EventData<'terminal.closed'>['reason'];

export interface ShellParts {
  readonly run: OwnedRun;
  readonly sandbox: Sandbox;
  readonly record: TerminalRecord;
  readonly clock: Clock;
  readonly idleMs?: number;
  readonly keepMs: number;
  onGone(): void;
}

interface Connection {
  readonly events: AttachEvents;
  readonly detach: AbortController;
  sent: number;
  acked: number;
  room: () => void;
}

/** One shell in a sandbox, with at most one connection to a person. */
export class Shell {
  readonly run: OwnedRun;
  readonly record: TerminalRecord;
  readonly #parts: ShellParts;
  readonly #lines = new TypedLines();
  #connection: Connection | null = null;
  #typing: Promise<void> = Promise.resolve();
  #timers: { idle: AbortController | null; keep: AbortController | null; record: AbortController | null } = {
    idle: null,
    keep: null,
    record: null,
  };
  #bytesIn = 0;
  #bytesOut = 0;
  #ending: Reason | null = null;
  #isOver = false;

  constructor(parts: ShellParts) {
    this.#parts = parts;
    this.run = parts.run;
    this.record = parts.record;
    // The shell goes on in its sandbox; who sits at it attaches to the next owner.
    parts.run.signal.addEventListener('abort', () => this.#letGo(), { once: true });
    this.#restart('idle', parts.idleMs ?? defaultIdleMs, () => this.end('idle'));
  }

  /** Connects a person: output from `offset` on. A connection before it is let go of. */
  connect(offset: number, events: AttachEvents): void {
    this.#timers.keep?.abort();
    this.#connection?.detach.abort();
    if (this.#isOver) {
      events.ended({ kind: 'failed', code: 'NOT_FOUND', sentence: 'This terminal has ended.' });
      return;
    }
    const connection: Connection = {
      events,
      detach: new AbortController(),
      sent: offset,
      acked: offset,
      room: () => undefined,
    };
    this.#connection = connection;
    events.opened(this.record.terminal);
    const signal = AbortSignal.any([connection.detach.signal, this.run.signal]);
    this.#follow(offset, connection, signal).then(
      (result) => this.#over(result),
      () => {
        // Detached on purpose, or the channel broke: then the person attaches again, here or at the next owner.
        if (!signal.aborted && this.#connection === connection) this.#fail();
      },
    );
  }

  type(input: number, data: Uint8Array, events: AttachEvents): void {
    this.#restart('idle', this.#parts.idleMs ?? defaultIdleMs, () => this.end('idle'));
    this.#bytesIn += data.length;
    this.#lines.typed(data);
    if (!this.#lines.isEmpty) this.#recordSoon();
    this.#typing = this.#typing
      .then(() => this.#parts.sandbox.writeStdin(this.record.terminal, data))
      .then(
        () => events.taken(input),
        () => undefined,
      );
  }

  resize(columns: number, rows: number): void {
    this.#parts.sandbox.resize(this.record.terminal, columns, rows).catch(() => undefined);
  }

  ack(offset: number, events: AttachEvents): void {
    const connection = this.#connection;
    if (connection?.events !== events || offset > connection.sent) return;
    connection.acked = Math.max(connection.acked, offset);
    connection.room();
  }

  /** The connection is gone: whoever comes back within a while finds the shell as it was. */
  drop(events: AttachEvents): void {
    if (this.#connection?.events !== events) return;
    this.#connection.detach.abort();
    this.#connection = null;
    this.#restart('keep', this.#parts.keepMs, () => this.end('abandoned'));
  }

  /** Ends the shell with everything it started. */
  end(reason: Reason): void {
    if (this.#isOver || this.#ending !== null) return;
    this.#ending = reason;
    const { sandbox } = this.#parts;
    const { terminal } = this.record;
    sandbox.kill(terminal, 'SIGKILL').catch(() => undefined);
    // Nobody follows it: then its end is not seen.
    if (this.#connection === null || reason === 'left') void this.#over(null);
  }

  async #follow(offset: number, connection: Connection, signal: AbortSignal): Promise<ExecResult> {
    return this.#parts.sandbox.exec(shellRequest(this.record), {
      signal,
      fromOffset: offset,
      onOutput: async ({ nextOffset, data }) => {
        this.#bytesOut += data.length;
        this.#lines.shown(data);
        connection.sent = nextOffset;
        connection.events.output(nextOffset, data);
        while (connection.sent - connection.acked > backlogBytes && !signal.aborted) {
          await new Promise<void>((resolve) => {
            connection.room = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
        }
      },
    });
  }

  async #over(result: ExecResult | null): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    const connection = this.#connection;
    this.#stopTimers();
    const exitCode = result?.kind === 'exited' ? result.exitCode : null;
    const reason = this.#ending ?? (result?.kind === 'lost' ? 'lost' : 'exit');
    await this.#recordLines();
    await this.#append({
      type: 'terminal.closed',
      data: {
        terminal: this.record.terminal,
        by: this.record.by,
        reason,
        exitCode,
        bytesIn: this.#bytesIn,
        bytesOut: this.#bytesOut,
      },
    });
    this.#parts.onGone();
    await this.#parts.sandbox.forget(this.record.terminal).catch(() => undefined);
    connection?.events.ended(endOf(reason, exitCode));
  }

  #fail(): void {
    this.#connection?.events.lost();
    this.#connection = null;
    this.#restart('keep', this.#parts.keepMs, () => this.end('abandoned'));
  }

  #letGo(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimers();
    this.#parts.onGone();
    this.#connection?.events.lost();
  }

  #recordSoon(): void {
    if (this.#timers.record !== null) return;
    this.#restart('record', recordMs, () => {
      this.#timers.record = null;
      void this.#recordLines();
    });
  }

  async #recordLines(): Promise<void> {
    const lines = this.#lines.take();
    const { terminal, by } = this.record;
    if (lines.length > 0) await this.#append({ type: 'terminal.typed', data: { terminal, by, lines } });
  }

  async #append(entry: Parameters<OwnedRun['log']['append']>[0]): Promise<void> {
    // Nothing comes after the end of a run.
    if (this.run.log.state().ended !== null) return;
    await this.run.log.append(entry).catch(() => undefined);
  }

  #restart(name: 'idle' | 'keep' | 'record', afterMs: number, act: () => void): void {
    this.#timers[name]?.abort();
    const timer = new AbortController();
    this.#timers[name] = timer;
    this.#parts.clock.sleep(afterMs, timer.signal).then(act, () => undefined);
  }

  #stopTimers(): void {
    for (const timer of Object.values(this.#timers)) timer?.abort();
  }
}

function endOf(reason: Reason, exitCode: number | null): Parameters<AttachEvents['ended']>[0] {
  switch (reason) {
    case 'exit':
    case 'left':
      return { kind: 'exit', exitCode };
    case 'idle':
      return { kind: 'failed', code: 'TERMINAL_IDLE', sentence: 'Nothing was typed for a while.' };
    case 'lost':
    case 'abandoned':
      return { kind: 'failed', code: 'SANDBOX_LOST', sentence: 'The sandbox of this terminal is gone.' };
  }
}

/** The same for every owner: sandboxd attaches only to the call it knows. */
function shellRequest({ terminal, columns, rows }: TerminalRecord): ExecRequest {
  return {
    id: terminal,
    command: { argv: ['bash', '--norc', '--noprofile', '-i'] },
    cwd: repositoryPath,
    env: { TERM: 'xterm-256color', PS1: 'sandbox:\\w\\$ ' },
    stdin: 'open',
    pty: { columns, rows },
    timeoutMs: longestMs,
    maxOutputBytes: 1024 * 1024,
    overflow: 'block',
  };
}
