import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { visibleProjects } from '../domain/access.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { RowQuery } from '../domain/ports/run-reading.ts';
import { maxFilterCharacters, parseRunFilter } from '../domain/run-filter.ts';
import { runStates } from '../domain/status.ts';
import { fieldsSchema, project } from './projection.ts';
import { limitSchema } from './schemas.ts';

/** What both lists, of tasks and of runs, are asked with. */
export const rowQuerySchema = z.object({
  q: z
    .string()
    .max(maxFilterCharacters)
    .optional()
    .describe('A filter: `status:failed code:LIMIT_COST project:web by:me age:<7d cost:>2 "words"`.'),
  state: z.enum(runStates).optional().describe('Short for `status:` in `q`.'),
  project: z.string().min(1).max(4_096).optional().describe('Id, name or repository of a project.'),
  fields: fieldsSchema,
  cursor: z.string().max(200).optional(),
  limit: limitSchema(200, 50),
});

/** @throws BerthError `FILTER_INVALID`, `USAGE` */
export function rowQuery(request: FastifyRequest, query: z.infer<typeof rowQuerySchema>): RowQuery {
  const { q = '', state, cursor, limit } = query;
  const filter = parseRunFilter(q, { nowMs: Date.now(), me: request.principal.id });
  if (state !== undefined && filter.states.length > 0) {
    throw new BerthError('USAGE', 'state: the filter names a status already');
  }
  if (query.project !== undefined && filter.projects.length > 0) {
    throw new BerthError('USAGE', 'project: the filter names a project already');
  }
  if (query.project !== undefined && /\p{Cc}/u.test(query.project)) {
    throw new BerthError('USAGE', 'project: it holds a character that is no text');
  }
  return {
    limit,
    visible: visibleProjects(request.principal),
    filter: {
      ...filter,
      ...(state === undefined ? {} : { states: [state] }),
      ...(query.project === undefined ? {} : { projects: [query.project] }),
    },
    ...(cursor === undefined ? {} : { cursor }),
  };
}

/** Answers rows with the members that were asked for; those have not the whole shape, so it is not held to it. */
export function sendProjected(
  reply: FastifyReply,
  name: 'tasks' | 'runs',
  page: { readonly rows: readonly object[]; readonly next: string | null },
  fields: string,
  shape: z.ZodObject,
): FastifyReply {
  return sendJson(reply, { [name]: project(page.rows, fields, shape), next: page.next });
}

/** Answers JSON that is not the route's one shape. */
export function sendJson(reply: FastifyReply, value: object): FastifyReply {
  return reply.type('application/json; charset=utf-8').serializer(String).send(JSON.stringify(value));
}
