/** The kinds of places a secret can be read from; what stands before the colon of a reference. */
export type SecretSourceKind = 'env' | 'file' | 'kubernetes' | 'op';

/** Where a secret is; configuration holds references, never values. */
export interface SecretReference {
  readonly kind: SecretSourceKind;
  /** What stands after the colon: a name of a variable, a path, `vault/item/field`. */
  readonly place: string;
}

/**
 * `${env:NAME}`, `${file:/path}`, `${kubernetes:/mount/key}` (a file right below a mounted Secret; no dots to climb with)
 * or `${op:vault/item/field}`, with a section between item and field where one is needed.
 */
export const secretReferencePattern =
  /^\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:\/[^}\0]+|kubernetes:(?:\/(?!\.{1,2}[/}])[^/}\0]+){2,}|op:[^/}\0]+(?:\/[^/}\0]+){2,3})\}$/;

/** A reference as configuration writes it; null: it is none. Pure. */
export function parseSecretReference(text: string): SecretReference | null {
  const inner = secretReferencePattern.exec(text)?.[1];
  if (inner === undefined) return null;
  const colon = inner.indexOf(':');
  return { kind: inner.slice(0, colon) as SecretSourceKind, place: inner.slice(colon + 1) };
}
