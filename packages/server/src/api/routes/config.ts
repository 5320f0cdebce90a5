import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { configJsonSchema } from '../../config/json-schema.ts';
import { isConfigSection, isNamedSection, type ConfigSection } from '../../config/merge.ts';
import type { ConfigObject, ConfigPlane } from '../../config/plane.ts';
import { maxConfigBytes } from '../../config/parse/index.ts';
import { sectionExists } from '../../config/change-object.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { installation, signedIn } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { limitSchema, problems } from '../schemas.ts';

const sourceSchema = z.enum(['default', 'file', 'database']);
const problemSchema = z
  .object({ line: z.number(), column: z.number(), path: z.string(), sentence: z.string() })
  .meta({ id: 'ConfigProblem' });
const valueSchema = z.record(z.string(), z.unknown());

const viewSchema = z
  .object({
    schema: z.literal('berth.config/v1'),
    revision: z.number(),
    /** References to secrets stand in it as they are written. */
    config: valueSchema,
    /** By `<section>/<name>`, and by section. */
    sources: z.record(z.string(), sourceSchema),
    file: z.object({
      path: z.string(),
      state: z.enum(['none', 'counts', 'differs', 'invalid', 'unreadable']),
    }),
    problems: z.array(problemSchema),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'Config' });

const objectSchema = z
  .object({
    id: z.string(),
    source: sourceSchema,
    value: valueSchema.nullable(),
    /** False: it comes from the file and is changed there. */
    editable: z.boolean(),
    changedBy: z.string().nullable(),
    changedAt: z.string().nullable(),
  })
  .meta({ id: 'ConfigObject' });

const revisionSchema = z
  .object({
    number: z.number(),
    digest: z.string(),
    source: z.enum(['file', 'database']),
    by: z.string(),
    at: z.string(),
  })
  .meta({ id: 'ConfigRevision' });

const changedSchema = z
  .object({ version: z.string().nullable(), revision: z.number() })
  .meta({ id: 'ConfigChange' });

/** Which version a change changes: an ETag that was read, or `*` for what is not there yet. */
export const versionHeaders = z.object({
  'if-match': z.string().max(100).optional().describe('The ETag that was read.'),
  'if-none-match': z.literal('*').optional().describe('`*`: there must be none yet.'),
});

/** @throws BerthError `CONFIG_VERSION_NEEDED` */
export function expectedVersion(headers: z.infer<typeof versionHeaders>): string {
  if (headers['if-none-match'] !== undefined) return 'new';
  const version = /^"([a-z0-9]+)"$/.exec(headers['if-match'] ?? '')?.[1];
  if (version === undefined) throw new BerthError('CONFIG_VERSION_NEEDED');
  return version;
}

export function withVersion(reply: FastifyReply, version: string | null): void {
  if (version !== null) reply.header('etag', `"${version}"`).header('cache-control', 'no-cache');
}

/** The plane, or a refusal where this process has none. */
export function planeOf({ config }: ApiContext): ConfigPlane {
  if (config === null) throw new BerthError('NOT_FOUND', 'This server has no configuration.');
  return config;
}

/** Longest value of one key on record; more is in the revision. */
const longestOnRecord = 200;

/** Puts on record which object was changed, and which of its keys from what to what. */
export function noteChange(
  request: FastifyRequest,
  object: { readonly kind: string; readonly id: string; readonly projectId: string | null },
  change: { readonly before: object | null; readonly after: object | null; readonly revision: number },
): void {
  const { audited } = request;
  if (audited === null || audited === undefined) return;
  const before: Readonly<Record<string, unknown>> = { ...change.before };
  const after: Readonly<Record<string, unknown>> = { ...change.after };
  const short = (value: unknown): string | null => JSON.stringify(value)?.slice(0, longestOnRecord) ?? null;
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .slice(0, 20)
    .map((key) => ({ key, before: short(before[key]), after: short(after[key]) }));
  audited.object = object;
  audited.details = { ...audited.details, revision: change.revision, changed };
}

function sectionOf(text: string, name: string): ConfigSection {
  if (isConfigSection(text) && isNamedSection(text) === (name !== '')) return text;
  if (sectionExists(text) && !isConfigSection(text)) {
    throw new BerthError('CONFIG_READ_ONLY', `${text} is only set in the configuration file.`);
  }
  throw new BerthError(
    'NOT_FOUND',
    `There is no ${name === '' ? 'section' : 'list'} ${text} in the configuration.`,
  );
}

const nameParams = z.object({ section: z.string().max(40), name: z.string().min(1).max(320) });
const sectionParams = z.object({ section: z.string().max(40) });

