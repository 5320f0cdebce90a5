import { BerthError } from '../../domain/errors/index.ts';

/** How every placeholder of a brokered credential begins. */
export const placeholderPrefix = 'berthplaceholder';

/**
 * Passes a stream on and ends it where a placeholder stands in it. A placeholder is of one run: a file of settings that
 * setup wrote with it would make every later run's requests fail.
 * @throws BerthError `SNAPSHOT_REFUSED`
 */
export async function* withoutPlaceholders(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let end: Uint8Array = Buffer.alloc(0);
  for await (const chunk of source) {
    // Only the seam is copied.
    const seam = Buffer.concat([end, chunk.subarray(0, placeholderPrefix.length)]);
    const whole = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (seam.includes(placeholderPrefix) || whole.includes(placeholderPrefix)) {
      throw new BerthError('SNAPSHOT_REFUSED', 'Setup wrote the placeholder of a credential into a file.');
    }
    const last = Buffer.concat([end, chunk.subarray(-placeholderPrefix.length)]);
    end = Buffer.from(last.subarray(-(placeholderPrefix.length - 1)));
    yield chunk;
  }
}
