import { asBerthError, BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import type { Member } from './member.ts';

/** One that is being made. */
interface Making {
  readonly kind: string;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** What became of an attempt to make one. */
export type Made = { readonly kind: 'made' | 'given-up' } | { readonly kind: 'failed'; error: BerthError };

/** The idle sandboxes of a worker, and those on their way. Each leaves once: to a run, or destroyed. */
export class Stock {
  readonly #clock: Clock;
  readonly #onGone: () => void;
  #idle: Member[] = [];
  readonly #making = new Set<Making>();
  readonly #destroying = new Set<Promise<void>>();

  /** @param onGone told when an idle one was lost */
  constructor(clock: Clock, onGone: () => void) {
    this.#clock = clock;
    this.#onGone = onGone;
  }

  get idle(): readonly Member[] {
    return this.#idle;
  }

  /** How many are being made, of a kind or of all. */
  making(kind?: string): number {
    return [...this.#making].filter((one) => kind === undefined || one.kind === kind).length;
  }

  /** Takes the oldest that fits out of the stock: nobody else gets it. */
  take(fits: (member: Member) => boolean): Member | null {
    const member = this.#idle.find(fits);
    if (member === undefined) return null;
    this.#idle = this.#idle.filter((one) => one !== member);
    return member;
  }

  /** Makes one and keeps it; resolves when it is there, or is not going to be. */
  async make(
    labels: Pick<Member, 'kind' | 'owner'>,
    create: (signal: AbortSignal) => Promise<Sandbox>,
  ): Promise<Made> {
    const abort = new AbortController();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const making: Making = { kind: labels.kind, abort, done };
    this.#making.add(making);
    try {
      const sandbox = await create(abort.signal);
      if (abort.signal.aborted) {
        await this.destroy(sandbox);
        return { kind: 'given-up' };
      }
      this.#keep({ ...labels, sandbox, madeMs: this.#clock.monotonicMs() });
      return { kind: 'made' };
    } catch (error) {
      return abort.signal.aborted ? { kind: 'given-up' } : { kind: 'failed', error: asBerthError(error) };
    } finally {
      this.#making.delete(making);
      resolve();
    }
  }

  /** Destroys a sandbox that is out of the stock. What fails is left to the reconciler. */
  destroy(sandbox: Sandbox): Promise<void> {
    const ending = sandbox.destroy().catch(() => undefined);
    this.#destroying.add(ending);
    return ending.finally(() => this.#destroying.delete(ending));
  }

  /** Destroys every idle one that is to go. */
  async drop(goes: (member: Member) => boolean): Promise<void> {
    const going = this.#idle.filter(goes);
    this.#idle = this.#idle.filter((member) => !going.includes(member));
    await Promise.all(going.map(({ sandbox }) => this.destroy(sandbox)));
  }

  /** Makes room for a run: ends the oldest idle one, or one that is being made. False: there was none. */
  async evictOne(): Promise<boolean> {
    const member = this.take(() => true);
    if (member !== null) {
      await this.destroy(member.sandbox);
      return true;
    }
    const [making] = this.#making;
    if (making === undefined) return false;
    making.abort.abort(new BerthError('SANDBOX_CAPACITY'));
    await making.done;
    return true;
  }

  /** Ends them all, also those on their way. */
  async clear(): Promise<void> {
    const making = [...this.#making];
    for (const { abort } of making) abort.abort(new BerthError('WORKER_STOPPING'));
    await Promise.all(making.map(({ done }) => done));
    await this.drop(() => true);
    await Promise.all(this.#destroying);
  }

  #keep(member: Member): void {
    this.#idle.push(member);
    void member.sandbox.lost.then(() => {
      if (!this.#idle.includes(member)) return;
      this.#idle = this.#idle.filter((one) => one !== member);
      void this.destroy(member.sandbox);
      this.#onGone();
    });
  }
}
