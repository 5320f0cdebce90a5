/** What decides how many idle sandboxes of one profile there should be. */
export interface PoolDemand {
  readonly min: number;
  readonly max: number;
  readonly idleTarget: number;
  /** Whether runs asked for sandboxes of this profile lately, warm or cold. */
  readonly isAskedFor: boolean;
  /** How many they asked for at once: within about the time in which they come one after the other. */
  readonly recentDemand: number;
  /** Runs that wait for room, of whatever profile. */
  readonly waitingRuns: number;
  /** How many idle ones there is room for; null: nobody knows of a bound. */
  readonly room: number | null;
}

/**
 * How many idle sandboxes of a profile there should be: `min`, and while runs come in `idleTarget` or as many as were asked
 * for at once; never more than `max`, nor than there is room for beside the runs that wait for it. Pure.
 */
export function idleWanted(demand: PoolDemand): number {
  const { min, max, idleTarget, isAskedFor, recentDemand, waitingRuns, room } = demand;
  const wanted = isAskedFor ? Math.max(min, idleTarget, recentDemand) : min;
  // Where somebody waits and nobody knows how much room there is, there is none.
  const left = room === null ? (waitingRuns > 0 ? 0 : max) : room - waitingRuns;
  return Math.max(0, Math.min(wanted, max, left));
}
