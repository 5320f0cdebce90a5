import { secretsOf } from '../config/references.ts';
import type { Config, CurrentConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import { onePasswordSource } from '../secrets/one-password/one-password-source.ts';
import { localSources, type ReadSecret, secretReader } from '../secrets/read-secret.ts';
import { createRedactor, type Redactor } from '../secrets/redactor.ts';
import type { Secret } from '../secrets/secret-forms.ts';

/** A value shorter than this is no credential, and would turn every log into blanks. */
const shortestSecret = 8;
/** Clocks differ, and what was said shortly before is written shortly after. */
const rememberedAfterEndMs = 60 * 60_000;
/** The server starts, and a changed configuration counts, without what a source does not answer in this time. */
const longestLookMs = 15_000;

/** The secrets this process knows: those of its environment, and whatever the configuration refers to by now. */
export interface LiveSecrets {
  /** Always looks for all that are known. */
  readonly redactor: Redactor;
  /** Values that must not leave in a change. */
  values(): readonly string[];
  /**
   * Also looked for from now on; what was known stays known: it may still be valid elsewhere.
   * @param untilMs of the wall clock: when it ends by itself, and is forgotten an hour later
   */
  learn(secret: Secret, untilMs?: number): void;
  /** Reads what a reference leads to now; known to the redactor before it is answered. */
  readonly read: ReadSecret;
  /** Reads what the configuration refers to, now and after each change. Answers after the first time. */
  follow(config: CurrentConfig): Promise<() => void>;
}

/** @param parts.config what counts now; secrets are read before there is one, too */
export function liveSecrets(
  initial: readonly Secret[],
  parts: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly clock: Clock;
    config(): Config | null;
  },
): LiveSecrets {
  const known = new Map(initial.map((secret) => [secret.value, secret]));
  let redactor = createRedactor([...known.values()]);
  /** When those that end by themselves do: tokens that are minted every hour would fill the memory. */
  const ends = new Map<string, number>();
  const learn = (secret: Secret, untilMs?: number): void => {
    if (secret.value.length < shortestSecret || known.has(secret.value)) return;
    for (const [value, endMs] of ends) {
      if (endMs + rememberedAfterEndMs > parts.clock.nowMs()) continue;
      known.delete(value);
      ends.delete(value);
    }
    known.set(secret.value, secret);
    if (untilMs !== undefined) ends.set(secret.value, untilMs);
    redactor = createRedactor([...known.values()]);
  };
  const read = sourcesOf(parts);
  const readAndLearn = async (reference: string, signal: AbortSignal, name = nameOf(reference)) => {
    const value = await read(reference, signal);
    learn({ name, value });
    return value;
  };
  return {
    redactor: {
      value: (value) => redactor.value(value),
      text: (text) => redactor.text(text),
      stream: () => redactor.stream(),
      bytes: () => redactor.bytes(),
    },
    values: () => [...known.keys()],
    learn,
    read: readAndLearn,
    async follow(config) {
      const readAll = async (): Promise<void> => {
        await Promise.all(
          secretsOf(config.current().config).map(async ({ key, reference }) => {
            // One that is missing shows where it is used, with its code.
            const name = key.replace(/^secrets\./, '');
            await readAndLearn(reference, AbortSignal.timeout(longestLookMs), name).catch(() => null);
          }),
        );
      };
      await readAll();
      return config.onChange(() => void readAll());
    },
  };
}

/** What is shown in the place of a value that nothing else names. */
function nameOf(reference: string): string {
  return reference.replace(/^\$\{\w+:/, '').replace(/\}$/, '');
}

function sourcesOf(parts: Parameters<typeof liveSecrets>[1]): ReadSecret {
  const local = localSources(parts.env);
  const readLocal = secretReader(() => local);
  const onePassword = onePasswordSource(
    async (signal) => {
      const server = parts.config()?.secretSources.onePassword;
      if (server === undefined) {
        throw new BerthError('SECRET_MISSING', 'secretSources.onePassword is not configured.');
      }
      return { url: server.url, token: await readLocal(server.token, signal) };
    },
    { clock: parts.clock },
  );
  return secretReader(() =>
    parts.config()?.secretSources.onePassword === undefined ? local : [...local, onePassword],
  );
}
