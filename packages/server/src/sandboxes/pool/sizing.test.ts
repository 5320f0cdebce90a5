import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { idleWanted } from './sizing.ts';

const few = fc.nat(20);
const demand = fc
  .record({
    max: few,
    min: few,
    idleTarget: few,
    isAskedFor: fc.boolean(),
    recentDemand: few,
    waitingRuns: few,
    room: fc.option(few),
  })
  // As the configuration refuses others.
  .map((one) => ({
    ...one,
    min: Math.min(one.min, one.max),
    idleTarget: Math.min(one.idleTarget, one.max),
    recentDemand: one.isAskedFor ? one.recentDemand : 0,
  }));

test('never more than the maximum or than there is room for beside those that wait, never less than none', () => {
  fc.assert(
    fc.property(demand, (one) => {
      const wanted = idleWanted(one);
      expect(wanted).toBeGreaterThanOrEqual(0);
      expect(wanted).toBeLessThanOrEqual(one.max);
      if (one.room !== null)
        expect(wanted + Math.min(one.waitingRuns, one.room)).toBeLessThanOrEqual(one.room);
      if (one.room === null && one.waitingRuns > 0) expect(wanted).toBe(0);
    }),
  );
});

test('where there is room, at least the minimum, and the target while runs come in', () => {
  fc.assert(
    fc.property(demand, (one) => {
      const wanted = idleWanted({ ...one, waitingRuns: 0, room: null });
      expect(wanted).toBeGreaterThanOrEqual(one.isAskedFor ? Math.max(one.min, one.idleTarget) : one.min);
      if (!one.isAskedFor) expect(wanted).toBe(one.min);
    }),
  );
});

test('more demand or room never makes it less, one more that waits never makes it more', () => {
  fc.assert(
    fc.property(demand, few, (one, more) => {
      const wanted = idleWanted(one);
      const asked = { ...one, isAskedFor: true };
      expect(idleWanted({ ...asked, recentDemand: one.recentDemand + more })).toBeGreaterThanOrEqual(
        idleWanted(asked),
      );
      if (one.room !== null)
        expect(idleWanted({ ...one, room: one.room + more })).toBeGreaterThanOrEqual(wanted);
      expect(idleWanted({ ...one, waitingRuns: one.waitingRuns + more })).toBeLessThanOrEqual(wanted);
    }),
  );
});

test('a pool of size zero stays empty, whatever is asked for', () => {
  fc.assert(
    fc.property(demand, (one) => {
      expect(idleWanted({ ...one, min: 0, max: 0, idleTarget: 0 })).toBe(0);
    }),
  );
});
