import { asBerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type {
  Terminal,
  TerminalEnd,
  TerminalPeer,
  TerminalRequest,
  Terminals,
} from '../../domain/ports/terminal.ts';
import type { Dial } from '../../internal/dial.ts';
import type { RunOwner } from '../../store/runs/find-owner.ts';
import type { OwnedRuns } from '../owned-runs.ts';
import type { Attached, AttachEvents, AttachRequest, TerminalHost } from './host.ts';
import { attachRemotely } from './wire.ts';

/** Typed bytes that wait for the shell to take them. */
const mostWaitingBytes = 256 * 1024;
/** How long a terminal waits for its run to have an owner again: longer than a lease holds. */
const patienceMs = 90_000;
const lookMs = 500;

export interface TerminalsParts {
  readonly owned: OwnedRuns;
  /** The shells of this process's own runs. */
  readonly host: TerminalHost;
  /** Null: there are no other processes. */
  readonly dial: Dial | null;
  readonly clock: Clock;
  readonly findOwner: (runId: string) => Promise<RunOwner | null>;
}

/** Terminals for the API: in this process or at the worker that owns the run, kept over its take-over. */
export function createTerminals(parts: TerminalsParts): Terminals {
  return { open: (request, peer) => new OpenTerminal(request, peer, parts) };
}

type Outcome = { readonly kind: 'ended'; readonly end: TerminalEnd } | { readonly kind: 'lost' };

class OpenTerminal implements Terminal {
  readonly ended: Terminal['ended'];
  readonly #request: TerminalRequest;
  readonly #peer: TerminalPeer;
  readonly #parts: TerminalsParts;
  readonly #gone = new AbortController();
  #size: { readonly columns: number; readonly rows: number };
  #attached: Attached | null = null;
  #terminal: string | null = null;
  #offset = 0;
  #input = 0;
  #waiting: { readonly number: number; readonly data: Uint8Array; isSent: boolean }[] = [];
  #waitingBytes = 0;
  readonly traffic = { bytesIn: 0, bytesOut: 0 };

  constructor(request: TerminalRequest, peer: TerminalPeer, parts: TerminalsParts) {
    this.#request = request;
    this.#peer = peer;
    this.#parts = parts;
    this.#size = request;
    this.ended = this.#live().catch((error: unknown): TerminalEnd => {
      const { code, message } = asBerthError(error);
      return { kind: 'failed', code, sentence: message };
    });
  }

  type(data: Uint8Array): boolean {
    if (this.#waitingBytes + data.length > mostWaitingBytes) return false;
    this.#input += 1;
    const one = { number: this.#input, data, isSent: this.#attached !== null };
    this.#waiting.push(one);
    this.#waitingBytes += data.length;
    this.traffic.bytesIn += data.length;
    this.#attached?.type(one.number, data);
    return true;
  }

  resize(columns: number, rows: number): void {
    this.#size = { columns, rows };
    this.#attached?.resize(columns, rows);
  }

  leave(): void {
    this.#attached?.leave();
    this.#gone.abort();
  }

  async #live(): Promise<TerminalEnd> {
    const { clock } = this.#parts;
    let deadlineMs: number | null = null;
    let wasTold = false;
    for (;;) {
      const outcome = await this.#attachOnce(() => {
        deadlineMs = null;
        if (wasTold) this.#peer.notice('Attached again; nothing of the output was lost.');
        wasTold = false;
      });
      if (outcome.kind === 'ended') return outcome.end;
      if (this.#gone.signal.aborted) return { kind: 'exit', exitCode: null };
      if (this.#terminal === null && outcome.kind === 'lost' && deadlineMs !== null) {
        return unavailable;
      }
      deadlineMs ??= clock.monotonicMs() + (this.#terminal === null ? 5_000 : patienceMs);
      if (clock.monotonicMs() > deadlineMs) return unreachable;
      if (this.#terminal !== null && !wasTold) {
        wasTold = true;
        this.#peer.notice('The run changes its worker; the shell goes on and is attached again.');
      }
      this.#dropUncertain();
      await clock.sleep(lookMs, this.#gone.signal).catch(() => undefined);
    }
  }

  /** What was sent and not confirmed may have been typed: it is not typed twice. */
  #dropUncertain(): void {
    const uncertain = this.#waiting.filter((one) => one.isSent);
    if (uncertain.length === 0) return;
    const bytes = uncertain.reduce((sum, one) => sum + one.data.length, 0);
    this.#waiting = this.#waiting.filter((one) => !one.isSent);
    this.#waitingBytes -= bytes;
    this.#peer.notice(`The last ${bytes} bytes typed may not have arrived.`);
  }

  async #attachOnce(onOpened: () => void): Promise<Outcome> {
    const { findOwner, owned, host, dial } = this.#parts;
    const { runId, by } = this.#request;
    const owner = await findOwner(runId).catch(() => null);
    if (owner === null) return { kind: 'lost' };
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const leave = new AbortController();
    const request: AttachRequest = {
      runId,
      by,
      epoch: owner.epoch,
      terminal: this.#terminal,
      offset: this.#offset,
      columns: this.#size.columns,
      rows: this.#size.rows,
    };
    const opened = Promise.withResolvers<void>();
    const events = this.#events({ onOpened, opened: opened.resolve, resolve });
    let attached: Attached;
    const isHere = owned.get(runId)?.worker === owner.worker;
    try {
      if (isHere) attached = host.attach(request, events);
      else if (dial !== null && owner.address !== null) {
        const at = { ...owner, address: owner.address };
        attached = await attachRemotely(dial, at, request, events, leave.signal);
      } else return { kind: 'lost' };
    } catch {
      return { kind: 'lost' };
    }
    const onGone = (): void => attached.leave();
    this.#gone.signal.addEventListener('abort', onGone, { once: true });
    await Promise.race([opened.promise, promise]);
    this.#attached = attached;
    for (const one of this.#waiting) {
      one.isSent = true;
      attached.type(one.number, one.data);
    }
    if (this.#terminal !== null) attached.resize(this.#size.columns, this.#size.rows);
    const outcome = await promise;
    this.#gone.signal.removeEventListener('abort', onGone);
    this.#attached = null;
    attached.drop();
    return outcome;
  }

  #events(then: { onOpened(): void; opened(): void; resolve(outcome: Outcome): void }): AttachEvents {
    let delivering: Promise<void> = Promise.resolve();
    let isOver = false;
    return {
      opened: (terminal) => {
        this.#terminal = terminal;
        then.onOpened();
        then.opened();
      },
      output: (nextOffset, data) => {
        delivering = delivering.then(async () => {
          if (isOver) return;
          await this.#peer.output(data);
          this.traffic.bytesOut += data.length;
          this.#offset = nextOffset;
          this.#attached?.ack(nextOffset);
        });
      },
      taken: (input) => {
        const done = this.#waiting.filter((one) => one.number <= input);
        this.#waiting = this.#waiting.filter((one) => one.number > input);
        this.#waitingBytes -= done.reduce((sum, one) => sum + one.data.length, 0);
      },
      ended: (end) => {
        void delivering.then(() => then.resolve({ kind: 'ended', end }));
      },
      lost: () => {
        // What had come is delivered; the next owner gives what follows it.
        void delivering.then(() => {
          isOver = true;
          then.resolve({ kind: 'lost' });
        });
      },
    };
  }
}

const unavailable: TerminalEnd = {
  kind: 'failed',
  code: 'TERMINAL_UNAVAILABLE',
  sentence: 'No worker works on this run now, so that it has no sandbox for a terminal.',
};
const unreachable: TerminalEnd = {
  kind: 'failed',
  code: 'OWNER_UNREACHABLE',
  sentence: 'No worker took the run over in time; its shell ends by itself.',
};
