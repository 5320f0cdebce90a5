import type { FastifyInstance } from 'fastify';
import type { Redactor } from '../domain/ports/redaction.ts';

/**
 * Takes known secrets out of every answer, errors and files included: what was stored before a secret was known, and
 * what is never stored (differences, files of a checkpoint), passes here. Must stand before whatever keeps or hashes
 * answers. Streams are made of entries and frames that were redacted one by one.
 */
export function redactAnswers(app: FastifyInstance, redactor: Redactor | undefined): void {
  if (redactor === undefined) return;
  app.addHook('onSend', async (_request, _reply, payload) => {
    if (typeof payload === 'string') return redactor.text(payload);
    if (!Buffer.isBuffer(payload)) return payload;
    const bytes = redactor.bytes();
    return Buffer.concat([bytes.push(payload), bytes.end()]);
  });
}
