/** Most of an answer that is read before the connection is closed. */
const maxAnswerBytes = 64 * 1024;

/**
 * One POST to an address that an admin configured. Redirects are not followed: they would carry what is signed for one
 * receiver to another. Bounded in time and in what is read.
 * @returns the status; the body is thrown away
 * @throws whatever broke the connection, or a `TimeoutError`
 */
export async function postBytes(request: {
  readonly url: string;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}): Promise<number> {
  const { url, body, headers, timeoutMs } = request;
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  const response = await fetch(url, { method: 'POST', body, headers, redirect: 'manual', signal });
  let readBytes = 0;
  for await (const piece of response.body ?? []) {
    readBytes += piece.byteLength;
    if (readBytes > maxAnswerBytes) break;
  }
  return response.status;
}
