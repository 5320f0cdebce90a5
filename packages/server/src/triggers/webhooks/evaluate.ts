import { Worker } from 'node:worker_threads';
import { BerthError } from '../../domain/errors/index.ts';
import type { ExpressionResult, ExpressionWork } from './expression-thread.ts';

/** All expressions of a trigger on one body. */
const mostMs = 3_000;
const mostMemoryMb = 128;
export const mostValueCharacters = 20_000;

/**
 * Works expressions out on a body, in a thread that is ended when it takes too long or too much memory: expressions are
 * the operator's, the body is anybody's.
 * @throws BerthError `EXPRESSION_FAILED`
 */
export async function evaluateExpressions(
  body: unknown,
  expressions: readonly string[],
  limits: { readonly mostMs: number; readonly memoryMb: number } = { mostMs, memoryMb: mostMemoryMb },
): Promise<readonly ExpressionResult[]> {
  if (expressions.length === 0) return [];
  const work: ExpressionWork = {
    body: body as ExpressionWork['body'],
    expressions,
    most: mostValueCharacters * 2,
  };
  const thread = new Worker(new URL('./expression-thread.ts', import.meta.url), {
    workerData: work,
    resourceLimits: { maxOldGenerationSizeMb: limits.memoryMb, maxYoungGenerationSizeMb: 32 },
    env: {},
    stdout: true,
    stderr: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<readonly ExpressionResult[]>();
  const failed = (sentence: string): BerthError => new BerthError('EXPRESSION_FAILED', sentence);
  const timer = setTimeout(
    () => reject(failed(`The expressions took longer than ${limits.mostMs} ms.`)),
    limits.mostMs,
  );
  thread.once('message', resolve);
  thread.once('error', (error: NodeJS.ErrnoException) =>
    reject(
      failed(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? `The expressions took more memory than ${limits.memoryMb} MiB.`
          : 'The expressions could not be worked out.',
      ),
    ),
  );
  thread.once('exit', () => reject(failed('The expressions could not be worked out.')));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}
