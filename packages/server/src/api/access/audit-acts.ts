import type { FastifyInstance, FastifyRequest } from 'fastify';
import { decide, visibleProjects } from '../../domain/access.ts';
import { errorRegistry, type ErrorCode } from '../../domain/errors/index.ts';
import type { AuditAct, AuditedAct, AuditSink } from '../../domain/ports/audit.ts';
import type { ControlPlane } from '../../domain/ports/control-plane.ts';
import { toBerthError } from '../problem.ts';

/** What a route says about the record of its acts. */
export interface RouteAudit {
  /** `<object>.<verb>`; from the operation id otherwise (`cancelRun` is `run.cancel`). */
  readonly action?: string;
  /** The handler records the act itself, in more detail (sign-in). */
  readonly recordedByHandler?: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    audit?: RouteAudit;
  }
  interface FastifyRequest {
    /** The act on record that this request is; null where it is none. */
    audited: AuditedRequest | null;
  }
}

/** For handlers that know more than the route: what was made, values before and after. */
export interface AuditedRequest {
  readonly act: AuditedAct;
  code: ErrorCode | null;
  object: AuditAct['object'] | null;
  details: Readonly<Record<string, unknown>>;
  isEnded: boolean;
}

const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Puts the record in front of every route that changes something, and of every terminal: the intent is written before
 * the handler runs, or the request is refused; how it ended is written before the answer leaves. What is refused to
 * somebody who is known is counted as a denial. Must be called after `guardRoutes`, so that it meets requests whose
 * permission was decided.
 */
export function auditActs(
  app: FastifyInstance,
  sink: AuditSink,
  options: {
    readonly controlPlane: Pick<ControlPlane, 'locate'>;
    readonly onError: (error: unknown) => void;
  },
): void {
  const { onError } = options;
  app.addHook('onRoute', (route) => {
    const isReading = [route.method].flat().every((method) => readingMethods.has(method));
    if (isReading || route.config?.audit?.recordedByHandler === true) return;
    if (actionOf(route.config?.audit, route.schema) === null) {
      throw new Error(
        `the route ${String(route.method)} ${route.url} has neither an operation id nor an action`,
      );
    }
  });

  app.addHook('preHandler', async (request) => {
    request.audited = null;
    const isTerminal = opensTerminal(request);
    if (!isTerminal && readingMethods.has(request.method)) return;
    const { audit } = request.routeOptions.config;
    if (audit?.recordedByHandler === true) return;
    const action = actionOf(audit, request.routeOptions.schema) ?? 'route.use';
    const act = await sink.begin({
      ...callerOf(request),
      action,
      object: objectOf(request, action),
      details: {},
    });
    request.audited = { act, code: null, object: null, details: {}, isEnded: false };
    if (!isTerminal) return;
    // A terminal has no answer: it ends with its connection.
    const { audited } = request;
    const startedMs = performance.now();
    request.raw.socket.once('close', () => {
      const seconds = Math.round((performance.now() - startedMs) / 1_000);
      end(audited, 200, { seconds }).catch(onError);
    });
  });

  // What was made gets its name on record.
  app.addHook('preSerialization', async (request, _reply, payload: unknown) => {
    const { audited } = request;
    if (audited !== null && audited.object === null && request.target.id === '') {
      audited.object = madeOf(request, payload);
    }
    return payload;
  });

  app.addHook('onError', async (request, _reply, error) => {
    const known = toBerthError(error);
    if (request.audited !== null) {
      request.audited.code = known.code;
      return;
    }
    // Not awaited: how long an answer takes must not tell whether a hidden object exists.
    if (known.code === 'FORBIDDEN' || known.code === 'NOT_FOUND') {
      denied(request, known.code).catch(onError);
    }
  });

  app.addHook('onSend', async (request, reply) => {
    const { audited } = request;
    if (audited === null || opensTerminal(request)) return;
    // The act is done: it stays done also when its end cannot be recorded now (the sink tries again).
    await end(audited, reply.statusCode).catch(onError);
  });

  /** A client that went away gets no answer; the act has an end all the same. */
  app.addHook('onRequestAbort', async (request) => {
    const { audited } = request;
    if (audited !== null) audited.details = { ...audited.details, clientLeft: true };
  });

  async function denied(request: FastifyRequest, code: ErrorCode): Promise<void> {
    const { access, audit } = request.routeOptions.config;
    if (access === undefined || access.kind === 'public' || request.principal.id === 'unknown') return;
    const action = actionOf(audit, request.routeOptions.schema) ?? 'route.use';
    let object = objectOf(request, action);
    if (access.kind === 'object' && object.id === '') {
      const named = (request.params as Readonly<Record<string, string | undefined>>)[
        access.parameter ?? 'id'
      ];
      if (code === 'NOT_FOUND') {
        // What does not exist at all is no denial; what lies in a foreign project is.
        if (visibleProjects(request.principal) === 'all') return;
        const found = await options.controlPlane.locate(access.object, named ?? '', 'all').catch(() => null);
        if (found === null || decide(request.principal, access.permission, found) === 'granted') return;
        object = { kind: access.object, id: found.id, projectId: found.projectId };
      } else object = { kind: access.object, id: named ?? '', projectId: null };
    } else if (code === 'NOT_FOUND') return;
    await sink.record({
      ...callerOf(request),
      action,
      object,
      result: 'denied',
      code,
      details: {},
    });
  }
}

