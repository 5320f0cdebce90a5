import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { People } from '../access/people.ts';
import type { SignIn } from '../access/sign-in/index.ts';
import type { Door } from './access/authenticate.ts';
import type { Authenticate } from './access/authorise.ts';

export interface ApiOptions {
  /** Account name of whoever comes over the socket; that of this process unless given. */
  readonly principal?: string;
  /** Tells who sends a request; without it, whoever reaches the socket is this account (`localCaller`). */
  readonly authenticate?: Authenticate;
  /** What stands before the routes of a TCP listener (`tcpDoor`); tells who sends a request, too. */
  readonly door?: Door;
  /** Signing in; without it the routes of it answer that nobody signs in here. */
  readonly signIn?: SignIn;
  readonly people?: People;
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
  readonly signIn: SignIn | null;
  readonly people: People | null;
  /** Aborted when the server closes: streams end then. */
  readonly stopping: AbortSignal;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The token requests must carry, or null where the transport authenticates. */
    readonly berthToken: string | null;
  }
}
