import { parentPort, workerData } from 'node:worker_threads';
import { search, type JSONValue } from '@jmespath-community/jmespath';

/** One body and the expressions on it. */
export interface ExpressionWork {
  readonly body: JSONValue;
  readonly expressions: readonly string[];
  /** Characters of one result as JSON; longer ones are cut. */
  readonly most: number;
}

/** A text, or any other value as JSON; what failed has a sentence that holds nothing of the body. */
export type ExpressionResult =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'failed'; readonly sentence: string };

const { body, expressions, most } = workerData as ExpressionWork;
const results = expressions.map((expression): ExpressionResult => {
  try {
    const found: unknown = search(body, expression);
    // What every object inherits is no part of a body.
    if (found === null || found === undefined || typeof found === 'function') return { kind: 'nothing' };
    if (typeof found === 'string') return { kind: 'text', text: found.slice(0, most) };
    return { kind: 'json', text: JSON.stringify(found).slice(0, most) };
  } catch (error) {
    return { kind: 'failed', sentence: error instanceof Error ? error.name : 'Error' };
  }
});
parentPort?.postMessage(results, []);
