import type { Clock } from './domain/ports/clock.ts';
import type { RunOptions } from './domain/task.ts';
import type { Secret } from './secrets/secret-forms.ts';
import type { Redactor } from './secrets/redactor.ts';
import {
  cassetteModel,
  modelsFromEnvironment,
  readCassette,
  recordingModel,
  singleModelSlots,
  type ModelSlots,
} from './models/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables whose values are credentials of this process; never stored, never let out in a change. */
const secretNames = /(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$/;
/** A value shorter than this is no credential, and would turn every log into blanks. */
const shortestSecret = 8;

/** The credentials in this process's environment, by the names of their variables. */
export function knownSecrets(env: Environment): Secret[] {
  return Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && value.length >= shortestSecret && secretNames.test(name.toUpperCase())
      ? [{ name, value }]
      : [],
  );
}

/**
 * The models of a run: its cassette, or those the environment configures; recorded when it asks for that.
 * @throws BerthError `MODEL_NOT_CONFIGURED`, `CASSETTE_INVALID`
 */
export function modelsFor(
  env: Environment,
  options: RunOptions,
  clock: Clock,
  redactor: Redactor,
): ModelSlots {
  const redact = (text: string): string => redactor.text(text);
  if (options.cassette !== null) {
    return singleModelSlots(cassetteModel(readCassette(options.cassette), { clock, mode: 'strict', redact }));
  }
  const slots = modelsFromEnvironment(env, { clock }, options.model ?? undefined);
  const { record } = options;
  if (record === null) return slots;
  return { ...slots, model: (slot) => recordingModel(slots.model(slot), { path: record, redact }) };
}
