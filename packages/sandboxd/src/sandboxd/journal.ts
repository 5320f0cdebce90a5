import { execSpecShape } from '@berth/protocol';
import type { Assignment, MuxStream, WorkerRequest } from '@berth/protocol';
import { parseRequest, readExactly, RefusedError } from '../refusal.ts';
import { assignedRequest } from './assigned-request.ts';
import { Call, drained } from './call.ts';
import type { RunnerLink } from './runner-link.ts';
import { Spool } from './spool.ts';

/** Calls that are remembered. Forgetting is the worker's act: dropping one in silence would let it run twice. */
const maxCalls = 4096;

type ExecMessage = Extract<WorkerRequest, { m: 'exec' }>;

/** All calls of this sandbox since sandboxd started. The same id with the same hash joins, it never repeats. */
export class Journal {
  readonly #calls = new Map<string, Call>();
  /** Requests that are still arriving, by call id. */
  readonly #starting = new Map<string, Promise<void>>();
  readonly #runner: RunnerLink;
  readonly #spool: Spool;
  readonly #oomKills: () => number;
  /** Whether anything was asked of the inside: from then on it belongs to whoever asked. */
  #used = false;
  #assigned: Assignment | null = null;

  constructor(runner: RunnerLink, spoolDirectory: string, oomKills: () => number) {
    this.#runner = runner;
    this.#spool = new Spool(spoolDirectory, () => this.#makeRoom());
    this.#oomKills = oomKills;
  }

  /** Something reached the inside: it can be given to no run any more. */
  markUsed(): void {
    this.#used = true;
  }

  /** Gives the untouched sandbox to a run; once. @throws RefusedError */
  assign(assignment: Assignment): void {
    if (this.#used || this.#assigned !== null)
      throw new RefusedError('refused', 'This sandbox has been used, or given to a run, before.');
    this.#assigned = assignment;
  }

  /** Starts the call or joins it, and streams its output. @throws RefusedError */
  async exec(message: ExecMessage, stream: MuxStream): Promise<void> {
    this.markUsed();
    const starting = this.#start(message, stream);
    // What comes right behind the request (stdin, a signal) finds a call that is still being received.
    const over = starting.then(
      () => {},
      () => {},
    );
    this.#starting.set(message.id, over);
    void over.then(() => {
      if (this.#starting.get(message.id) === over) this.#starting.delete(message.id);
    });
    const { call, attached } = await starting;
    await this.#follow(call, message.offset, stream, attached);
  }

  async #start(message: ExecMessage, stream: MuxStream): Promise<{ call: Call; attached: boolean }> {
    const body = await readExactly(stream, message.requestBytes + message.stdinBytes);
    const known = this.#calls.get(message.id);
    if (known !== undefined) {
      if (known.hash === message.hash) return { call: known, attached: true };
      throw new RefusedError('hash-mismatch', 'Another command already has this id.');
    }
    if (this.#calls.size >= maxCalls) {
      throw new RefusedError('too-many-calls', `${maxCalls} calls are remembered.`);
    }
    const { spec, request } = assignedRequest(
      parseRequest(body.subarray(0, message.requestBytes), execSpecShape),
      body.subarray(0, message.requestBytes),
      this.#assigned,
    );
    if ((spec.argv === undefined) === (spec.script === undefined) || spec.argv?.length === 0) {
      throw new RefusedError('bad-request', 'A command is either an argument list or a script.');
    }
    const call = new Call({
      id: message.id,
      hash: message.hash,
      spec,
      request,
      stdin: body.subarray(message.requestBytes),
      runner: this.#runner,
      spool: this.#spool,
      oomKills: this.#oomKills,
    });
    this.#calls.set(message.id, call);
    return { call, attached: false };
  }

  async attach(id: string, offset: number, stream: MuxStream): Promise<void> {
    await this.#follow(await this.#known(id), offset, stream, true);
  }

  async acknowledge(id: string, offset: number): Promise<void> {
    (await this.#known(id)).log.acknowledge(offset);
  }

  async type(id: string, data: AsyncIterable<Buffer>, end: boolean): Promise<void> {
    await (await this.#known(id)).type(data, end);
  }

  /** True when the call was still waiting for a runner and was ended by this. */
  async cancelWaiting(id: string): Promise<boolean> {
    await this.#starting.get(id);
    return this.#calls.get(id)?.cancelWaiting() ?? false;
  }

  list(): Array<{ id: string; running: boolean }> {
    return [...this.#calls.values()].map((call) => ({ id: call.id, running: call.running }));
  }

  forget(id: string): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    if (call.running) throw new RefusedError('refused', 'The call still runs.');
    this.#calls.delete(id);
    call.drop();
  }

  /** Gives up output that was delivered whole, the oldest first; the calls stay known and are never repeated. */
  #makeRoom(): void {
    const wanted = this.#spool.usedBytes / 2;
    for (const { log } of this.#calls.values()) {
      if (this.#spool.usedBytes <= wanted) return;
      if (log.delivered) log.acknowledge(log.end);
    }
  }

  async #known(id: string): Promise<Call> {
    await this.#starting.get(id);
    const call = this.#calls.get(id);
    if (call === undefined) throw new RefusedError('unknown-call', 'This sandbox does not know the call.');
    return call;
  }

  async #follow(call: Call, from: number, stream: MuxStream, attached: boolean): Promise<void> {
    const { log } = call;
    if (from < log.base) throw new RefusedError('gone', 'Output before this offset was given up.');
    if (from > log.end) throw new RefusedError('bad-request', 'The offset is past the end of the output.');
    stream.reply({ ok: true, value: { attached } });
    stream.resume();
    const reader = log.addReader(from);
    const wake = (): void => log.wake();
    stream.once('close', wake);
    try {
      while (!stream.destroyed) {
        const chunk = log.read(reader.offset);
        if (chunk !== null) {
          const free = stream.write(chunk);
          log.advance(reader, reader.offset + chunk.length);
          if (!free) await drained(stream);
        } else if (log.finished) {
          stream.end();
          return;
        } else {
          await log.change();
        }
      }
    } finally {
      log.removeReader(reader);
    }
  }
}
