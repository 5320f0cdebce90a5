import type { Channel } from '../channel/channel.ts';
import { networkOpenError, openNetworkIn } from '../channel/refusals.ts';
import type { EgressDecision, EgressPolicy } from '../domain/egress.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import type {
  ExecOptions,
  ExecRequest,
  ExecResult,
  FileStat,
  Sandbox,
  SandboxNotice,
  SandboxRef,
  SandboxStats,
} from '../domain/ports/sandbox.ts';

/** What a driver adds to a channel to make it a sandbox. */
export interface ChannelSandboxOptions {
  readonly channel: Channel;
  readonly ref: SandboxRef;
  readonly diskLimitBytes: number;
  /** Ends everything of the sandbox and removes what it left on this machine; idempotent. */
  readonly destroy: () => Promise<void>;
  readonly setEgress: (policy: EgressPolicy) => void;
  readonly onEgress: (listener: (decision: EgressDecision) => void) => void;
  readonly onNotice?: (listener: (notice: SandboxNotice) => void) => void;
  /** Knows better why a channel ended than the channel does; asked only where that does not tell. */
  readonly explainLoss?: (known: Loss) => Promise<Loss>;
}

/** Why a sandbox is gone: a code of the registry, and what is known. */
export interface Loss {
  readonly code: ErrorCode;
  readonly sentence: string;
}

/** Most that `read` returns at once, in bytes; larger files are for `readStream`. */
const longestRead = 64 * 1024 * 1024;

/** The `Sandbox` port over a channel. The driver brings what the channel cannot: egress policy and destruction. */
export class ChannelSandbox implements Sandbox {
  readonly ref: SandboxRef;
  readonly lost: Promise<{ readonly code: string; readonly sentence: string }>;
  readonly #channel: Channel;
  readonly #options: ChannelSandboxOptions;
  #letGo = false;

  constructor(options: ChannelSandboxOptions) {
    this.#options = options;
    this.#channel = options.channel;
    this.ref = options.ref;
    this.lost = new Promise((resolve) => {
      void options.channel.closed.then(({ reason }) => {
        // Whoever let go of the sandbox did not lose it.
        if (this.#letGo) return;
        const known = lossOf(reason);
        if (known.code !== 'SANDBOX_LOST' || options.explainLoss === undefined) resolve(known);
        else options.explainLoss(known).then(resolve, () => resolve(known));
      });
    });
  }

  /** The channel, for what the port does not have (terminal size, port preview). */
  get channel(): Channel {
    return this.#channel;
  }

  async exec(request: ExecRequest, options: ExecOptions): Promise<ExecResult> {
    try {
      return await this.#channel.exec(request, options);
    } catch (error) {
      if (error instanceof BerthError && error.code === 'SANDBOX_LOST')
        return { kind: 'lost', what: 'sandbox' };
      throw error;
    }
  }

  async kill(callId: string, signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    await this.#channel.signal(callId, signal);
  }

  async writeStdin(callId: string, data: Uint8Array | null): Promise<void> {
    await this.#channel.writeStdin(callId, data);
  }

  async resize(callId: string, columns: number, rows: number): Promise<void> {
    await this.#channel.resize(callId, columns, rows);
  }

  async calls(): Promise<ReadonlyArray<{ readonly id: string; readonly running: boolean }>> {
    return await this.#channel.calls();
  }

  async forget(callId: string): Promise<void> {
    await this.#channel.forget(callId);
  }

  async read(
    path: string,
    options: { offset?: number; length?: number; signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.#channel.read(path, {
      ...options,
      length: options.length ?? longestRead,
    })) {
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  readStream(path: string, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#channel.read(path, signal === undefined ? {} : { signal });
  }

  async write(
    path: string,
    data: Uint8Array | AsyncIterable<Uint8Array>,
    options: { mode?: number; signal?: AbortSignal } = {},
  ): Promise<void> {
    await this.#channel.write(path, data, options);
  }

  async stat(path: string): Promise<FileStat | null> {
    return await this.#channel.stat(path);
  }

  async list(path: string): Promise<ReadonlyArray<{ readonly name: string; readonly stat: FileStat }>> {
    return await this.#channel.list(path);
  }

  async remove(path: string): Promise<void> {
    await this.#channel.remove(path);
  }

  async stats(): Promise<SandboxStats> {
    return { ...(await this.#channel.stats()), diskLimitBytes: this.#options.diskLimitBytes };
  }

  setEgress(policy: EgressPolicy): void {
    this.#options.setEgress(policy);
  }

  onEgress(listener: (decision: EgressDecision) => void): void {
    this.#options.onEgress(listener);
  }

  onNotice(listener: (notice: SandboxNotice) => void): void {
    this.#options.onNotice?.(listener);
  }

  async detach(): Promise<void> {
    this.#letGo = true;
    this.#channel.close('detached');
    await this.#channel.closed;
  }

  async destroy(): Promise<void> {
    this.#letGo = true;
    await this.#options.destroy();
    this.#channel.close('destroyed');
  }
}

function lossOf(reason: string): Loss {
  if (reason.includes('taken over by epoch')) {
    return { code: 'SANDBOX_TAKEN_OVER', sentence: 'Another worker owns this sandbox now.' };
  }
  const reached = openNetworkIn(reason);
  if (reached !== null) return { code: 'SANDBOX_NETWORK_OPEN', sentence: networkOpenError(reached).message };
  if (reason.includes('disk of the sandbox is full')) {
    return { code: 'SANDBOX_DISK_FULL', sentence: 'The sandbox used more disk than it has, and was ended.' };
  }
  return { code: 'SANDBOX_LOST', sentence: `The channel to the sandbox ended: ${reason}.` };
}
