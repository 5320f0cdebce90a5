import type { ConfigRevision, CurrentConfig } from '../domain/config/index.ts';

/** A configuration that a test changes. */
export function changingConfig(
  first: ConfigRevision,
): CurrentConfig & { set(next: ConfigRevision): void; revision(number: number): Promise<ConfigRevision> } {
  const listeners = new Set<(revision: ConfigRevision) => void>();
  const known = new Map([[first.number, first]]);
  let current = first;
  return {
    current: () => current,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async revision(number) {
      const found = known.get(number);
      if (found === undefined) throw new Error(`there is no revision ${number}`);
      return found;
    },
    set(next) {
      current = next;
      known.set(next.number, next);
      for (const listener of listeners) listener(next);
    },
  };
}
