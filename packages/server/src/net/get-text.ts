/** What was answered. */
export interface TextAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/**
 * One GET to an address that an admin configured. Redirects are not followed: they would carry the credential in the
 * headers elsewhere. Bounded in time, body included, and in what is read.
 * @throws whatever broke the connection, a `TimeoutError`, or a `RangeError` when the answer is longer than `maxBytes`
 */
export async function getText(request: {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}): Promise<TextAnswer> {
  const { url, headers, timeoutMs, maxBytes } = request;
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  const response = await fetch(url, { headers, redirect: 'manual', signal });
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > maxBytes) throw new RangeError(`the answer is longer than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return { status: response.status, headers: response.headers, text: Buffer.concat(pieces).toString('utf8') };
}
