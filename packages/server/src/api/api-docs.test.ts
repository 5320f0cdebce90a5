import { expect, test } from 'vitest';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { createApi } from './create-api.ts';

test('the API reference comes from our own origin, without inline scripts, for whoever is signed in', async () => {
  const app = createApi(new FakeControlPlane({ worker: false }), { principal: 'tester' });
  const page = await app.inject('/api/docs');
  expect(page.statusCode).toBe(200);
  const scripts = [...page.body.matchAll(/<script([^>]*)>([^<]*)</g)];
  expect(scripts.map((script) => script[2]?.trim())).toEqual(['', '']);
  const sources = scripts.map((script) => /src="([^"]+)"/.exec(script[1] ?? '')?.[1] ?? '');
  expect(page.body).not.toMatch(/https?:/);
  expect(String(page.headers['content-security-policy'])).toContain("default-src 'none'; script-src 'self';");
  for (const source of sources) {
    const answer = await app.inject(source);
    expect([source, answer.statusCode]).toEqual([source, 200]);
    expect(answer.headers['content-type']).toContain('text/javascript');
    expect(answer.body).toContain('createApiReference');
  }
  await app.close();

  const closed = createApi(new FakeControlPlane({ worker: false }), { token: 'secret' });
  expect((await closed.inject('/api/docs')).statusCode).toBe(401);
  await closed.close();
});
