import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { auditActSchema, auditVerdictSchema } from '../../domain/audit-views.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { AuditFilter, AuditReader, AuditVerdict } from '../../domain/ports/audit.ts';
import { callerOf } from '../access/audit-acts.ts';
import { installation, on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { problemOf, toBerthError } from '../problem.ts';
import { idParams, limitSchema, problems } from '../schemas.ts';

/** Each reads everything there is: a few at once are plenty. */
const verificationsAtOnce = 2;

/** No control characters: an export that has begun cannot answer that the database takes none. */
const word = z
  .string()
  .regex(/^\P{Cc}{1,500}$/u, '1 to 500 characters, none of them a control character')
  .optional();
const filterSchema = z.object({
  by: word.describe('Principal id.'),
  action: word.describe('`run.cancel`, or `run` for all of its kind.'),
  object: word.describe('Id of the object.'),
  result: z.enum(['allowed', 'denied', 'failed', 'open', 'unknown']).optional(),
  project: word.describe('Id or name of a project.'),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
});

const lines = z.custom<Readable>();
const jsonLines = 'application/x-ndjson; charset=utf-8';

/** The record of acts: reading, export, verification. */
export function auditRoutes(app: FastifyInstance, context: ApiContext): void {
  const { controlPlane, audit, stopping } = context;
  const routes = app.withTypeProvider<ZodTypeProvider>();
  let verifying = 0;

  const reader = (): AuditReader => {
    if (audit === null) throw new BerthError('NOT_FOUND', 'This server keeps no record of acts.');
    return audit.reader;
  };
  const filterOf = async (query: z.infer<typeof filterSchema>): Promise<AuditFilter> => {
    const { project, since, until, ...rest } = query;
    const all = { ...rest, since: instant('since', since), until: instant('until', until) };
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    if (project === undefined) return given;
    return { ...given, project: (await controlPlane.locate('project', project, 'all')).id };
  };

  routes.get(
    '/audit',
    {
      config: installation('audit.read'),
      schema: {
        operationId: 'listAudit',
        summary: 'Acts on record, newest first.',
        querystring: filterSchema.extend({
          cursor: z.string().max(200).optional(),
          limit: limitSchema(500, 50),
        }),
        response: {
          200: z.object({ acts: z.array(auditActSchema), next: z.string().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { cursor, limit, ...query } = request.query;
      const filter = await filterOf(query);
      const page = await reader().list({ ...filter, limit, ...(cursor === undefined ? {} : { cursor }) });
      return { acts: page.acts.map((one) => ({ ...one, details: { ...one.details } })), next: page.next };
    },
  );
  routes.get(
    '/audit/export',
    {
      config: installation('audit.read'),
      schema: {
        operationId: 'exportAudit',
        summary: 'The record with its seals and public keys as JSON lines, to be verified elsewhere.',
        querystring: filterSchema,
        produces: ['application/x-ndjson'],
        response: { 200: lines, ...problems },
      },
    },
    async (request, reply) => {
      const filter = await filterOf(request.query);
      const exported = reader().export(filter, stopping);
      await audit?.sink.record({
        ...callerOf(request),
        action: 'audit.export',
        object: { kind: 'audit', id: 'entries', projectId: null },
        result: 'allowed',
        code: null,
        details: { filter },
      });
      return reply.type(jsonLines).send(Readable.from(exported, { objectMode: false }));
    },
  );
  routes.get(
    '/audit/verify',
    {
      config: installation('audit.read'),
      schema: {
        operationId: 'verifyAudit',
        summary: 'Checks the whole record and every run’s log: progress as JSON lines, the verdict last.',
        produces: ['application/x-ndjson'],
        response: { 200: lines, ...problems },
      },
    },
    async (request, reply) => {
      if (verifying >= verificationsAtOnce) {
        throw new BerthError('OVERLOADED', 'The record is being verified already.');
      }
      const verification = reader().verify(stopping);
      async function* told(): AsyncGenerator<string> {
        verifying += 1;
        try {
          for await (const item of verification) {
            const line = 'verdict' in item ? { verdict: verdictView(item.verdict) } : item;
            yield `${JSON.stringify(line)}\n`;
          }
        } catch (error) {
          yield `${JSON.stringify({ problem: problemOf(toBerthError(error), request.id) })}\n`;
        } finally {
          verifying -= 1;
        }
      }
      return reply.type(jsonLines).send(Readable.from(told(), { objectMode: false }));
    },
  );
  routes.get(
    '/runs/:id/verify',
    {
      config: on('run', 'run.read'),
      schema: {
        operationId: 'verifyRun',
        summary: 'Checks one run’s log against its hashes and the seals that anchored it.',
        params: idParams,
        response: { 200: auditVerdictSchema, ...problems },
      },
    },
    async (request) => verdictView(await reader().verifyRun(request.target.id)),
  );
}

function verdictView(verdict: AuditVerdict): z.infer<typeof auditVerdictSchema> {
  return { schema: 'berth.audit-verdict/v1', ...verdict, findings: [...verdict.findings] };
}

/** In UTC: there are offsets that the database does not know. @throws BerthError `USAGE` beyond the years 1 to 9999 */
function instant(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const iso = new Date(text).toISOString();
  if (!/^(?!0000)\d{4}-/.test(iso))
    throw new BerthError('USAGE', `${name}: wanted is a time of the years 1 to 9999`);
  return iso;
}
