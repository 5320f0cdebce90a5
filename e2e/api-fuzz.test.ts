import { request as httpRequest } from 'node:http';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isErrorCode } from '../packages/server/src/domain/errors/index.ts';
import { startServer, type RunningServer } from '../packages/server/src/main.ts';
import { removeHomes } from '../packages/server/src/testing/remove-homes.ts';
import { seedDatabase } from '../packages/server/src/testing/seed-database.ts';
import { type FuzzedRequest, operationsOf, requestOf } from './support/openapi-requests.ts';
import { repositoryOf, request } from './support/start-run.ts';

/** Requests for each operation; the document decides how many operations there are. */
const requestsEach = 60;
/** An answer that has not begun after this long is a hang, on however busy a machine. */
const patienceMs = 90_000;
/** Operations whose answer never ends, or that look at the whole machine: asked less often. */
const slow = /\/(stream|doctor|verify|export)$/;

const directory = mkdtempSync(join(tmpdir(), 'berth-fuzz-'));
const databaseRoot = join('/var/tmp', `berth-e2e-${process.pid}-${randomBytes(4).toString('hex')}`);
let server: RunningServer;
const known: string[] = ['latest', 'local'];

beforeAll(async () => {
  await seedDatabase({ home: join(directory, 'home'), rootDirectory: databaseRoot });
  server = await startServer({
    home: join(directory, 'home'),
    databaseRoot,
    env: {},
    parts: ['api'],
    onProgress: () => undefined,
  });
  const repository = join(directory, 'sample');
  repositoryOf(repository, { 'README.md': '# sample\n' });
  const { task, run } = await server.controlPlane.createTask(request(repository, {}));
  known.push(task.id, run.id, run.project, repository);
});
afterAll(async () => {
  await server.stop();
  removeHomes(directory);
  rmSync(databaseRoot, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly requestId: string;
  /** Null where the answer goes on for ever. */
  readonly body: string | null;
}

async function ask({ method, url, headers, body }: FuzzedRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      socketPath: server.socketPath,
      path: url,
      method,
      headers: {
        host: 'localhost',
        ...headers,
        ...(body === null ? {} : { 'content-length': Buffer.byteLength(body) }),
      },
      agent: false,
      timeout: patienceMs,
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${patienceMs} ms`)));
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      const type = incoming.headers['content-type'] ?? '';
      const facts = {
        status: incoming.statusCode ?? 0,
        type,
        requestId: String(incoming.headers['x-request-id'] ?? ''),
      };
      if (type.startsWith('text/event-stream')) {
        outgoing.destroy();
        resolve({ ...facts, body: null });
        return;
      }
      const pieces: Buffer[] = [];
      incoming.on('data', (piece: Buffer) => pieces.push(piece));
      incoming.once('error', reject);
      incoming.once('end', () => resolve({ ...facts, body: Buffer.concat(pieces).toString() }));
    });
    outgoing.end(body ?? undefined);
  });
}

test(
  'whatever the document allows, and what it does not, is answered: never a 5xx, never silence',
  { timeout: 600_000 },
  async () => {
    const document = JSON.parse((await ask(plain('GET', '/api/v1/openapi.json'))).body ?? '') as Record<
      string,
      unknown
    >;
    const operations = operationsOf(document);
    expect(operations.length).toBeGreaterThan(15);
    const statuses = new Map<number, number>();
    for (const operation of operations) {
      const runs = slow.test(operation.path) ? 8 : requestsEach;
      await fc.assert(
        fc.asyncProperty(requestOf(operation, document, known), async (fuzzed) => {
          const answer = await ask(fuzzed);
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          judge(answer);
        }),
        { numRuns: runs, seed: 20_261_121, endOnFailure: true },
      );
    }
    // It got through to the handlers, and it was refused: both were tried.
    expect(statuses.get(200) ?? 0).toBeGreaterThan(50);
    expect(statuses.get(400) ?? 0).toBeGreaterThan(50);
  },
);

test('after all that the server is ready, and what was there is as it was', async () => {
  expect((await ask(plain('GET', '/readyz'))).status).toBe(200);
  const { body } = await ask(plain('GET', `/api/v1/tasks/${known[2]}`));
  expect(JSON.parse(body ?? '')).toMatchObject({
    id: known[2],
    runs: expect.arrayContaining([known[3]]) as unknown,
  });
});

function plain(method: string, url: string): FuzzedRequest {
  return { method, url, headers: {}, body: null };
}

function judge({ status, type, requestId, body }: Answer): void {
  if (status >= 500) throw new Error(`${status}: ${body}`);
  expect(requestId).toMatch(/^req_/);
  if (status < 400) return;
  expect(type).toContain('application/problem+json');
  const problem = JSON.parse(body ?? '') as { code: string; status: number; next: unknown };
  expect([problem.code, isErrorCode(problem.code)]).toEqual([problem.code, true]);
  expect(problem.status).toBe(status);
}
