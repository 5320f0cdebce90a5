import { BerthError } from '../../domain/errors/index.ts';

/** Deeper bodies come from nobody who means well. */
const deepest = 64;
/** Values in one body; each costs memory far above its bytes. */
const mostValues = 200_000;

/**
 * The object that a raw body says, as JSON. Of a key that is there twice the last counts; numbers that do not exist are
 * null; `__proto__` is a key like any other.
 * @throws BerthError `DELIVERY_INVALID`; its sentence holds nothing of the body
 */
export function readBody(raw: Uint8Array): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(raw);
  } catch {
    throw new BerthError('DELIVERY_INVALID', 'The body is not UTF-8.');
  }
  assertShape(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without its cause: that quotes the body.
    throw new BerthError('DELIVERY_INVALID', 'The body is not JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BerthError('DELIVERY_INVALID', 'The body is JSON, but no object.');
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Looks at brackets and commas alone, before anything is made of them. */
function assertShape(text: string): void {
  let depth = 0;
  let values = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isInText) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) isInText = false;
    } else if (code === 0x22) isInText = true;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      values += 1;
      if (depth > deepest)
        throw new BerthError('DELIVERY_INVALID', `The body is nested deeper than ${deepest}.`);
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
    else if (code === 0x2c) values += 1;
    if (values > mostValues) {
      throw new BerthError('DELIVERY_INVALID', `The body has more than ${mostValues} values.`);
    }
  }
}