async function end(audited: AuditedRequest, status: number, more: object = {}): Promise<void> {
  if (audited.isEnded) return;
  audited.isEnded = true;
  const code = status < 400 ? null : (audited.code ?? (status < 500 ? 'USAGE' : 'INTERNAL'));
  const http = code === null ? status : errorRegistry[code].http;
  await audited.act.end({
    result: code === null ? 'allowed' : http === 401 || http === 403 ? 'denied' : 'failed',
    code,
    details: { ...audited.details, ...more },
    ...(audited.object === null ? {} : { object: audited.object }),
  });
}

/** Who acts, as the record names them. */
export function callerOf(
  request: FastifyRequest,
): Pick<AuditAct, 'by' | 'byKind' | 'tokenId' | 'via' | 'from' | 'requestId'> {
  const { id, kind, tokenId, sessionId, via } = request.principal;
  const isKnown = id !== 'unknown';
  return {
    by: id,
    byKind: isKnown ? kind : 'unknown',
    tokenId: tokenId ?? sessionId,
    via: isKnown ? via : 'none',
    // Over a unix socket there is no address.
    from: { address: request.ip || null, agent: request.headers['user-agent'] ?? null },
    requestId: request.id,
  };
}

function objectOf(request: FastifyRequest, action: string): AuditAct['object'] {
  const { access } = request.routeOptions.config;
  const { id, projectId } = request.target;
  const kind = access?.kind === 'object' ? access.object : (action.split('.')[0] ?? action);
  if (id !== '') return { kind, id, projectId };
  // A route about something that is no object of a project: its address names it.
  const named = (request.params as Readonly<Record<string, string | undefined>> | undefined)?.['id'];
  return { kind, id: access?.kind === 'object' ? '' : (named ?? ''), projectId: null };
}

/** The id in an answer that says what was made: its own, or that of the object of the action's name. */
function madeOf(request: FastifyRequest, payload: unknown): AuditAct['object'] | null {
  const action = actionOf(request.routeOptions.config.audit, request.routeOptions.schema) ?? '';
  const kind = action.split('.')[0] ?? '';
  const inside = fieldOf(payload, kind) ?? payload;
  const id = fieldOf(inside, 'id');
  if (typeof id !== 'string') return null;
  const project = fieldOf(inside, 'projectId') ?? fieldOf(inside, 'project');
  return { kind, id, projectId: typeof project === 'string' ? project : null };
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function opensTerminal(request: FastifyRequest): boolean {
  const { access } = request.routeOptions.config;
  return (
    access?.kind === 'object' &&
    access.permission === 'run.terminal' &&
    // Anything else is refused, over a connection that may live on.
    request.raw.headers.upgrade !== undefined &&
    readingMethods.has(request.method)
  );
}

/** `run.cancel` of `cancelRun`; null where the route says nothing. */
export function actionOf(audit: RouteAudit | undefined, schema: unknown): string | null {
  if (audit?.action !== undefined) return audit.action;
  const operationId = fieldOf(schema, 'operationId');
  if (typeof operationId !== 'string') return null;
  const [verb = '', ...object] = operationId.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  return object.length === 0 ? `${verb}.use` : `${object.join('_')}.${verb}`;
}
