import { asBerthError, BerthError } from '../../domain/errors/index.ts';
import { newId } from '../../domain/ids.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import type { TerminalEnd } from '../../domain/ports/terminal.ts';
import type { OwnedRun, OwnedRuns } from '../owned-runs.ts';
import { openTerminals, type TerminalRecord } from './records.ts';
import { Shell } from './shell.ts';

/** Terminals open at once in one run. */
const maxPerRun = 4;
/** How long the shell of a connection that was lost is kept for whoever attaches again. */
const keepMs = 60_000;

/** What a connection asks of the owner. */
export interface AttachRequest {
  readonly runId: string;
  readonly epoch: number;
  /** Null: a new one; else the one to attach to, and the byte of its output from which on. */
  readonly terminal: string | null;
  readonly offset: number;
  readonly columns: number;
  readonly rows: number;
  readonly by: string;
}

/** What the owner tells the connection; in order, and nothing after `ended` or `lost`. */
export interface AttachEvents {
  opened(terminal: string): void;
  /** Output up to `nextOffset`; the shell waits until it is acknowledged, within a bound. */
  output(nextOffset: number, data: Uint8Array): void;
  /** Input up to this number reached the sandbox. */
  taken(input: number): void;
  ended(end: TerminalEnd): void;
  /** This process does not own the run (any more): attach to the next owner. */
  lost(): void;
}

export interface Attached {
  type(input: number, data: Uint8Array): void;
  resize(columns: number, rows: number): void;
  ack(offset: number): void;
  leave(): void;
  /** The connection is gone: the shell is kept for a while. */
  drop(): void;
}

export interface TerminalHostParts {
  readonly owned: OwnedRuns;
  readonly clock: Clock;
  /** After so long without a key the shell is ended, in milliseconds. */
  readonly idleMs?: number;
  readonly keepMs?: number;
}

/** The shells of the runs that this process owns. */
export class TerminalHost {
  readonly #parts: TerminalHostParts;
  readonly #shells = new Map<string, Shell>();

  constructor(parts: TerminalHostParts) {
    this.#parts = parts;
    parts.owned.onEnter((run) => {
      void this.#endAbandoned(run).catch(() => undefined);
    });
  }

  attach(request: AttachRequest, events: AttachEvents): Attached {
    const run = this.#parts.owned.get(request.runId);
    if (run === null || run.epoch !== request.epoch) {
      queueMicrotask(() => events.lost());
      return nothing;
    }
    const waiting: ((shell: Shell) => void)[] = [];
    let shell: Shell | null = null;
    const soon = (act: (shell: Shell) => void): void => {
      if (shell === null) waiting.push(act);
      else act(shell);
    };
    const begin = async (): Promise<void> => {
      shell = await this.#shell(run, request);
      shell.connect(request.offset, events);
      for (const act of waiting.splice(0)) act(shell);
    };
    begin().catch((error: unknown) => {
      const { code, message } = asBerthError(error);
      if (run.signal.aborted || code === 'OWNERSHIP_LOST') events.lost();
      else events.ended({ kind: 'failed', code, sentence: message });
    });
    return {
      type: (input, data) => soon((one) => one.type(input, data, events)),
      resize: (columns, rows) => soon((one) => one.resize(columns, rows)),
      ack: (offset) => soon((one) => one.ack(offset, events)),
      leave: () => soon((one) => one.end('left')),
      drop: () => soon((one) => one.drop(events)),
    };
  }

  async #shell(run: OwnedRun, request: AttachRequest): Promise<Shell> {
    const { terminal } = request;
    const known = terminal === null ? undefined : this.#shells.get(terminal);
    if (known !== undefined) {
      if (known.record.by !== request.by) throw new BerthError('NOT_FOUND');
      return known;
    }
    const sandbox = await run.sandbox();
    if (sandbox === null) throw new BerthError('TERMINAL_UNAVAILABLE');
    const record = terminal === null ? await this.#record(run, sandbox, request) : await found(run, request);
    if (record.sandboxId !== sandbox.ref.id) {
      throw new BerthError('SANDBOX_LOST', 'The sandbox of this terminal is gone.');
    }
    return this.#keep(run, sandbox, record);
  }

  async #record(run: OwnedRun, sandbox: Sandbox, request: AttachRequest): Promise<TerminalRecord> {
    const open = [...this.#shells.values()].filter((shell) => shell.run.runId === run.runId);
    if (open.length >= maxPerRun) throw new BerthError('TERMINAL_LIMIT');
    const { by, columns, rows } = request;
    const terminal = `terminal-${newId('c', this.#parts.clock.nowMs())}`;
    const record = { terminal, sandboxId: sandbox.ref.id, by, columns, rows };
    await run.log.append({ type: 'terminal.opened', data: record });
    return record;
  }

  #keep(run: OwnedRun, sandbox: Sandbox, record: TerminalRecord): Shell {
    const { clock, idleMs } = this.#parts;
    const shell = new Shell({
      run,
      sandbox,
      record,
      clock,
      keepMs: this.#parts.keepMs ?? keepMs,
      ...(idleMs === undefined ? {} : { idleMs }),
      onGone: () => {
        if (this.#shells.get(record.terminal) === shell) this.#shells.delete(record.terminal);
      },
    });
    this.#shells.set(record.terminal, shell);
    return shell;
  }

  /** Shells of an owner before us to which nobody attaches again are ended, so that none is left behind. */
  async #endAbandoned(run: OwnedRun): Promise<void> {
    if ((await openTerminals(run)).length === 0) return;
    await this.#parts.clock.sleep(this.#parts.keepMs ?? keepMs, run.signal);
    for (const record of await openTerminals(run)) {
      if (this.#shells.has(record.terminal)) continue;
      const sandbox = await run.sandbox();
      if (sandbox?.ref.id === record.sandboxId) this.#keep(run, sandbox, record).end('abandoned');
    }
  }
}

async function found(run: OwnedRun, { terminal, by }: AttachRequest): Promise<TerminalRecord> {
  const record = (await openTerminals(run)).find((one) => one.terminal === terminal);
  if (record === undefined || record.by !== by) throw new BerthError('NOT_FOUND', 'This terminal has ended.');
  return record;
}

const nothing: Attached = {
  type: () => undefined,
  resize: () => undefined,
  ack: () => undefined,
  leave: () => undefined,
  drop: () => undefined,
};
