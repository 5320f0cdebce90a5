import { afterEach, expect, test } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { BerthError } from '../domain/errors/index.ts';
import { FakeControlPlane } from '../testing/fake-control-plane.ts';
import { createApi } from './create-api.ts';
import type { ApiOptions } from './options.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

function start(options: ApiOptions = {}) {
  const plane = new FakeControlPlane({ pace: 0, worker: false });
  const app = createApi(plane, { principal: 'tester', ...options });
  apps.push(app);
  const call = async (method: 'GET' | 'POST', url: string, body?: object, headers: object = {}) => {
    const answer = await app.inject({
      method,
      url,
      headers: { ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      json: () => answer.json(),
    };
  };
  const create = async (text = 'fix it', key?: string) => {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    const answer = await call('POST', '/api/v1/tasks', { repository: '/srv/lib', text }, headers);
    return answer.json() as { task: { id: string }; run: { id: string } };
  };
  return { plane, app, call, create };
}

test('a task is created with its first run, and the same key makes no second one', async () => {
  const { call, create } = start();
  const first = await create('fix it', 'k1');
  const again = await create('fix it', 'k1');
  expect(again.run.id).toBe(first.run.id);
  expect((await call('GET', `/api/v1/tasks/${first.task.id}`)).json()).toMatchObject({
    schema: 'berth.task/v1',
    text: 'fix it',
    runs: [first.run.id],
  });
  const { runs } = (await call('GET', '/api/v1/runs')).json() as { runs: unknown[] };
  expect(runs).toHaveLength(1);
});

test('runs are listed by state and project, page by page', async () => {
  const { call, create } = start();
  const ids = [];
  for (const text of ['a', 'b', 'c']) ids.unshift((await create(text)).run.id);
  const first = (await call('GET', '/api/v1/runs?limit=2&project=lib')).json() as {
    runs: { id: string }[];
    next: string;
  };
  expect(first.runs.map((run) => run.id)).toEqual(ids.slice(0, 2));
  const rest = (await call('GET', `/api/v1/runs?limit=2&cursor=${first.next}`)).json() as typeof first;
  expect(rest.runs.map((run) => run.id)).toEqual(ids.slice(2));
  expect(rest.next).toBeNull();
  expect((await call('GET', '/api/v1/runs?project=other')).json()).toEqual({ runs: [], next: null });
  expect((await call('GET', '/api/v1/runs?state=failed')).json()).toEqual({ runs: [], next: null });
});

test('a validation error names the field and says what is wrong with it', async () => {
  const { call, create } = start();
  const { run } = await create();
  const cases = [
    ['POST', '/api/v1/tasks', { text: 'x' }, 'repository'],
    [
      'POST',
      '/api/v1/tasks',
      { repository: '/r', text: 'x', options: { limits: { rounds: 3 } } },
      'options.limits.rounds',
    ],
    ['POST', '/api/v1/tasks', { repository: '/r', text: 'x', sudo: true }, 'sudo'],
    ['GET', '/api/v1/runs?limit=0', undefined, 'querystring.limit'],
    ['GET', '/api/v1/runs?state=happy', undefined, 'querystring.state'],
    ['GET', `/api/v1/runs/${run.id}/events?types=run.created,nonsense`, undefined, 'querystring.types'],
    ['GET', '/api/v1/runs/..%2f..%2fetc', undefined, 'params.id'],
    ['POST', `/api/v1/runs/${run.id}/messages`, { text: '   ' }, 'text'],
  ] as const;
  for (const [method, url, body, field] of cases) {
    const answer = await call(method, url, body);
    expect(answer.status).toBe(400);
    const problem = answer.json() as { code: string; detail: string };
    expect(problem.code).toBe('USAGE');
    expect(problem.detail).toContain(field);
  }
});

test('a failure is a problem document with the code, the sentence, what to do next, and the request id', async () => {
  const { call } = start();
  const answer = await call('GET', '/api/v1/runs/r-nothing');
  expect(answer.headers['content-type']).toContain('application/problem+json');
  expect(answer.json()).toEqual({
    type: 'urn:berth:error:NOT_FOUND',
    title: 'There is no such object.',
    status: 404,
    detail: 'There is no run r-nothing.',
    code: 'NOT_FOUND',
    next: 'List what there is with `berth runs`.',
    retryable: false,
    requestId: answer.headers['x-request-id'],
    exit: 8,
    details: {},
  });
});

test('what nobody foresaw is INTERNAL, and is reported to whoever runs the server', async () => {
  const seen: string[] = [];
  const { plane, call } = start({ onError: (_, code) => void seen.push(code) });
  plane.doctor = async () => {
    throw new TypeError('boom');
  };
  const answer = await call('GET', '/api/v1/doctor');
  expect([answer.status, (answer.json() as { code: string }).code]).toEqual([500, 'INTERNAL']);
  expect(seen).toEqual(['INTERNAL']);
});

test('an answer that does not match its schema is INTERNAL, never sent as it is', async () => {
  const { plane, call, create } = start();
  const { run } = await create();
  plane.getRun = async () => ({ secret: 'x' }) as never;
  const answer = await call('GET', `/api/v1/runs/${run.id}`);
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain('"secret"');
});

test('a run is paused, resumed with raised limits, steered and cancelled, by the principal of the socket', async () => {
  const { plane, call, create } = start();
  const { run } = await create();
  const act = async (name: string, body?: object) => call('POST', `/api/v1/runs/${run.id}/${name}`, body);
  expect((await act('pause', { reason: 'lunch' })).json()).toMatchObject({ status: { state: 'paused' } });
  expect((await act('resume', { limits: { costUsd: 4 } })).status).toBe(200);
  const sent = await act('messages', { text: 'keep the API', mode: 'after_step' });
  expect([sent.status, sent.json()]).toEqual([202, { messageId: expect.stringMatching(/^m-/) as unknown }]);
  expect((await act('cancel')).json()).toMatchObject({ status: { state: 'cancelled' } });
  expect(plane.acts).toEqual([
    'pause tester: lunch',
    'resume tester {"costUsd":4}',
    'steer tester after_step: keep the API',
    'cancel tester',
  ]);
  expect((await act('cancel')).status).toBe(409);
});

test('outputs stream as bytes, with a type no browser runs', async () => {
  const { plane, call, create } = start();
  const { run } = await create();
  plane.output = async () =>
    (async function* pieces() {
      yield Buffer.from('<script>');
      yield Buffer.from([0xff, 0x00]);
    })();
  const answer = await call('GET', `/api/v1/runs/${run.id}/outputs/${encodeURIComponent('3:check#1/test')}`);
  expect(answer.headers['content-type']).toBe('application/octet-stream');
  expect(answer.headers['x-content-type-options']).toBe('nosniff');
  expect(answer.text.startsWith('<script>')).toBe(true);
});

test('a body over the limit of its route is refused with a code', async () => {
  const { call, create } = start();
  const { run } = await create();
  const answer = await call('POST', `/api/v1/runs/${run.id}/messages`, { text: 'x'.repeat(1_100_000) });
  expect([answer.status, (answer.json() as { code: string }).code]).toEqual([413, 'BODY_TOO_LARGE']);
});

test('only JSON is read, so that a form of a web page is refused before anything looks at it', async () => {
  const { app, create } = start();
  const { run } = await create();
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    const answer = await app.inject({
      method: 'POST',
      url: `/api/v1/runs/${run.id}/cancel`,
      headers: { 'content-type': type },
      payload: '{}',
    });
    expect(answer.statusCode).toBe(400);
  }
});

test('requests that a web page caused are refused, and so are foreign host names', async () => {
  const { call } = start();
  for (const headers of [
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { host: 'rebound.example' },
    { host: 'localhost.evil.example' },
  ]) {
    const answer = await call('GET', '/api/v1/runs', undefined, headers);
    expect([answer.status, (answer.json() as { code: string }).code]).toEqual([403, 'BROWSER_REFUSED']);
  }
  for (const host of ['localhost:8080', '127.0.0.1:1', '[::1]:9', 'LOCALHOST']) {
    expect((await call('GET', '/api/v1/runs', undefined, { host })).status).toBe(200);
  }
});

test('with a token, every route but health wants exactly that one', async () => {
  const { call } = start({ token: 'a'.repeat(43) });
  for (const [authorization, status] of [
    [undefined, 401],
    ['Bearer wrong', 401],
    [`Basic ${'a'.repeat(43)}`, 401],
    [`Bearer ${'a'.repeat(43)}`, 200],
  ] as const) {
    const headers = authorization === undefined ? {} : { authorization };
    expect((await call('GET', '/api/v1/runs', undefined, headers)).status).toBe(status);
    expect((await call('GET', '/healthz', undefined, headers)).status).toBe(200);
  }
});

test('a server that lives but cannot serve says so at /readyz', async () => {
  const { call } = start({
    ready: async () => {
      throw new BerthError('DATABASE_UNAVAILABLE');
    },
  });
  expect((await call('GET', '/healthz')).status).toBe(200);
  const answer = await call('GET', '/readyz');
  expect([answer.status, (answer.json() as { retryable: boolean }).retryable]).toEqual([503, true]);
});

test('a proposal is shown with its evidence, its diff read, merged once', async () => {
  const plane = new FakeControlPlane({ pace: 0 });
  const app = createApi(plane, { principal: 'tester' });
  apps.push(app);
  const created = await app.inject({
    method: 'POST',
    url: '/api/v1/tasks',
    payload: { repository: '/srv/lib', text: 'fix it' },
  });
  const { run } = created.json() as { run: { id: string } };
  for await (const _ of plane.follow(run.id, 0, new AbortController().signal)) continue;
  const shown = await app.inject({ url: `/api/v1/proposals/${run.id}` });
  expect(shown.json()).toMatchObject({
    verified: true,
    pr: { state: 'open' },
    body: expect.any(String) as unknown,
  });
  const diff = await app.inject({ url: `/api/v1/proposals/${run.id}/diff` });
  expect([diff.headers['content-type'], diff.body.startsWith('diff --git')]).toEqual([
    'text/x-diff; charset=utf-8',
    true,
  ]);
  const merge = async () =>
    app.inject({ method: 'POST', url: `/api/v1/proposals/${run.id}/merge`, payload: {} });
  expect((await merge()).json()).toMatchObject({ pr: { state: 'merged' } });
  expect((await merge()).statusCode).toBe(409);
});

test('every route is described in the OpenAPI 3.1 document, with its problems', async () => {
  const { call } = start();
  const document = (await call('GET', '/api/v1/openapi.json')).json() as {
    openapi: string;
    paths: Record<string, Record<string, { operationId: string; responses: object }>>;
  };
  expect(document.openapi).toBe('3.1.0');
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  expect(operations.map((one) => one.operationId).toSorted()).toMatchInlineSnapshot(`
    [
      "approveGate",
      "branchOffRun",
      "cancelCampaign",
      "cancelRun",
      "changeSchedule",
      "checkConfig",
      "clearSnapshots",
      "closeProposal",
      "configureProject",
      "createCampaign",
      "createSchedule",
      "createTask",
      "createToken",
      "deleteConfigObject",
      "deleteConfigSection",
      "deleteSchedule",
      "doctor",
      "endSession",
      "explainEgress",
      "exportAudit",
      "exportConfig",
      "getCampaign",
      "getConfig",
      "getConfigObject",
      "getConfigSchema",
      "getConfigSection",
      "getDelivery",
      "getEvent",
      "getFile",
      "getGate",
      "getMe",
      "getOutline",
      "getOutput",
      "getProject",
      "getProposal",
      "getProposalDiff",
      "getRun",
      "getRunDiff",
      "getRunState",
      "getSchedule",
      "getTask",
      "getUsage",
      "listAudit",
      "listBudgets",
      "listCampaignResults",
      "listCampaigns",
      "listConfigRevisions",
      "listDeliveries",
      "listEvents",
      "listFiles",
      "listGates",
      "listPeople",
      "listProjects",
      "listProposals",
      "listRuns",
      "listSchedules",
      "listSignInMethods",
      "listSnapshots",
      "listSummaries",
      "listTasks",
      "listTokens",
      "listTriggers",
      "mergeProposal",
      "openTerminal",
      "pauseCampaign",
      "pauseRun",
      "pauseSchedule",
      "putConfigObject",
      "putConfigSection",
      "receiveForgeHook",
      "receiveTriggerHook",
      "refuseGate",
      "resumeCampaign",
      "resumeRun",
      "resumeSchedule",
      "retryCampaign",
      "retryRun",
      "revokeToken",
      "runDeliveryAgain",
      "runSchedule",
      "searchRun",
      "signInByLink",
      "signOut",
      "signOutEverywhere",
      "steerRun",
      "streamAll",
      "streamRun",
      "testTrigger",
      "verifyAudit",
      "verifyRun",
    ]
  `);
  for (const one of operations) expect(Object.keys(one.responses)).toContain('4XX');
});

test('who comes with a token cannot name files of this machine as cassettes', async () => {
  const token = 'x'.repeat(43);
  const { call } = start({ token });
  const ask = async (options: object) =>
    call(
      'POST',
      '/api/v1/tasks',
      { repository: '/srv/lib', text: 'fix it', options },
      { authorization: `Bearer ${token}` },
    );
  for (const options of [{ cassette: '/etc/passwd' }, { record: '/root/.bashrc' }]) {
    const answer = await ask(options);
    expect([answer.status, answer.json()]).toMatchObject([400, { code: 'USAGE' }]);
  }
  expect((await ask({})).status).toBe(201);
});
