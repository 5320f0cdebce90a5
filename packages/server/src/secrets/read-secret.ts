import { BerthError } from '../domain/errors/index.ts';
import type { SecretSource } from '../domain/ports/secret-source.ts';
import { parseSecretReference, type SecretSourceKind } from '../domain/secret-reference.ts';
import { environmentSource, fileSource } from './local-sources.ts';
import { kubernetesSource } from './kubernetes-source.ts';

/**
 * Reads what a reference of the configuration leads to, whichever kind it is.
 * @param name what is shown in its place where it is redacted
 */
export type ReadSecret = (reference: string, signal: AbortSignal, name?: string) => Promise<string>;

/**
 * @param sources one of each kind that can be read here; asked at each read, for some depend on the configuration
 * @returns throws BerthError `SECRET_MISSING`, `SECRET_UNAVAILABLE`
 */
export function secretReader(sources: () => readonly SecretSource[]): ReadSecret {
  return async (reference, signal) => {
    const parsed = parseSecretReference(reference);
    if (parsed === null) throw new BerthError('SECRET_MISSING', 'What should refer to a secret does not.');
    const source = sources().find(({ kind }) => kind === parsed.kind);
    if (source === undefined) throw new BerthError('SECRET_MISSING', notConfigured(parsed.kind));
    return source.read(parsed.place, signal);
  };
}

function notConfigured(kind: SecretSourceKind): string {
  return kind === 'op'
    ? 'A secret is in 1Password, and secretSources.onePassword is not configured.'
    : `Secrets of the kind ${kind} cannot be read here.`;
}

/** The sources of every installation: environment, files, mounted Secrets. */
export function localSources(
  environment: Readonly<Record<string, string | undefined>>,
): readonly SecretSource[] {
  return [environmentSource(environment), fileSource(), kubernetesSource()];
}
