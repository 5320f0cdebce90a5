export type Unit = 'ms' | 'MiB' | 'MiB/s' | '%' | 'KiB' | 'per second' | 'per minute' | 'ms/s' | 'ms/MiB';

/** One number of a benchmark. Without a goal it is told beside the others to explain them. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  readonly goal?: Goal;
}

export type Goal = { readonly below: number } | { readonly atLeast: number };

export interface Measured {
  readonly figures: readonly Figure[];
  /** What a reader must know to judge the figures: how "waiting" was defined, what was cold, what was left out. */
  readonly notes: readonly string[];
}

export interface BenchmarkContext {
  /** Fewer repetitions: shows that the benchmark works, and no more. */
  readonly quick: boolean;
  /** An empty directory of the benchmark's own, reachable by the uids of sandboxes; removed afterwards. */
  readonly directory: string;
  /** Aborted when the benchmark has used up its time. */
  readonly signal: AbortSignal;
}

export interface Benchmark {
  /** Names its file in `results/`. */
  readonly name: string;
  readonly what: string;
  readonly why: string;
  /** The goals in words, for the README. */
  readonly goal: string;
  /** After so long it counts as failed and is ended. */
  readonly timeLimitMs: number;
  /** Loaded only in the process that measures. */
  load(): Promise<{ run(context: BenchmarkContext): Promise<Measured> }>;
}

/** Null when the figure has no goal. */
export function isMet({ value, goal }: Figure): boolean | null {
  if (goal === undefined) return null;
  return 'below' in goal ? value < goal.below : value >= goal.atLeast;
}
