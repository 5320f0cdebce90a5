import { describe, expect, test } from 'vitest';
import { systemClock } from '../../domain/clock.ts';
import { certificateLine } from '../../testing/kubernetes/certificate-line.ts';
import { ApiFailure } from './api-failure.ts';
import { readCertificate } from './certificate.ts';

const podUid = '010ef9c5-caa7-4f35-b06f-91041229e8c4';
const line = certificateLine(podUid);

/** A log that answers in order; an answer that is an array is what a follow yields. */
async function read(answers: Array<readonly string[] | null | Error>, withinMs = 10_000) {
  let asked = 0;
  const pinned = await readCertificate({
    client: {
      async followLog() {
        const answer = answers[Math.min(asked, answers.length - 1)]!;
        asked += 1;
        if (answer instanceof Error) throw answer;
        if (answer === null) return null;
        return (async function* () {
          yield* answer;
        })();
      },
    },
    clock: systemClock,
    podName: 'sandbox-x',
    podUid,
    signal: AbortSignal.timeout(withinMs),
  });
  return { pinned, asked };
}

describe('who sandboxd says it is', () => {
  test('is the first line of its log, in however many pieces it comes', async () => {
    const half = Math.floor(line.length / 2);
    const { pinned } = await read([[line.slice(0, half), line.slice(half), '\n{"ready":true}\n']]);
    expect(pinned.podUid).toBe(podUid);
  });

  test('is waited for: while the container waits (204, 400), while the log is empty, while the API server is busy', async () => {
    const busy = new ApiFailure({ status: 503, text: 'busy', retryAfter: null });
    const { asked } = await read([null, null, [], new Error('ECONNRESET'), busy, [`${line}\n`]]);
    expect(asked).toBe(6);
  });

  test('is no line without its end: a runtime that lost the log says so in one', async () => {
    const lost = [
      'unable to retrieve container logs for containerd://2ec283a9bf85b0d42c9dc4441c29362ca8840dc6',
    ];
    await expect(read([lost], 300)).rejects.toThrow(/timeout/i);
    expect((await read([lost, [line], [`${line}\n`]])).asked).toBe(3);
  });

  test('is refused when it names another pod, or is no certificate, or has no end', async () => {
    const refused = { code: 'SANDBOX_CERTIFICATE' };
    await expect(
      read([[`${certificateLine('11111111-caa7-4f35-b06f-91041229e8c4')}\n`]]),
    ).rejects.toMatchObject(refused);
    await expect(read([['hello\n', `${line}\n`]])).rejects.toMatchObject(refused);
    await expect(read([['x'.repeat(10_000)]])).rejects.toMatchObject(refused);
  });

  test('is not asked for again where Berth may not read logs', async () => {
    const text = JSON.stringify({ kind: 'Status', reason: 'Forbidden', message: 'no', code: 403 });
    const forbidden = new ApiFailure({ status: 403, text, retryAfter: null });
    await expect(read([forbidden])).rejects.toMatchObject({ code: 'SANDBOX_CLUSTER_FORBIDDEN' });
  });
});
