import type { FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { localPrincipal, type Principal } from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { AuditAct, AuditReader, AuditSink } from '../../domain/ports/audit.ts';
import type { ControlPlane } from '../../domain/ports/control-plane.ts';
import { FakeControlPlane } from '../../testing/fake-control-plane.ts';
import { createApi } from '../create-api.ts';
import { actionOf } from './audit-acts.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

interface Seen {
  readonly act: Partial<AuditAct>;
  readonly end: object | null;
}

/** A record that remembers; `isAway` refuses everything, as it does while the database is away. */
class MemoryRecord implements AuditSink {
  readonly seen: Seen[] = [];
  isAway = false;
  order: string[] = [];

  async record(act: AuditAct): Promise<void> {
    this.seen.push({ act, end: null });
  }

  async begin(act: Omit<AuditAct, 'result' | 'code'>) {
    if (this.isAway) throw new BerthError('DATABASE_UNAVAILABLE');
    const place = this.seen.push({ act, end: null }) - 1;
    this.order.push('begin');
    return {
      end: async (end: object) => {
        if (this.isAway) throw new BerthError('DATABASE_UNAVAILABLE');
        this.order.push('end');
        this.seen[place] = { act, end };
      },
    };
  }
}

function start(principal: Partial<Principal> = {}) {
  const plane = new FakeControlPlane({ pace: 0, worker: false });
  const record = new MemoryRecord();
  const who: Principal = { ...localPrincipal('anna'), ...principal };
  const app = createApi(plane, {
    authenticate: async () => who,
    audit: { sink: record, reader: {} as AuditReader },
  });
  apps.push(app);
  const call = (method: 'GET' | 'POST', url: string, body?: object) =>
    app.inject({ method, url: `/api/v1${url}`, ...(body === undefined ? {} : { payload: body }) });
  return { plane, record, call, app };
}

const task = { repository: '/srv/lib', text: 'fix it' };

test('what changes something is on record before it happens, with how it ended and what was made', async () => {
  const { plane, record, call } = start();
  const created = await call('POST', '/tasks', task);
  const { task: made, run } = created.json<{ task: { id: string }; run: { id: string } }>();
  expect(record.seen).toMatchObject([
    {
      act: { by: 'anna', byKind: 'local', action: 'task.create', via: 'socket' },
      end: { result: 'allowed', code: null, object: { kind: 'task', id: made.id } },
    },
  ]);
  plane.cancel = async () => {
    record.order.push('cancel');
    throw new BerthError('CONFLICT');
  };
  record.order = [];
  expect((await call('POST', `/runs/${run.id}/cancel`)).statusCode).toBe(409);
  expect(record.order).toEqual(['begin', 'cancel', 'end']);
  expect(record.seen[1]).toMatchObject({
    act: { action: 'run.cancel', object: { kind: 'run', id: run.id } },
    end: { result: 'failed', code: 'CONFLICT' },
  });
  await call('GET', `/runs/${run.id}`);
  expect(record.seen).toHaveLength(2);
});

test('what cannot be recorded is not done', async () => {
  const { plane, record, call } = start();
  record.isAway = true;
  const answer = await call('POST', '/tasks', task);
  expect(answer.statusCode).toBe(503);
  expect(plane.acts).toEqual([]);
});

test('what was done stays done when its end cannot be recorded', async () => {
  const { plane, record, call } = start();
  const { run } = (await call('POST', '/tasks', task)).json<{ run: { id: string } }>();
  const cancel = plane.cancel.bind(plane);
  plane.cancel = async (id, by) => {
    record.isAway = true;
    return cancel(id, by);
  };
  expect((await call('POST', `/runs/${run.id}/cancel`)).statusCode).toBe(200);
  expect(record.seen[1]!.end).toBeNull();
});

test('denials are on record, also of reading, and a hidden foreign object is told from one that is not there', async () => {
  const { record, call, plane } = start({
    id: 'vera@example.org',
    kind: 'person',
    globalRole: null,
    projectRoles: { 'p-own': 'viewer' },
  });
  expect((await call('GET', '/doctor')).statusCode).toBe(403);
  expect(record.seen).toMatchObject([
    { act: { by: 'vera@example.org', action: 'doctor.use', result: 'denied', code: 'FORBIDDEN' } },
  ]);
  const locate: ControlPlane['locate'] = async (_kind, text, visible) => {
    if (text === 'r-foreign' && visible === 'all')
      return { id: 'r-foreign1', projectId: 'p-x', ownerId: null };
    if (text === 'r-own') return { id: 'r-own', projectId: 'p-own', ownerId: 'somebody' };
    throw new BerthError('NOT_FOUND');
  };
  Object.assign(plane, { locate });
  expect((await call('GET', '/runs/r-foreign')).statusCode).toBe(404);
  expect((await call('POST', '/runs/r-foreign/cancel')).statusCode).toBe(404);
  expect((await call('GET', '/runs/r-nothing')).statusCode).toBe(404);
  expect((await call('POST', '/runs/r-own/cancel')).statusCode).toBe(403);
  await expect.poll(() => record.seen.length).toBe(4);
  expect(record.seen.slice(1).map((one) => one.act)).toMatchObject([
    { action: 'run.get', result: 'denied', object: { id: 'r-foreign1', projectId: 'p-x' } },
    { action: 'run.cancel', result: 'denied', object: { id: 'r-foreign1' } },
    {
      action: 'run.cancel',
      result: 'denied',
      code: 'FORBIDDEN',
      object: { id: 'r-own', projectId: 'p-own' },
    },
  ]);
  expect(record.seen.every((one) => one.end === null)).toBe(true);
});

test('every route that changes something has an action by its operation id', async () => {
  const { app } = start();
  await app.ready();
  expect(app.routeTable.length).toBeGreaterThan(10);
  expect(actionOf(undefined, { operationId: 'cancelRun' })).toBe('run.cancel');
  expect(actionOf(undefined, { operationId: 'createServiceAccount' })).toBe('service_account.create');
  expect(actionOf({ action: 'session.end' }, { operationId: 'signOut' })).toBe('session.end');
  expect(actionOf(undefined, {})).toBeNull();
  const { app: other } = start();
  void other.register(async (more) => {
    more.post('/x', { config: { access: { kind: 'signed-in' } } }, async () => null);
  });
  await expect(other.ready()).rejects.toThrow(/neither an operation id nor an action/);
});
