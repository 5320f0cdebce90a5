import type { Revocations } from '../access/revocations.ts';
import type { Tokens } from '../access/tokens.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { Authenticate } from './access/authorise.ts';
import type { IdempotencyStore } from './access/idempotency.ts';
import type { RateLimits } from './access/rate-limits.ts';

export interface ApiOptions {
  /** Account name of whoever comes over the socket; that of this process unless given. */
  readonly principal?: string;
  /** Tells who sends a request; without it, whoever reaches the socket is this account (`localCaller`). */
  readonly authenticate?: Authenticate;
  /** Tokens that people make; without it the server keeps none. */
  readonly tokens?: Tokens;
  /** Ends streams whose credential is over; without it they end by themselves alone. */
  readonly revocations?: Pick<Revocations, 'signalFor'>;
  /** Where idempotency keys are kept; without it only handlers that know the header honour it. */
  readonly idempotency?: IdempotencyStore;
  /** Instead of the default rates. */
  readonly rates?: RateLimits;
  /** When given, every request must carry it as bearer token; without it only a unix socket is listened on. */
  readonly token?: string;
  /** Throws while the server cannot serve (`/readyz` answers 503 then). */
  readonly ready?: () => Promise<void>;
  /** Silence on a stream after which a comment is sent, so that proxies and readers know it lives. */
  readonly heartbeatMs?: number;
  /** A reader that takes nothing for so long is disconnected; it resumes by `seq`. */
  readonly stalledReaderMs?: number;
  /** Streams open at once. */
  readonly maxStreams?: number;
  /** Told of every error that is answered. */
  readonly onError?: (error: unknown, code: string, requestId: string) => void;
}

/** What every route group gets. */
export interface ApiContext {
  readonly controlPlane: ControlPlane;
  readonly ready: () => Promise<void>;
  readonly heartbeatMs: number;
  readonly stalledReaderMs: number;
  readonly maxStreams: number;
  readonly tokens: Tokens | undefined;
  readonly revocations: Pick<Revocations, 'signalFor'> | undefined;
  /** Aborted when the server closes: streams end then. */
  readonly stopping: AbortSignal;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The token requests must carry, or null where the transport authenticates. */
    readonly berthToken: string | null;
  }
}
