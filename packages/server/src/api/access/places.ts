import type { Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';

/**
 * Counts what stays open (streams, terminals): in all, and of one principal at most a quarter of it, so that nobody who
 * opens all they can leaves others without. Whoever came over the unix socket could stop the server as well: for them
 * only the whole counts.
 */
export function places(most: number): {
  /** Refuses without taking. @throws BerthError `OVERLOADED`, `RATE_LIMITED` */
  readonly check: (principal: Principal) => void;
  /** Takes one; what it returns gives it back, once. Throws as `check` does. */
  readonly take: (principal: Principal) => () => void;
} {
  const mostOfOne = Math.max(1, Math.floor(most / 4));
  const held = new Map<string, number>();
  let open = 0;
  const check = ({ id, via }: Principal): void => {
    if (open >= most) throw new BerthError('OVERLOADED');
    if (via === 'socket' || (held.get(id) ?? 0) < mostOfOne) return;
    throw new BerthError('RATE_LIMITED', `You have ${mostOfOne} of these open already.`, {
      next: 'Close some first.',
      details: { retryAfterS: 5 },
    });
  };
  return {
    check,
    take(principal) {
      check(principal);
      const { id } = principal;
      open += 1;
      held.set(id, (held.get(id) ?? 0) + 1);
      let isGiven = false;
      return () => {
        if (isGiven) return;
        isGiven = true;
        open -= 1;
        const left = (held.get(id) ?? 1) - 1;
        if (left === 0) held.delete(id);
        else held.set(id, left);
      };
    },
  };
}
