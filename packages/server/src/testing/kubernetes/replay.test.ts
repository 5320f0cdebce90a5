import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApiServer, type TestApiServer } from './api-server.ts';

/** Recordings of a real cluster (Kubernetes 1.36). `BERTH_K8S_TRANSCRIPTS` names another place with the same files. */
const directory = process.env['BERTH_K8S_TRANSCRIPTS'] ?? join(import.meta.dirname, 'transcripts');

interface Answer {
  readonly message?: string;
  readonly metadata?: { readonly resourceVersion?: string };
}

interface Exchange {
  readonly note?: string;
  readonly request: {
    readonly as: string;
    readonly method: string;
    readonly path: string;
    readonly headers?: { readonly Accept?: string };
    readonly body?: unknown;
  };
  readonly response: { readonly status: number; readonly body?: Answer };
}

/** Recordings whose requests are of pods, and whose answers do not depend on what stood before. */
const files = ['create-refused-podsecurity.json', 'unauthorized.json', 'forbidden.json', 'get.json'];

const covered = ({ request: sent, response }: Exchange): boolean =>
  ['driver', 'bad', 'audience', 'gone'].includes(sent.as) &&
  ['GET', 'POST', 'DELETE'].includes(sent.method) &&
  /^\/api\/v1\/namespaces\/[^/]+\/pods(\/[^/]+(\/log)?)?(\?|$)/.test(sent.path) &&
  response.status >= 400;

describe('the API server of the tests', () => {
  let server: TestApiServer;
  beforeAll(async () => {
    server = await startApiServer();
  });
  afterAll(async () => {
    await server?.close();
  });

  test.each(files)('answers as recorded: %s', async (file) => {
    const { exchanges } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as {
      exchanges: Exchange[];
    };
    const wanted = exchanges.filter(covered);
    expect(wanted.length).toBeGreaterThan(0);
    const got: unknown[] = [];
    for (const exchange of wanted) {
      const { status, body } = await send(server, exchange);
      got.push({ status, message: body.message });
    }
    expect(got).toEqual(
      wanted.map(({ response }) => ({ status: response.status, message: response.body?.message })),
    );
  });

  test('lists nothing as recorded: null where metadata was asked for', async () => {
    const recorded = readFileSync(join(directory, 'list-metadata-empty.json'), 'utf8');
    const { exchanges } = JSON.parse(recorded) as { exchanges: Exchange[] };
    for (const exchange of exchanges) {
      const { body } = await send(server, exchange);
      const { resourceVersion } = body.metadata ?? {};
      expect(resourceVersion).toMatch(/^\d+$/);
      expect(body).toEqual({ ...exchange.response.body, metadata: { resourceVersion } });
    }
  });
});

function send(server: TestApiServer, { request: sent }: Exchange): Promise<{ status: number; body: Answer }> {
  const token = sent.as === 'driver' ? 'test-token-of-the-driver' : 'another';
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port: server.port,
        path: sent.path,
        method: sent.method,
        ca: readFileSync(server.caFile),
        headers: { ...sent.headers, Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        answer.on('end', () => {
          resolve({ status: answer.statusCode!, body: JSON.parse(text) as Answer });
        });
      },
    );
    asked.on('error', reject);
    asked.end(sent.body === undefined ? undefined : JSON.stringify(sent.body));
  });
}
