import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { BerthError } from '../../domain/errors/index.ts';
import { accessWorld, type AccessWorld } from '../../testing/access-world.ts';
import { testDatabase } from '../../testing/database.ts';
import { ensureProject } from '../../store/runs/ensure-project.ts';
import { signedIn } from './route-access.ts';

const database = testDatabase();
const people = {
  people: [
    { id: 'ada@example.org', role: 'admin' },
    { id: 'bob@example.org', role: 'admin' },
  ],
};
let world: AccessWorld;
let handled = 0;
let answerWith: () => Promise<unknown> = async () => ({ count: handled });
beforeAll(async () => {
  await ensureProject(database.db, { name: 'web', repository: '/srv/web.git' });
  world = accessWorld(database.db, people);
  // A route whose answers the test decides.
  world.app.post(
    '/probe/:id',
    { config: signedIn, schema: { operationId: 'useProbe', body: z.unknown() } },
    async () => {
      handled += 1;
      return answerWith();
    },
  );
});
afterAll(async () => world.close());

async function post(url: string, key: string | null, body: object, person = 'ada@example.org') {
  const answer = await world.app.inject({
    method: 'POST',
    url,
    headers: { 'x-test-person': person, ...(key === null ? {} : { 'idempotency-key': key }) },
    payload: body,
  });
  const json = answer.json<Record<string, unknown>>();
  return {
    status: answer.statusCode,
    code: json['code'] ?? null,
    json,
    text: answer.body,
    replayed: answer.headers['idempotency-replayed'] ?? null,
    retryAfter: answer.headers['retry-after'] ?? null,
  };
}

test('the first answer comes again, whatever the order of the body’s members, and the handler runs once', async () => {
  handled = 0;
  const first = await post('/probe/1', 'same', { a: 1, b: { c: 2, d: 3 } });
  const again = await post('/probe/1', 'same', { b: { d: 3, c: 2 }, a: 1 });
  expect(first).toMatchObject({ status: 200, json: { count: 1 }, replayed: null });
  expect(again).toMatchObject({ status: 200, text: first.text, replayed: 'true' });
  expect(handled).toBe(1);
});

test('the same key for another body or another object is refused', async () => {
  await post('/probe/1', 'reused', { a: 1 });
  expect(await post('/probe/1', 'reused', { a: 2 })).toMatchObject({
    status: 422,
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
  expect(await post('/probe/2', 'reused', { a: 1 })).toMatchObject({
    status: 422,
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
});

test('keys of different principals and routes are apart', async () => {
  handled = 0;
  await post('/probe/1', 'mine', { a: 1 });
  const other = await post('/probe/1', 'mine', { a: 1 }, 'bob@example.org');
  expect(other.replayed).toBeNull();
  expect(handled).toBe(2);
});

test('while the first is under way the second is told to come again', async () => {
  const started = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  answerWith = async () => {
    started.resolve();
    await go.promise;
    return { slow: true };
  };
  const first = post('/probe/1', 'slow', {});
  await started.promise;
  const second = await post('/probe/1', 'slow', {});
  expect(second).toMatchObject({ status: 409, code: 'IDEMPOTENCY_UNDER_WAY', retryAfter: '1' });
  expect(second.json).toMatchObject({ retryable: true });
  go.resolve();
  expect((await first).json).toEqual({ slow: true });
  expect(await post('/probe/1', 'slow', {})).toMatchObject({ status: 200, replayed: 'true' });
});

test('of twenty at once one is carried out', async () => {
  handled = 0;
  answerWith = async () => ({ count: handled });
  const answers = await Promise.all(Array.from({ length: 20 }, () => post('/probe/1', 'rush', {})));
  expect(handled).toBe(1);
  expect(answers.every(({ status, code }) => status === 200 || code === 'IDEMPOTENCY_UNDER_WAY')).toBe(true);
});

test('a failure of the server and a conflict give the key back; a refusal of the request is kept', async () => {
  for (const [code, isKept] of [
    ['INTERNAL', false],
    ['DATABASE_UNAVAILABLE', false],
    ['CONFLICT', false],
    ['USAGE', true],
  ] as const) {
    answerWith = async () => {
      throw new BerthError(code);
    };
    expect((await post('/probe/1', `failed-${code}`, {})).code).toBe(code);
    answerWith = async () => ({ fine: true });
    const again = await post('/probe/1', `failed-${code}`, {});
    if (isKept) expect(again).toMatchObject({ code, replayed: 'true' });
    else expect(again).toMatchObject({ status: 200, replayed: null });
  }
});

test('an answer with a secret is not kept, and its request not carried out twice', async () => {
  const body = { purpose: 'laptop' };
  const first = await post('/api/v1/tokens', 'token', body);
  expect(first.status).toBe(201);
  expect(await post('/api/v1/tokens', 'token', body)).toMatchObject({
    status: 409,
    code: 'IDEMPOTENCY_ANSWER_NOT_KEPT',
  });
  const rows = await database.db.sql.selectFrom('idempotent_requests').selectAll().execute();
  expect(JSON.stringify(rows)).not.toContain(String(first.json['secret']).slice(23, 60));
  expect(await world.tokens.list({ owner: 'ada@example.org' })).toHaveLength(1);
});

test('a request whose server died is carried out again; an answer older than a day is forgotten', async () => {
  const { sql } = database.db;
  answerWith = async () => ({ count: handled });
  await post('/probe/1', 'died', {});
  await sql
    .updateTable('idempotent_requests')
    .set({ settled_at: null, started_at: new Date(Date.now() - 180_000) })
    .where('key', '=', 'died')
    .execute();
  expect(await post('/probe/1', 'died', {})).toMatchObject({ status: 200, replayed: null });
  await sql
    .updateTable('idempotent_requests')
    .set({ started_at: new Date(Date.now() - 25 * 3_600_000) })
    .where('key', '=', 'died')
    .execute();
  expect(await post('/probe/1', 'died', { other: true })).toMatchObject({ status: 200, replayed: null });
});

test('a key that makes a task makes one per principal, also where answers are not kept', async () => {
  const task = { repository: '/srv/web.git', text: 'fix it' };
  const bare = accessWorld(database.db, people, { idempotency: undefined as never });
  const send = async (person: string) => {
    const answer = await bare.app.inject({
      method: 'POST',
      url: '/api/v1/tasks',
      headers: { 'x-test-person': person, 'idempotency-key': 'task' },
      payload: task,
    });
    return answer.json<{ task: { id: string } }>().task.id;
  };
  const [ada, bob] = [await send('ada@example.org'), await send('bob@example.org')];
  expect(await send('ada@example.org')).toBe(ada);
  expect(bob).not.toBe(ada);
  await bare.close();
  const kept = await post('/api/v1/tasks', 'task', task);
  expect(kept.json['task']).toMatchObject({ id: ada });
});

test('a key that is none is refused, and requests without one run each time', async () => {
  handled = 0;
  answerWith = async () => ({ count: handled });
  expect(await post('/probe/1', 'x'.repeat(201), {})).toMatchObject({ status: 400, code: 'USAGE' });
  await post('/probe/1', null, {});
  await post('/probe/1', null, {});
  expect(handled).toBe(2);
});
