import { randomUUID } from 'node:crypto';
import fastifySwagger from '@fastify/swagger';
import fastifyWebsocket from '@fastify/websocket';
import fastify, { type FastifyInstance } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { systemClock } from '../domain/clock.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { auditActs } from './access/audit-acts.ts';
import { signInPageFor } from './access/sign-in-redirect.ts';
import { noUsage } from '../domain/ports/usage.ts';
import { guardRoutes } from './access/authorise.ts';
import { honourIdempotencyKeys } from './access/idempotency.ts';
import { localCaller } from './access/local-caller.ts';
import { limitRates } from './access/rate-limits.ts';
import { signedIn } from './access/route-access.ts';
import { closeRefusedUpgrades, refuseUpgrades } from './access/upgrades.ts';
import { withReferencedSchemas } from './openapi-schemas.ts';
import { logFailure, logSlowRequests } from './log-requests.ts';
import { answerUnchanged } from './unchanged.ts';
import { problemOf, problemType, toBerthError } from './problem.ts';
import { apiDocsRoutes } from './routes/api-docs.ts';
import { auditRoutes } from './routes/audit.ts';
import { egressRoutes } from './routes/egress.ts';
import { snapshotRoutes } from './routes/snapshots.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { doctorRoutes } from './routes/doctor.ts';
import { eventRoutes } from './routes/events.ts';
import { gateRoutes } from './routes/gates.ts';
import { healthRoutes } from './routes/health.ts';
import { hookRoutes } from './routes/hooks.ts';
import { meRoutes } from './routes/me.ts';
import { oidcRoutes } from './routes/oidc.ts';
import { peopleRoutes } from './routes/people.ts';
import { campaignRoutes } from './routes/campaigns.ts';
import { configRoutes } from './routes/config.ts';
import { projectRoutes } from './routes/projects.ts';
import { liveStreamRoutes } from './routes/live-stream.ts';
import { outlineRoutes } from './routes/outline.ts';
import { proposalRoutes } from './routes/proposals.ts';
import { runActRoutes } from './routes/run-acts.ts';
import { runMakingRoutes } from './routes/run-making.ts';
import { runRoutes } from './routes/runs.ts';
import { signInPageRoutes } from './routes/sign-in-page.ts';
import { signInRoutes } from './routes/sign-in.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { streamRoutes } from './routes/stream.ts';
import { terminalRoutes } from './routes/terminal.ts';
import { taskRoutes } from './routes/tasks.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { usageRoutes } from './routes/usage.ts';
import { workingTreeRoutes } from './routes/working-tree.ts';
import type { ApiContext, ApiOptions } from './options.ts';
import { redactAnswers } from './redact-answers.ts';

/** Largest request body unless a route says otherwise. */
const maxBodyBytes = 1_048_576;

/**
 * The HTTP interface over a control plane: `/api/v1` with its OpenAPI document, `/healthz` and `/readyz`. It holds
 * no state of its own. Without `options.token` it may only be listened to on a unix socket: there the file's
 * permissions are the authentication, only the owner of the socket can connect (`listenApi`).
 */
