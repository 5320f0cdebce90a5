import type { ApiFailure } from '@berth/client/api-failure.ts';
import type { CommonFlags } from './command-context.ts';
import type { Io } from './io.ts';
import { asCalled } from './called-as.ts';
import { document, failureDocument } from './output/json.ts';
import { paintFor } from './output/style.ts';
import { surfaceOf } from './output/surface.ts';

/** The form in which a failure is written, also before there is a context. */
export function printFailure(
  io: Io,
  error: ApiFailure,
  flags: Pick<CommonFlags, 'json' | 'jsonl' | 'color'>,
): void {
  const err = surfaceOf(io.stderr, io.env, flags.color);
  if (flags.json === true || flags.jsonl === true) {
    err.write(document(failureDocument(error), err.isTty));
    return;
  }
  const paint = paintFor(err);
  err.write(`${paint('bad', 'error:')} ${asCalled(error.message, io.env)}\n  code: ${error.code}\n`);
  if (error.next !== null) err.write(`  next: ${asCalled(error.next, io.env)}\n`);
  if (error.requestId !== null) err.write(`  request: ${error.requestId}\n`);
  if ((io.env['BERTH_DEBUG'] ?? '') !== '') {
    const cause = error.cause instanceof Error ? error.cause : error;
    err.write(`${cause.stack ?? String(cause)}\n`);
  }
}
