import type { EgressTraffic } from '../domain/egress.ts';

/** What one sandbox may use of its worker through the door. The configuration's `egress.limits` replaces its traffic. */
export interface EgressLimits extends EgressTraffic {
  /** All headers of one request or response. */
  readonly headerBytes: number;
  /** From the first byte (or the end of the last request) to a whole request head. */
  readonly headerTimeoutMs: number;
  /** Without a byte in either direction a connection ends; long polls and slow registries stay below. */
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

export const defaultEgressLimits: EgressLimits = {
  // `npm` opens 15 connections, browsers about 60.
  connections: 128,
  perSecond: 100,
  upBytes: 2 * 1024 ** 3,
  downBytes: 32 * 1024 ** 3,
  hostUpBytes: 1024 ** 3,
  hostDownBytes: 16 * 1024 ** 3,
  headerBytes: 32 * 1024,
  headerTimeoutMs: 15_000,
  idleTimeoutMs: 300_000,
  connectTimeoutMs: 20_000,
};
