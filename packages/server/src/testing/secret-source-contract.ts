import { expect, test } from 'vitest';
import type { SecretSource } from '../domain/ports/secret-source.ts';

/** A source with one secret in it, as the contract needs it. */
export interface SecretSourceScene {
  readonly source: SecretSource;
  /** Where the secret is. */
  readonly place: string;
  /** Puts another value there; null: takes it away. */
  readonly set: (value: string | null) => Promise<void>;
}

/** What every source of secrets keeps. */
export function secretSourceContract(name: string, open: () => Promise<SecretSourceScene>): void {
  const signal = new AbortController().signal;

  test(`${name}: answers what is there, as it is`, async () => {
    const { source, place, set } = await open();
    for (const value of ['first-value', 'päß wörd "\\ $HOME', 'two\nlines']) {
      await set(value);
      expect(await source.read(place, signal)).toBe(value);
    }
  });

  test(`${name}: a rotation counts from the next read`, async () => {
    const { source, place, set } = await open();
    await set('before-rotation');
    expect(await source.read(place, signal)).toBe('before-rotation');
    await set('after-rotation');
    expect(await source.read(place, signal)).toBe('after-rotation');
  });

  test(`${name}: what is gone or empty is missing, and comes back`, async () => {
    const { source, place, set } = await open();
    await set('here-for-now');
    expect(await source.read(place, signal)).toBe('here-for-now');
    for (const nothing of [null, '']) {
      await set(nothing);
      await expect(source.read(place, signal)).rejects.toMatchObject({ code: 'SECRET_MISSING' });
    }
    await set('here-again');
    expect(await source.read(place, signal)).toBe('here-again');
  });

  test(`${name}: ends with the signal's reason`, async () => {
    const { source, place, set } = await open();
    await set('never-read');
    await expect(source.read(place, AbortSignal.abort(new Error('the run stops')))).rejects.toThrow(
      'the run stops',
    );
  });
}
