import { afterAll, expect, test } from 'vitest';
import { canaryRedactor, canaryValue } from '../testing/canary-redactor.ts';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { createApi } from './create-api.ts';

const plane = new FakeControlPlane({ pace: 0, worker: false });
const shown = createApi(plane, { redactor: canaryRedactor });
const bare = createApi(plane, {});
afterAll(async () => {
  await shown.close();
  await bare.close();
});

test('a known secret stands in no answer, also not in an error that quotes the request', async () => {
  const request = { method: 'GET', url: `/api/v1/runs/${canaryValue}` } as const;
  expect((await bare.inject(request)).body).toContain(canaryValue);
  const answer = await shown.inject(request);
  expect(answer.body).toContain('[secret CANARY]');
  expect(answer.body).not.toContain(canaryValue);
  expect(answer.statusCode).toBe(404);
});

test('neither does it in a diff, and lengths still fit', async () => {
  plane.locate = async () => ({ kind: 'run', id: 'r-1', projectId: 'p-1' }) as never;
  plane.proposalDiff = async () => `+token = "${canaryValue}"\n`;
  const request = { method: 'GET', url: '/api/v1/proposals/r-1/diff' } as const;
  const answer = await shown.inject(request);
  expect(answer.body).toBe('+token = "[secret CANARY]"\n');
  expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.body)));
});
