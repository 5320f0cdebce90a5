import { expect, test } from 'vitest';
import { localPrincipal, type Principal } from '../../domain/access.ts';
import { noUsage, type UsageQuery, type UsageReach, type UsageReader } from '../../domain/ports/usage.ts';
import { FakeControlPlane } from '../../testing/fake-control-plane.ts';
import { createApi } from '../create-api.ts';

function apiAs(principal: Principal) {
  const asked: (UsageQuery | UsageReach)[] = [];
  const usage: UsageReader = {
    usage: async (query) => {
      asked.push(query);
      return noUsage.usage(query);
    },
    budgets: async (reach) => {
      asked.push(reach);
      return noUsage.budgets(reach);
    },
  };
  const app = createApi(new FakeControlPlane(), { usage, authenticate: async () => principal });
  const get = async (url: string) => {
    const { statusCode, body } = await app.inject({ url: `/api/v1${url}` });
    return { status: statusCode, body: JSON.parse(body) as { code?: string } };
  };
  return { asked, get };
}

const ada: Principal = {
  ...localPrincipal('ada'),
  id: 'ada@example.org',
  globalRole: null,
  projectRoles: { 'p-web': 'viewer' },
};

test('use is asked for within what a principal may see, and their own', async () => {
  const { asked, get } = apiAs(ada);
  const answer = await get('/usage?by=project,model&from=2026-11-01&to=2026-11-20&project=web');
  expect(answer).toMatchObject({ status: 200, body: { schema: 'berth.usage/v1', by: ['project', 'model'] } });
  expect((await get('/budgets')).body).toEqual({ schema: 'berth.budgets/v1', budgets: [] });
  const reach = { visible: ['p-web'], self: 'ada@example.org' };
  expect(asked).toEqual([
    { ...reach, by: ['project', 'model'], from: '2026-11-01', to: '2026-11-20', project: 'web' },
    reach,
  ]);
});

test('a narrowed token reaches no further', async () => {
  const scope = { projects: ['p-web'], permissions: null };
  const narrowed = apiAs({ ...ada, scope });
  expect((await narrowed.get('/usage')).status).toBe(200);
  expect(narrowed.asked).toEqual([{ visible: ['p-web'], self: null, by: [] }]);
  const without = apiAs({ ...ada, scope: { projects: null, permissions: ['run.read'] } });
  expect(await without.get('/usage')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  expect(without.asked).toEqual([]);
});

test.each(['/usage?by=colour', '/usage?from=yesterday', '/usage?from=2026-02-31'])(
  'what cannot be asked is refused: %s',
  async (url) => {
    expect((await apiAs(ada).get(url)).status).toBe(400);
  },
);
