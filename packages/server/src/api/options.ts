import type { Revocations } from '../access/revocations.ts';
import type { Tokens } from '../access/tokens.ts';
import type { ConfigPlane } from '../config/plane.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { EgressExplainer } from '../domain/ports/egress-explainer.ts';
import type { Health } from '../domain/ports/health.ts';
import type { Redactor } from '../domain/ports/redaction.ts';
import type { Terminals } from '../domain/ports/terminal.ts';
import type { Log } from '../telemetry/log.ts';
import type { DeliveryPlane } from '../triggers/deliveries/plane.ts';
import type { HookDoor } from '../triggers/deliveries/receive.ts';
import type { SchedulePlane } from '../triggers/schedules/plane.ts';
import type { CampaignPlane } from '../runs/campaigns/plane.ts';
import type { AuditReader, AuditSink } from '../domain/ports/audit.ts';
import type { People } from '../access/people.ts';
import type { SignIn } from '../access/sign-in/index.ts';
import type { Door } from './access/authenticate.ts';
import type { UsageReader } from '../domain/ports/usage.ts';
import type { Authenticate } from './access/authorise.ts';
import type { IdempotencyStore } from './access/idempotency.ts';
import type { RateLimits } from './access/rate-limits.ts';

export interface ApiOptions {
  /** What was used and the budgets; without it nothing was. */
  readonly usage?: UsageReader;
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
  /** Takes secrets out of answers; without it they are sent as they are. */
  readonly redactor?: Redactor;
  /** Instead of the default rates. */
  readonly rates?: RateLimits;
  /** What stands before the routes of a TCP listener (`tcpDoor`); tells who sends a request, too. */
  readonly door?: Door;
  /** Signing in; without it the routes of it answer that nobody signs in here. */
  readonly signIn?: SignIn;
  readonly people?: People;
  /** When given, every request must carry it as bearer token; without it only a unix socket is listened on. */
  readonly token?: string;
  /** Configuration and projects; without it their routes find nothing. */
  readonly config?: ConfigPlane;
  /** Tasks by the clock; without it there are none. */
  readonly schedules?: SchedulePlane;
  /** Says what sandboxes may reach; without it nobody can tell. */
  readonly egress?: EgressExplainer;
  /** One task over many projects; without it there are none. */
  readonly campaigns?: CampaignPlane;
  /** What came in by webhooks; without it nothing did. */
  readonly deliveries?: DeliveryPlane;
  /** Where deliveries come in; without it none is taken. */
  readonly hooks?: HookDoor;
  /** Throws while the server cannot serve (`/readyz` answers 503 then). */
  readonly ready?: () => Promise<void>;
  /** Shells in sandboxes; without it there are none. */
  readonly terminals?: Terminals;
  /** What `/healthz` and `/readyz` say. */
  readonly health?: Health;
  /** Told of slow requests and of errors nobody foresaw. */
  readonly log?: Log;
  /** Silence on a stream after which a comment is sent, so that proxies and readers know it lives. */
  readonly heartbeatMs?: number;
  /** A reader that takes nothing for so long is disconnected; it resumes by `seq`. */
  readonly stalledReaderMs?: number;
  /** Streams open at once. */
  readonly maxStreams?: number;
  /** The record of acts. Every server has one; what is tested without it leaves it out. */
  readonly audit?: { readonly sink: AuditSink; readonly reader: AuditReader };
  /** How often an open stream asks again whether its reader may still read. */
  readonly recheckMs?: number;
  /** Told of every error that is answered. */
  readonly onError?: (error: unknown, code: string, requestId: string) => void;
}

/** What every route group gets. */
export interface ApiContext {
  readonly controlPlane: ControlPlane;
  readonly audit: NonNullable<ApiOptions['audit']> | null;
  readonly config: ConfigPlane | null;
  readonly schedules: SchedulePlane | null;
  readonly campaigns: CampaignPlane | null;
  readonly deliveries: DeliveryPlane | null;
  readonly hooks: HookDoor | null;
  readonly egress: EgressExplainer | null;
  readonly usage: UsageReader;
  readonly ready: () => Promise<void>;
  readonly health: Health | null;
  readonly terminals: Terminals | null;
  readonly log: Log | null;
  readonly heartbeatMs: number;
  readonly stalledReaderMs: number;
  readonly maxStreams: number;
  readonly tokens: Tokens | undefined;
  readonly revocations: Pick<Revocations, 'signalFor'> | undefined;
  readonly signIn: SignIn | null;
  readonly people: People | null;
  readonly recheckMs: number;
  readonly authenticate: Authenticate;
  /** Aborted when the server closes: streams end then. */
  readonly stopping: AbortSignal;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** What tells who sends a request: the socket's permissions, a bearer token, or a chain of ways to sign in. */
    readonly berthDoor: 'socket' | 'token' | 'sign-in';
  }
}