/** Reading and changing the configuration. What comes from the file answers `CONFIG_READ_ONLY`. */
export function configRoutes(app: FastifyInstance, context: ApiContext): void {
  readingRoutes(app, context);
  const routes = app.withTypeProvider<ZodTypeProvider>();
  const places = [
    {
      path: '/config/:section',
      params: sectionParams,
      suffix: 'Section',
      what: 'a section that is one object',
    },
    { path: '/config/:section/:name', params: nameParams, suffix: 'Object', what: 'an object by its name' },
  ] as const;
  const placeOf = (params: { section: string; name?: string }): { section: ConfigSection; name: string } => {
    const { section, name = '' } = params;
    return { section: sectionOf(section, name), name };
  };
  for (const { path, params, suffix, what } of places) {
    routes.get(
      path,
      {
        config: installation('config.read'),
        schema: {
          operationId: `getConfig${suffix}`,
          summary: `Reads ${what} of the configuration.`,
          params,
          response: { 200: objectSchema, ...problems },
        },
      },
      async (request, reply) => {
        const { section, name } = placeOf(request.params);
        const { version, ...object } = await planeOf(context).object(section, name);
        withVersion(reply, version);
        return viewOf(object);
      },
    );
    routes.put(
      path,
      {
        config: { ...installation('config.write'), audit: { action: 'config.change' } },
        schema: {
          operationId: `putConfig${suffix}`,
          summary: `Makes or replaces ${what} in the layer of the API.`,
          params,
          headers: versionHeaders,
          body: valueSchema,
          response: { 200: changedSchema, ...problems },
        },
      },
      async (request, reply) => {
        const place = placeOf(request.params);
        const { version, revision, before } = await planeOf(context).change({
          ...place,
          value: request.body,
          expected: expectedVersion(request.headers),
          by: request.principal.id,
        });
        noteChange(request, onRecord(place), { before, after: request.body, revision });
        withVersion(reply, version);
        return { version, revision };
      },
    );
    routes.delete(
      path,
      {
        config: { ...installation('config.write'), audit: { action: 'config.delete' } },
        schema: {
          operationId: `deleteConfig${suffix}`,
          summary: `Deletes ${what} from the layer of the API.`,
          params,
          headers: versionHeaders,
          response: { 200: changedSchema, ...problems },
        },
      },
      async (request) => {
        const place = placeOf(request.params);
        const { version, revision, before } = await planeOf(context).change({
          ...place,
          value: null,
          expected: expectedVersion(request.headers),
          by: request.principal.id,
        });
        noteChange(request, onRecord(place), { before, after: null, revision });
        return { version, revision };
      },
    );
  }
}

function onRecord({ section, name }: { section: string; name: string }) {
  return { kind: 'config', id: name === '' ? section : `${section}/${name}`, projectId: null };
}

function viewOf(object: Omit<ConfigObject, 'version'>): z.infer<typeof objectSchema> {
  return {
    ...object,
    value: object.value === null ? null : { ...object.value },
    editable: object.source !== 'file',
  };
}

function readingRoutes(app: FastifyInstance, context: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/config',
    {
      config: installation('config.read'),
      schema: {
        operationId: 'getConfig',
        summary:
          'The configuration that counts, where each part comes from, and what is wrong with the file.',
        response: { 200: viewSchema, ...problems },
      },
    },
    async () => {
      const plane = planeOf(context);
      const { number, config, sources } = plane.current();
      const status = plane.status();
      return {
        schema: 'berth.config/v1' as const,
        revision: number,
        config: { ...config },
        sources: { ...sources },
        file: status.file,
        problems: [...status.problems],
        warnings: [...status.warnings],
      };
    },
  );
  routes.get(
    '/config/export',
    {
      config: installation('config.read'),
      schema: {
        operationId: 'exportConfig',
        summary: 'Both layers as one YAML file.',
        response: { 200: z.string(), ...problems },
      },
    },
    async (_request, reply) => {
      const text = await planeOf(context).export();
      return reply.type('application/yaml; charset=utf-8').send(text);
    },
  );
  routes.get(
    '/config/revisions',
    {
      config: installation('config.read'),
      schema: {
        operationId: 'listConfigRevisions',
        summary: 'The revisions of the configuration, newest first.',
        querystring: z.object({
          limit: limitSchema(200, 50),
          before: z.coerce.number<string>().int().min(1).max(2_147_483_647).optional(),
        }),
        response: {
          200: z.object({ revisions: z.array(revisionSchema), next: z.number().nullable() }),
          ...problems,
        },
      },
    },
    async (request) => {
      const { limit, before } = request.query;
      const found = await planeOf(context).revisions({ limit, ...(before === undefined ? {} : { before }) });
      const last = found.at(-1)?.number ?? 1;
      return { revisions: [...found], next: found.length === limit && last > 1 ? last : null };
    },
  );
  routes.get(
    '/config/schema.json',
    {
      config: signedIn,
      schema: {
        operationId: 'getConfigSchema',
        summary: 'The JSON Schema of the configuration file, for editors.',
        response: { 200: valueSchema, ...problems },
      },
    },
    async () => ({ ...configJsonSchema() }),
  );
  routes.post(
    '/config/check',
    {
      // A text of the longest size, escaped character by character, still fits.
      bodyLimit: 6 * maxConfigBytes,
      config: installation('config.read'),
      schema: {
        operationId: 'checkConfig',
        summary: 'Looks at the text of a configuration file without importing it.',
        body: z.strictObject({ text: z.string().max(maxConfigBytes) }),
        response: { 200: z.object({ ok: z.boolean(), problems: z.array(problemSchema) }), ...problems },
      },
    },
    async (request) => {
      const found = planeOf(context).check(request.body.text);
      return { ok: found.length === 0, problems: [...found] };
    },
  );
}
