import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { visibleProjects, type Principal } from '../../domain/access.ts';
import { nameSchema } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Located } from '../../domain/ports/control-plane.ts';
import type { SchedulePlane } from '../../triggers/schedules/plane.ts';
import { scheduleViewSchema, type ScheduleView } from '../../triggers/schedules/view.ts';
import { requirePermission } from '../access/authorise.ts';
import { listOf, newIn, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problems } from '../schemas.ts';
import { expectedVersion, noteChange, planeOf, versionHeaders, withVersion } from './config.ts';

const params = z.object({ id: z.string().min(1).max(80).describe('The name of a schedule.') });
const answer = { 200: scheduleViewSchema, ...problems };
/** The configuration checks the rest, and says what is wrong with it by its place. */
const bodySchema = z.looseObject({ project: nameSchema });

/** Schedules: tasks by the clock. They are objects of the configuration; what became of them stands beside. */
export function scheduleRoutes(app: FastifyInstance, context: ApiContext): void {
  actRoutes(app, context);
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/schedules',
    {
      config: listOf('run.read'),
      schema: {
        operationId: 'listSchedules',
        summary: 'The schedules of projects one may see, with their next times and last outcomes.',
        response: { 200: z.object({ schedules: z.array(scheduleViewSchema) }), ...problems },
      },
    },
    async (request) => ({
      schedules: [...((await context.schedules?.list(visibleProjects(request.principal))) ?? [])],
    }),
  );
  routes.get(
    '/schedules/:id',
    {
      config: on('schedule', 'run.read'),
      schema: {
        operationId: 'getSchedule',
        summary: 'One schedule; its ETag is the version that a change names.',
        params,
        response: answer,
      },
    },
    async (request, reply) => {
      const view = await schedulesOf(context).get(request.target.id);
      withVersion(reply, (await planeOf(context).object('schedules', view.name)).version);
      return view;
    },
  );
  routes.post(
    '/schedules',
    {
      config: newIn('schedule.manage'),
      schema: {
        operationId: 'createSchedule',
        summary: 'Makes a schedule in the layer of the API.',
        body: bodySchema.extend({ name: nameSchema }),
        response: { 201: scheduleViewSchema, ...problems },
      },
    },
    async (request, reply) => {
      const { name, ...value } = request.body;
      const view = await change(context, request, { name, value, expected: 'new' });
      return reply.code(201).send(view);
    },
  );
  routes.put(
    '/schedules/:id',
    {
      config: on('schedule', 'schedule.manage'),
      schema: {
        operationId: 'changeSchedule',
        summary: 'Replaces a schedule of the layer of the API.',
        params,
        headers: versionHeaders,
        body: bodySchema,
        response: answer,
      },
    },
    async (request, reply) => {
      const expected = expectedVersion(request.headers);
      const { id } = request.target;
      const view = await change(context, request, { name: id, value: request.body, expected });
      withVersion(reply, (await planeOf(context).object('schedules', id)).version);
      return view;
    },
  );
  routes.delete(
    '/schedules/:id',
    {
      config: on('schedule', 'schedule.manage'),
      schema: {
        operationId: 'deleteSchedule',
        summary: 'Deletes a schedule of the layer of the API; its runs stay.',
        params,
        headers: versionHeaders,
        response: { 200: z.object({ revision: z.number() }), ...problems },
      },
    },
    async (request) => {
      const { id, projectId } = request.target;
      const { revision, before } = await planeOf(context).change({
        section: 'schedules',
        name: id,
        value: null,
        expected: expectedVersion(request.headers),
        by: request.principal.id,
      });
      noteChange(request, { kind: 'schedule', id, projectId }, { before, after: null, revision });
      return { revision };
    },
  );
}

function actRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.post(
    '/schedules/:id/pause',
    {
      config: on('schedule', 'schedule.manage'),
      schema: {
        operationId: 'pauseSchedule',
        summary: 'It fires no more until it is resumed; also one that comes from the file.',
        params,
        body: z.strictObject({ reason: z.string().min(1).max(500).optional() }).nullish(),
        response: answer,
      },
    },
    async (request) => {
      const by = request.principal.id;
      return schedulesOf(context).pause(request.target.id, by, request.body?.reason ?? `Paused by ${by}`);
    },
  );
  routes.post(
    '/schedules/:id/resume',
    {
      config: on('schedule', 'schedule.manage'),
      schema: {
        operationId: 'resumeSchedule',
        summary: 'Goes on from now, and counts failures anew.',
        params,
        body: z.strictObject({}).nullish(),
        response: answer,
      },
    },
    async (request) => schedulesOf(context).resume(request.target.id),
  );
  routes.post(
    '/schedules/:id/run',
    {
      config: on('schedule', 'schedule.manage'),
      schema: {
        operationId: 'runSchedule',
        summary: 'Hands in its task now.',
        params,
        body: z.strictObject({}).nullish(),
        response: { 201: scheduleViewSchema, ...problems },
      },
    },
    async (request, reply) =>
      reply.code(201).send(await schedulesOf(context).runNow(request.target.id, request.principal.id)),
  );
}

/** Changes the configuration; the project that it is for from then on has to be one that the caller manages. */
async function change(
  context: ApiContext,
  request: FastifyRequest,
  { name, value, expected }: { name: string; value: { readonly project: string }; expected: string },
): Promise<ScheduleView> {
  const { principal } = request;
  const project = await projectOf(context, principal, value.project);
  requirePermission(principal, 'schedule.manage', project);
  const { revision, before } = await planeOf(context).change({
    section: 'schedules',
    name,
    value,
    expected,
    by: principal.id,
  });
  noteChange(
    request,
    { kind: 'schedule', id: name, projectId: project.id },
    { before, after: value, revision },
  );
  return schedulesOf(context).get(name);
}

/**
 * The project as the configuration means it: by its repository, since a project that is not configured can have the name
 * of one that is.
 */
async function projectOf(context: ApiContext, principal: Principal, name: string): Promise<Located> {
  const { projects } = planeOf(context).current().config;
  const repository = projects.find((one) => one.name === name)?.repository;
  const refused = new BerthError('FORBIDDEN', `There is no project ${name} that you may make schedules in.`);
  if (repository === undefined) throw refused;
  return context.controlPlane
    .locate('project', repository, visibleProjects(principal))
    .catch((error: unknown) => {
      throw error instanceof BerthError && error.code === 'NOT_FOUND' ? refused : error;
    });
}

function schedulesOf({ schedules }: ApiContext): SchedulePlane {
  if (schedules === null) throw new BerthError('NOT_FOUND', 'This server has no schedules.');
  return schedules;
}
