import { expect, test } from 'vitest';
import { placeholderPrefix, withoutPlaceholders } from './without-placeholders.ts';

async function passed(bytes: Buffer, pieces: number): Promise<string> {
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
  };
  const out: Uint8Array[] = [];
  for await (const chunk of withoutPlaceholders(source())) out.push(chunk);
  return Buffer.concat(out).toString();
}

test('a placeholder is found wherever the stream is cut, and nothing else is', async () => {
  const without = `${'x'.repeat(40)}berthplaceholde r${'y'.repeat(40)}`;
  const within = `${'x'.repeat(40)}_authToken=${placeholderPrefix}0123${'y'.repeat(40)}`;
  for (const pieces of [1, 2, 3, 5, 7, 15, 16, 17, 50, 1_000]) {
    expect(await passed(Buffer.from(without), pieces)).toBe(without);
    await expect(passed(Buffer.from(within), pieces)).rejects.toMatchObject({ code: 'SNAPSHOT_REFUSED' });
  }
});
