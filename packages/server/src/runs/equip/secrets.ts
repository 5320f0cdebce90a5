import { createHmac } from 'node:crypto';
import type { ConfigRevision, CredentialConfig, CurrentConfig } from '../../domain/config/index.ts';
import type { BrokeredCredential, CredentialBroker } from '../../domain/egress.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { isReservedEnv } from '../../domain/reserved-env.ts';
import type { ProjectSettings } from '../../domain/settings.ts';
import type { GivenSecrets, RunSecrets } from '../../sandboxes/sandbox-slot.ts';
import type { ReadSecret } from '../../secrets/read-secret.ts';
import { settingsOfRepository } from './settings.ts';

/** Variables of the worker that projects with `sandboxEnv` get, under the rest of their name. */
export const forwardedPrefix = 'SANDBOX_ENV_';
/** Drivers take 128 KiB for all of a command's environment, as JSON. */
const mostEnvBytes = 64 * 1024;

/** What the installation offers for the secrets of its runs. */
export interface SecretsForRuns {
  /** Learned by the redactor before it is answered. */
  readonly read: ReadSecret;
  /** The worker's own environment, of which only `SANDBOX_ENV_*` is read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Also looked for by the redactor from now on. */
  readonly learn: (secret: { readonly name: string; readonly value: string }) => void;
  /** Of the whole installation and never outside: placeholders are made from it. */
  placeholderKey(): Promise<string>;
}

/**
 * The secrets of one run. What the run was planned with and what the configuration says now both have to allow one: what
 * an admin takes back is gone with the next use, what is added later is for later runs.
 */
export async function runSecrets(parts: {
  readonly runId: string;
  readonly repository: string;
  readonly pinned: ProjectSettings;
  readonly config: CurrentConfig;
  readonly installation: SecretsForRuns;
}): Promise<RunSecrets> {
  const { runId, repository, pinned, config, installation } = parts;
  const key = pinned.credentials.length === 0 ? '' : await installation.placeholderKey();
  const now = (): { readonly revision: ConfigRevision; readonly settings: ProjectSettings } => {
    const revision = config.current();
    return { revision, settings: settingsOfRepository(revision, repository) };
  };
  const allowed = (settings: ProjectSettings): readonly CredentialConfig[] =>
    pinned.credentials.filter((one) => settings.credentials.some((other) => isSame(one, other)));
  const read = async (secret: string, revision: ConfigRevision, signal: AbortSignal): Promise<string> => {
    const from = revision.config.secrets.find(({ name }) => name === secret)?.from;
    if (from === undefined) throw notAllowed(secret);
    return installation.read(from, signal, secret);
  };

  const credentials: CredentialBroker = {
    list: () => allowed(now().settings).map((one) => brokered(one, placeholderOf(key, runId, one.name))),
    async value(name, signal) {
      const { revision, settings } = now();
      const credential = allowed(settings).find((one) => one.name === name);
      if (credential === undefined) throw notAllowed(name);
      return read(credential.secret, revision, signal);
    },
  };

  const given = async (signal: AbortSignal): Promise<GivenSecrets> => {
    const { revision, settings } = now();
    const forwarded = pinned.forwardEnv.filter((one) =>
      settings.forwardEnv.some((other) => isSame(one, other)),
    );
    const listed = await Promise.all(
      forwarded.map(async ({ name, secret }) => [name, await read(secret, revision, signal)] as const),
    );
    const usable = allowed(settings);
    const placeholders = usable.flatMap(({ name, env }) =>
      env === undefined ? [] : [[env, placeholderOf(key, runId, name)] as const],
    );
    const prefixed = pinned.sandboxEnv && settings.sandboxEnv ? prefixedVariables(installation) : [];
    const configured = new Set([...listed, ...placeholders].map(([name]) => name));
    const added = prefixed.filter(([name]) => !configured.has(name));
    const exposed = [...listed, ...added];
    assertUsable([...exposed, ...placeholders]);
    return {
      env: Object.fromEntries([...exposed, ...placeholders]),
      exposed: exposed.map(([name]) => name).toSorted((one, other) => (one < other ? -1 : 1)),
      brokered: usable.map(({ name, host, env }) => ({ name, host, env: env ?? null })),
    };
  };
  return { credentials, given };
}

/** `SANDBOX_ENV_*` of the worker without the prefix; their values are learned as secrets. */
function prefixedVariables({ env, learn }: SecretsForRuns): (readonly [string, string])[] {
  return Object.entries(env).flatMap(([variable, value]) => {
    if (!variable.startsWith(forwardedPrefix) || value === undefined || value === '') return [];
    const name = variable.slice(forwardedPrefix.length);
    learn({ name, value });
    return [[name, value] as const];
  });
}

/**
 * The stand-in of a credential inside the sandboxes of a run: the same for every owner of the run, and a guess of 160
 * bits for everybody else. Letters and digits alone, so that no encoding changes it.
 */
export function placeholderOf(key: string, runId: string, name: string): string {
  const digest = createHmac('sha256', key)
    .update(JSON.stringify(['placeholder', runId, name]))
    .digest('hex');
  return `berthplaceholder${digest.slice(0, 40)}`;
}

function brokered(one: CredentialConfig, placeholder: string): BrokeredCredential {
  const { name, host, port, paths, placement } = one;
  return { name, host, port, paths: paths ?? [], placement, placeholder };
}

/** Two entries of the configuration say the same. */
function isSame(one: object, other: object): boolean {
  return canonical(one) === canonical(other);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : entry,
  );
}

/** Configured names were checked with the configuration; those of the worker's environment only come up here. */
function assertUsable(variables: readonly (readonly [string, string])[]): void {
  for (const [name, value] of variables) {
    const fault = !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
      ? 'is no name of a variable'
      : isReservedEnv(name)
        ? 'is a variable that sandboxes need as it is'
        : value.includes('\0')
          ? 'has a value with a zero byte'
          : null;
    if (fault !== null) {
      throw new BerthError(
        'SANDBOX_ENV_REFUSED',
        `${name}, which would be forwarded to sandboxes, ${fault}.`,
      );
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(variables));
  if (bytes > mostEnvBytes) {
    throw new BerthError(
      'SANDBOX_ENV_REFUSED',
      `The variables forwarded to sandboxes have ${bytes} bytes together; ${mostEnvBytes} are accepted.`,
    );
  }
}

function notAllowed(name: string): BerthError {
  return new BerthError('SECRET_NOT_ALLOWED', `${name} is not, or no longer, what this project may use.`);
}