export function createApi(controlPlane: ControlPlane, options: ApiOptions = {}): FastifyInstance {
  const stopping = new AbortController();
  const authenticate =
    options.authenticate ??
    options.door?.authenticate ??
    localCaller({
      ...(options.principal === undefined ? {} : { account: options.principal }),
      ...(options.token === undefined ? {} : { token: options.token }),
    });
  const context: ApiContext = {
    controlPlane,
    audit: options.audit ?? null,
    config: options.config ?? null,
    schedules: options.schedules ?? null,
    campaigns: options.campaigns ?? null,
    deliveries: options.deliveries ?? null,
    hooks: options.hooks ?? null,
    egress: options.egress ?? null,
    usage: options.usage ?? noUsage,
    ready: options.ready ?? (async () => undefined),
    health: options.health ?? null,
    terminals: options.terminals ?? null,
    log: options.log ?? null,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    stalledReaderMs: options.stalledReaderMs ?? 60_000,
    maxStreams: options.maxStreams ?? 256,
    tokens: options.tokens,
    revocations: options.revocations,
    signIn: options.signIn ?? null,
    people: options.people ?? null,
    recheckMs: options.recheckMs ?? 30_000,
    authenticate,
    stopping: stopping.signal,
  };
  const app = fastify({
    bodyLimit: maxBodyBytes,
    forceCloseConnections: true,
    genReqId: () => `req_${randomUUID()}`,
    requestTimeout: 60_000,
    trustProxy: (address) => options.door?.isTrustedProxy(address) ?? false,
    routerOptions: { maxParamLength: 512 },
    logger: false,
  });
  app.decorate('berthDoor', doorOf(options));
  // Only JSON is read: a form or plain-text post is what a web page can send without asking.
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.addHook('preClose', async () => stopping.abort());
  options.door?.install(app);
  guardRoutes(app, controlPlane, limitRates(app, authenticate, systemClock, options.rates));
  refuseUpgrades(app);
  redactAnswers(app, options.redactor);
  // An answer that is given again is no second act: keys come first.
  honourIdempotencyKeys(app, options.idempotency);
  app.decorateRequest('audited', null);
  if (options.audit !== undefined) {
    auditActs(app, options.audit.sink, {
      controlPlane,
      onError: (error) => options.onError?.(error, toBerthError(error).code, 'audit'),
    });
  }
  answerUnchanged(app);
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
  });
  closeRefusedUpgrades(app);
  if (options.log !== undefined) logSlowRequests(app, options.log);
  app.setNotFoundHandler((request) => {
    throw new BerthError('NOT_FOUND', `There is no route ${request.method} ${request.url.split('?')[0]}.`, {
      next: 'The routes are listed at /api/v1/openapi.json.',
    });
  });
  app.setErrorHandler(async (thrown, request, reply) => {
    const problem = problemOf(toBerthError(thrown), request.id);
    logFailure(options.log, request, problem, thrown);
    options.onError?.(thrown, problem.code, request.id);
    const { retryAfterS } = problem.details;
    const signIn = signInPageFor(request, problem.code, context.signIn !== null);
    if (signIn !== null) return reply.redirect(signIn, 303);
    if (typeof retryAfterS === 'number') reply.header('retry-after', String(retryAfterS));
    return reply.code(problem.status).type(problemType).send(JSON.stringify(problem));
  });
  void app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Berth', version: '1', description: 'Tasks in, verified pull requests out.' },
      servers: [],
    },
    transform: jsonSchemaTransform,
    transformObject: withReferencedSchemas,
  });
  void app.register(fastifyWebsocket, { options: { maxPayload: 65_536, perMessageDeflate: false } });
  void app.register(async (root) => {
    healthRoutes(root, context);
    apiDocsRoutes(root);
    signInPageRoutes(root, context);
    signInRoutes(root, context);
    oidcRoutes(root, context);
  });
  void app.register(
    async (v1) => {
      v1.get('/openapi.json', { config: signedIn, schema: { hide: true } }, async () => app.swagger());
      taskRoutes(v1, context);
      runRoutes(v1, context);
      runActRoutes(v1, context);
      eventRoutes(v1, context);
      streamRoutes(v1, context);
      terminalRoutes(v1, context);
      liveStreamRoutes(v1, context);
      outlineRoutes(v1, context);
      workingTreeRoutes(v1, context);
      runMakingRoutes(v1, context);
      proposalRoutes(v1, context);
      usageRoutes(v1, context);
      gateRoutes(v1, context);
      doctorRoutes(v1, context);
      auditRoutes(v1, context);
      tokenRoutes(v1, context);
      meRoutes(v1, context);
      peopleRoutes(v1, context);
      projectRoutes(v1, context);
      egressRoutes(v1, context);
      snapshotRoutes(v1, context);
      scheduleRoutes(v1, context);
      campaignRoutes(v1, context);
      deliveryRoutes(v1, context);
      hookRoutes(v1, context);
      configRoutes(v1, context);
    },
    { prefix: '/api/v1' },
  );
  return app;
}

function doorOf(options: ApiOptions): 'socket' | 'token' | 'sign-in' {
  if (options.authenticate !== undefined || options.door !== undefined) return 'sign-in';
  return options.token === undefined ? 'socket' : 'token';
}
