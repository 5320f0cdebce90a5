import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type CheckpointPlace, fileListSchema } from '../../domain/run-views.ts';
import { on } from '../access/route-access.ts';
import type { ApiContext } from '../options.ts';
import { idParams, placeSchema, problems } from '../schemas.ts';

const bytes = z.custom<Buffer>();
const pathSchema = z.string().max(4_096);
const seq = placeSchema
  .optional()
  .describe('An entry: the nearest checkpoint at or before it is shown. Without it: the newest.');

/** Diff and files of a run, now and at each of its checkpoints. */
export function workingTreeRoutes(app: FastifyInstance, { controlPlane }: ApiContext): void {
  const routes = app.withTypeProvider<ZodTypeProvider>();
  routes.get(
    '/runs/:id/diff',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'getRunDiff',
        summary:
          'Unified diff against the base, or between two checkpoints. Which checkpoint it shows stands in the headers `berth-seq`, `berth-checkpoint-seq` and `berth-between`.',
        params: idParams,
        querystring: z.object({
          seq,
          from: z
            .union([z.literal('base'), placeSchema])
            .default('base')
            .describe('`base`, or an earlier entry.'),
        }),
        produces: ['text/x-diff'],
        response: { 200: z.string(), ...problems },
      },
    },
    async (request, reply) => {
      const { seq: at, from } = request.query;
      const diff = reply.type('text/x-diff; charset=utf-8').serializer(String);
      if (at === undefined && from === 'base') return diff.send(await controlPlane.diff(request.target.id));
      const shown = await controlPlane.diffAt(request.target.id, { seq: at ?? null, from });
      saying(reply, shown.place);
      if (shown.from !== null) reply.header('berth-from-checkpoint-seq', shown.from.checkpointSeq);
      return diff.send(shown.truncated ? `${shown.text}\n[cut]\n` : shown.text);
    },
  );
  routes.get(
    '/runs/:id/files',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'listFiles',
        summary: 'A folder of the working tree as it was at a checkpoint.',
        params: idParams,
        querystring: z.object({ seq, path: pathSchema.default('') }),
        response: { 200: fileListSchema, ...problems },
      },
    },
    async (request) => {
      const { seq: at, path } = request.query;
      return controlPlane.filesAt(request.target.id, { seq: at ?? null, path });
    },
  );
  routes.get(
    '/runs/:id/file',
    {
      config: { ...on('run', 'run.read'), etag: true },
      schema: {
        operationId: 'getFile',
        summary: 'The bytes of a file of the working tree as it was at a checkpoint; at most 5 MiB.',
        params: idParams,
        querystring: z.object({ seq, path: pathSchema.min(1) }),
        produces: ['application/octet-stream'],
        response: { 200: bytes, ...problems },
      },
    },
    async (request, reply) => {
      const { seq: at, path } = request.query;
      const file = await controlPlane.fileAt(request.target.id, { seq: at ?? null, path });
      saying(reply, file.place);
      // Hostile bytes: never shown by a browser as what they say they are, never with this origin's rights.
      return reply
        .type('application/octet-stream')
        .header('content-disposition', 'attachment')
        .header('content-security-policy', "default-src 'none'; sandbox")
        .header('cross-origin-resource-policy', 'same-origin')
        .send(Buffer.from(file.bytes));
    },
  );
}

function saying(reply: FastifyReply, place: CheckpointPlace): void {
  reply
    .header('berth-seq', place.seq)
    .header('berth-checkpoint-seq', place.checkpointSeq)
    .header('berth-between', place.between)
    .header('berth-at', place.at);
}
