import type { FastifyInstance, FastifyRequest } from 'fastify';
import { networkOf } from '../../access/failed-attempts.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Authenticate } from './authorise.ts';

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export interface RateLimits {
  /** GET and HEAD of one principal. */
  readonly reads: Rate;
  /** All else of one principal. */
  readonly writes: Rate;
  /** Requests of an address that nobody signed in for: public routes and wrong credentials. */
  readonly unknown: Rate;
}

/** Generous for people and for programs that wait between two looks. */
export const defaultRates: RateLimits = {
  reads: { perSecond: 50, burst: 200 },
  writes: { perSecond: 10, burst: 50 },
  unknown: { perSecond: 10, burst: 100 },
};

/** Principals and addresses remembered; who was away longest is forgotten first, and starts with a full bucket. */
const mostBuckets = 20_000;

/** Token buckets by name, in bounded memory. Each process counts for itself: with n replicas n times as much passes. */
export function buckets(clock: Clock, most = mostBuckets) {
  const held = new Map<string, { level: number; atMs: number }>();
  const levelOf = (name: string, rate: Rate): number => {
    const bucket = held.get(name);
    if (bucket === undefined) return rate.burst;
    return Math.min(
      rate.burst,
      bucket.level + ((clock.monotonicMs() - bucket.atMs) / 1_000) * rate.perSecond,
    );
  };
  const refuse = (level: number, rate: Rate): never => {
    const retryAfterS = Math.max(1, Math.ceil((1 - level) / rate.perSecond));
    throw new BerthError('RATE_LIMITED', undefined, { details: { retryAfterS } });
  };
  return {
    /** Takes one. @throws BerthError `RATE_LIMITED` */
    take(name: string, rate: Rate): void {
      const level = levelOf(name, rate);
      if (level < 1) refuse(level, rate);
      held.delete(name);
      held.set(name, { level: level - 1, atMs: clock.monotonicMs() });
      if (held.size > most) held.delete(held.keys().next().value ?? '');
    },
    get size(): number {
      return held.size;
    },
  };
}

/**
 * Puts rate limits around authentication: a principal is held up once it is known, an address for what nobody signed
 * in for. Who comes over the unix socket is not limited: it could stop the server as well.
 */
export function limitRates(
  app: FastifyInstance,
  authenticate: Authenticate,
  clock: Clock,
  rates: RateLimits = defaultRates,
): Authenticate {
  const held = buckets(clock);
  app.addHook('onRequest', async (request) => {
    const { access } = request.routeOptions.config;
    if (access?.kind !== 'public' || isProbe(request)) return;
    const from = addressOf(request);
    if (from !== null) held.take(from, rates.unknown);
  });
  return async (request) => {
    const from = addressOf(request);
    // Who carries what holds is let in, whatever others behind the same address send.
    const principal = await authenticate(request).catch((error: unknown) => {
      if (from !== null) held.take(from, rates.unknown);
      throw error;
    });
    if (principal.via === 'socket') return principal;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    held.take(`${isRead ? 'read' : 'write'} ${principal.id}`, isRead ? rates.reads : rates.writes);
    return principal;
  };
}

/** Null over a unix socket. */
function addressOf(request: FastifyRequest): string | null {
  return request.ip === undefined || request.ip === '' ? null : `from ${networkOf(request.ip)}`;
}

/** What asks whether the server lives comes from the cluster, again and again. */
function isProbe(request: FastifyRequest): boolean {
  return request.url === '/healthz' || request.url === '/readyz';
}
