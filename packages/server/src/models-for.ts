import type { Clock } from './domain/ports/clock.ts';
import type { Model, ModelSlot } from './domain/ports/model.ts';
import type { RunOptions } from './domain/task.ts';
import { modelsConfigOf, type ConfiguredModels } from './models-from-config.ts';
import type { Secret } from './secrets/secret-forms.ts';
import type { Redactor } from './secrets/redactor.ts';
import {
  cassetteModel,
  createModelSlots,
  modelsFromEnvironment,
  readCassette,
  recordingModel,
  redactedModel,
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
  return Object.entries(env).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const found = secretNames.test(name.toUpperCase()) ? [value] : passwordsOf(value);
    return found.filter((one) => one.length >= shortestSecret).map((one) => ({ name, value: one }));
  });
}

/** What stands between name and host of an address (`DATABASE_URL`, a proxy), as it is written and as it is meant. */
function passwordsOf(value: string): string[] {
  const { password = '' } = URL.parse(value) ?? {};
  if (password === '') return [];
  try {
    return [...new Set([password, decodeURIComponent(password)])];
  } catch {
    return [password];
  }
}

/**
 * The models of a run: its cassette, or those of the configuration, or else of the environment; recorded when it asks
 * for that.
 * @throws BerthError `MODEL_NOT_CONFIGURED`, `CASSETTE_INVALID`
 */
export function modelsFor(
  env: Environment,
  options: RunOptions,
  clock: Clock,
  redactor: Redactor,
  configured: ConfiguredModels | null = null,
): ModelSlots {
  const redact = (text: string): string => redactor.text(text);
  if (options.cassette !== null) {
    return singleModelSlots(cassetteModel(readCassette(options.cassette), { clock, mode: 'strict', redact }));
  }
  const config = configured === null ? null : modelsConfigOf(env, configured, options.model);
  const slots =
    config === null
      ? modelsFromEnvironment(env, { clock }, options.model ?? undefined)
      : createModelSlots(config, { clock });
  const { record } = options;
  const model = (slot: ModelSlot): Model => {
    const real = slots.model(slot);
    // Recorded as it was said: the recording takes secrets out of both sides by itself.
    return redactedModel(record === null ? real : recordingModel(real, { path: record, redact }), redact);
  };
  return { ...slots, model };
}
