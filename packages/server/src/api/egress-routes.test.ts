import { afterEach, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { BerthError } from '../domain/errors/index.ts';
import type { EgressExplainer } from '../domain/ports/egress-explainer.ts';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { createApi } from './create-api.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

test('a question is passed on with its project, and what is malformed is refused', async () => {
  const asked: unknown[] = [];
  const egress: EgressExplainer = {
    explain: async (project, question) => {
      asked.push(question);
      return {
        schema: 'berth.egress/v1',
        project,
        host: question.host,
        port: question.port,
        method: question.method ?? null,
        path: question.path ?? null,
        steps: [],
        addresses: [],
        unresolved: null,
      };
    },
  };
  const plane = new FakeControlPlane({ pace: 0, worker: false });
  const app = createApi(plane, { principal: 'tester', egress });
  apps.push(app);
  plane.locate = async (_, text) => {
    if (text !== 'lib') throw new BerthError('NOT_FOUND', 'There is no such project.');
    return { id: 'p-1', projectId: 'p-1', ownerId: 'tester' };
  };
  const ask = (query: string) =>
    app.inject({ method: 'GET', url: `/api/v1/projects/lib/egress/explain?${query}` });
  const answer = await ask('host=a.example&method=POST&path=%2Fv1&step=agent');
  expect([answer.statusCode, answer.json()]).toMatchObject([
    200,
    { project: 'p-1', host: 'a.example', port: 443 },
  ]);
  expect(asked).toEqual([{ host: 'a.example', port: 443, method: 'POST', path: '/v1', step: 'agent' }]);
  for (const query of [
    '',
    'host=a&port=0',
    'host=a&port=70000',
    'host=a&step=propose',
    'host=a&path=x',
    'host=a&method=A%20B',
  ]) {
    expect([query, (await ask(query)).statusCode]).toEqual([query, 400]);
  }
  expect(asked).toHaveLength(1);
  const foreign = await app.inject({
    method: 'GET',
    url: '/api/v1/projects/none-such/egress/explain?host=a',
  });
  expect(foreign.statusCode).toBe(404);
});
