import { randomBytes } from 'node:crypto';
import type { Config, CurrentConfig } from '../../domain/config/index.ts';
import { asBerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';

/** A secret that was rotated counts after so long at the latest, or once a signature of the new one was refused. */
const keptMs = 60_000;
const soonestMs = 2_000;
const longestReadMs = 10_000;

/** The secrets of hooks, held ready: how long one is looked for must not tell that its name is there. */
export interface HookSecrets {
  /** Null: it cannot be read. */
  read(reference: string): Promise<string | null>;
  /** Reads all anew, in the background: a signature did not hold. */
  lookAgain(): void;
  /** Signs nothing that anybody sends. */
  readonly decoy: string;
  close(): void;
}

export function hookSecrets(
  config: CurrentConfig,
  clock: Clock,
  read: (reference: string, signal: AbortSignal) => Promise<string>,
): HookSecrets {
  const held = new Map<string, Promise<string | null>>();
  const lastKnown = new Map<string, string>();
  let lookedMs = Number.NEGATIVE_INFINITY;
  const readNow = async (reference: string): Promise<string | null> => {
    try {
      const value = await read(reference, AbortSignal.timeout(longestReadMs));
      lastKnown.set(reference, value);
      return value;
    } catch (error) {
      // A source that is away for a moment; what was taken away there does not count any more.
      return asBerthError(error).code === 'SECRET_UNAVAILABLE' ? (lastKnown.get(reference) ?? null) : null;
    }
  };
  const readAll = (): void => {
    lookedMs = clock.monotonicMs();
    const wanted = referencesOf(config.current().config);
    for (const reference of held.keys()) if (!wanted.has(reference)) held.delete(reference);
    for (const reference of lastKnown.keys()) if (!wanted.has(reference)) lastKnown.delete(reference);
    for (const reference of wanted) {
      const reading = readNow(reference);
      // What was known counts until the new answer is there.
      if (held.has(reference)) void reading.then((value) => held.set(reference, Promise.resolve(value)));
      else held.set(reference, reading);
    }
  };
  readAll();
  const endFollowing = config.onChange(readAll);
  return {
    decoy: randomBytes(32).toString('hex'),
    async read(reference) {
      if (clock.monotonicMs() - lookedMs > keptMs) readAll();
      const known = held.get(reference);
      if (known !== undefined) return known;
      const reading = readNow(reference);
      held.set(reference, reading);
      return reading;
    },
    lookAgain() {
      if (clock.monotonicMs() - lookedMs > soonestMs) readAll();
    },
    close: endFollowing,
  };
}

function referencesOf({ forges, triggers }: Config): ReadonlySet<string> {
  return new Set([
    ...forges.flatMap(({ webhookSecret }) => (webhookSecret === undefined ? [] : [webhookSecret])),
    ...triggers.flatMap((one) => (one.kind === 'webhook' ? [one.secret] : [])),
  ]);
}
