import { referenceOf, secretsOf } from '../config/references.ts';
import type { CurrentConfig } from '../domain/config/index.ts';
import { createRedactor, type Redactor } from '../secrets/redactor.ts';
import { resolveSecret } from '../secrets/resolve-secret.ts';
import type { Secret } from '../secrets/secret-forms.ts';

/** A value shorter than this is no credential, and would turn every log into blanks. */
const shortestSecret = 8;

/** The secrets this process knows: those of its environment, and whatever the configuration refers to by now. */
export interface LiveSecrets {
  /** Always looks for all that are known. */
  readonly redactor: Redactor;
  /** Values that must not leave in a change. */
  values(): readonly string[];
  /** Also looked for from now on; what was known stays known: it may still be valid elsewhere. */
  learn(secret: Secret): void;
  /** Reads what the configuration refers to, now and after each change. Answers after the first time. */
  follow(config: CurrentConfig, env: Readonly<Record<string, string | undefined>>): Promise<() => void>;
}

export function liveSecrets(initial: readonly Secret[]): LiveSecrets {
  const known = new Map(initial.map((secret) => [secret.value, secret]));
  let redactor = createRedactor([...known.values()]);
  const learn = (secret: Secret): void => {
    if (secret.value.length < shortestSecret || known.has(secret.value)) return;
    known.set(secret.value, secret);
    redactor = createRedactor([...known.values()]);
  };
  return {
    redactor: {
      value: (value) => redactor.value(value),
      text: (text) => redactor.text(text),
      stream: () => redactor.stream(),
    },
    values: () => [...known.keys()],
    learn,
    async follow(config, env) {
      const read = async (): Promise<void> => {
        await Promise.all(
          secretsOf(config.current().config).map(async ({ key, reference }) => {
            // One that is missing shows where it is used, with its code.
            const value = await resolveSecret(referenceOf(reference), env).catch(() => null);
            if (value !== null) learn({ name: key, value });
          }),
        );
      };
      await read();
      return config.onChange(() => void read());
    },
  };
}
