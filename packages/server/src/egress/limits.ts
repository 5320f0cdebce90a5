/** What one sandbox may use of its worker through the door. */
export interface EgressLimits {
  /** Connections open at once; `npm` opens 15, browsers about 60. */
  readonly connections: number;
  /** All headers of one request or response. */
  readonly headerBytes: number;
  /** From the first byte (or the end of the last request) to a whole request head. */
  readonly headerTimeoutMs: number;
  /** Without a byte in either direction a connection ends; long polls and slow registries stay below. */
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

export const defaultEgressLimits: EgressLimits = {
  connections: 128,
  headerBytes: 32 * 1024,
  headerTimeoutMs: 15_000,
  idleTimeoutMs: 300_000,
  connectTimeoutMs: 20_000,
};
