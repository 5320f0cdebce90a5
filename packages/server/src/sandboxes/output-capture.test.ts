import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LiveFrame } from '../domain/live.ts';
import type { Blobs } from '../domain/ports/blobs.ts';
import { canaryRedactor as redactor, canaryValue as secret } from '../testing/canary-redactor.ts';
import { captureOutput, type CapturedOutput } from './output-capture.ts';

async function captured(pieces: readonly string[]): Promise<CapturedOutput & { text: string; live: string }> {
  let text = '';
  let live = '';
  const blobs = {
    async put(bytes: AsyncIterable<Uint8Array>) {
      for await (const chunk of bytes) text += Buffer.from(chunk).toString('latin1');
      return 'blob';
    },
  } as unknown as Blobs;
  const events = {
    append: async () => [],
    live: (frame: LiveFrame) => void (live += frame.text),
  };
  const capture = captureOutput('c-1', blobs, events, redactor);
  let offset = 0;
  for (const piece of pieces) {
    const data = Buffer.from(piece);
    await capture.take({ offset, nextOffset: offset + data.length, stream: 'stdout', data });
    offset += data.length;
  }
  return { ...(await capture.finish()), text, live };
}

test('a secret is neither in blob, tail nor live frames, wherever the output is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(200), { maxLength: 8 }), async (cuts) => {
      const whole = `before ${secret} between ${Buffer.from(secret).toString('base64')} after`;
      const at = [...new Set([0, ...cuts.filter((cut) => cut < whole.length), whole.length])].sort(
        (one, other) => one - other,
      );
      const pieces = at.slice(1).map((to, index) => whole.slice(at[index], to));
      const { text, live, tail, outputBytes } = await captured(pieces);
      const clean = 'before [secret CANARY] between [secret CANARY]= after';
      expect(text.replace(']= ', '] ').replaceAll(/\](?:[A-Za-z0-9]=?=?|==?) after/g, '] after')).toBe(
        clean.replace(']= ', '] '),
      );
      expect(live).toBe(text);
      expect(tail).toBe(text);
      expect(outputBytes).toBe(text.length);
    }),
    { numRuns: 200 },
  );
});

test('the tail never begins with the rest of a secret', async () => {
  const filler = 'x'.repeat(4_096 - 10);
  const { tail } = await captured([secret.slice(0, 8), secret.slice(8), filler]);
  expect(tail).not.toContain(secret.slice(-8));
  expect(tail).toHaveLength(4_096);
});

test('output without a secret is kept as it is, also without an end of line', async () => {
  const { text, output, outputBytes } = await captured(['password: ', 'c', '']);
  expect({ text, output, outputBytes }).toEqual({ text: 'password: c', output: 'blob', outputBytes: 11 });
  expect(await captured([])).toMatchObject({ output: null, outputBytes: 0 });
});
