import type { SecretSourceKind } from '../secret-reference.ts';

/**
 * A kind of place that secrets are read from. Contract (`testing/secret-source-contract.ts`): `read` answers what is there
 * at that moment, so that a rotation counts from the next read; an empty value counts as none; it ends within bounded time
 * or with the signal's reason; and no sentence of an error holds any part of a value.
 */
export interface SecretSource {
  readonly kind: SecretSourceKind;
  /**
   * @param place what stands after the colon of a reference
   * @throws BerthError `SECRET_MISSING`: it is not there; `SECRET_UNAVAILABLE`: nobody knows whether it is
   */
  read(place: string, signal: AbortSignal): Promise<string>;
}
