import type { Position } from '../domain/yaml-positions.ts';

/** One thing that is wrong with a blueprint, and where. */
export interface BlueprintProblem extends Position {
  /** What was found and what is allowed, for people. */
  readonly sentence: string;
}
