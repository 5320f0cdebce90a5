import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startApiServer, type TestApiServer } from '../../testing/kubernetes/api-server.ts';
import { testClock } from '../../testing/test-clock.ts';
import { podClient, type PodClient } from './client.ts';
import { loadCredentials, openConnection, type ApiConnection } from './connection.ts';
import { installationSelector, label } from './labels.ts';

let server: TestApiServer;
let connection: ApiConnection;
let client: PodClient;
const selector = installationSelector('mine');

beforeAll(async () => {
  server = await startApiServer();
  connection = openConnection(await loadCredentials(server.kubeconfig));
  client = podClient({ connection, namespace: server.namespace, clock: testClock });
});
afterAll(async () => {
  connection.close();
  await server.close();
});

beforeEach(() => {
  for (const pod of server.store.all()) server.store.remove(pod.metadata!.uid!);
  server.asked.length = 0;
});

function fill(installation: string, count: number): void {
  for (let n = 0; n < count; n += 1)
    server.store.add({
      metadata: {
        name: `sandbox-${installation}-${String(n).padStart(4, '0')}`,
        labels: { [label.installation]: installation },
      },
      spec: { containers: [] },
    });
}

async function names(pages: AsyncGenerator<readonly { metadata?: { name?: string } }[]>): Promise<string[]> {
  const found: string[] = [];
  for await (const page of pages) found.push(...page.map(({ metadata }) => metadata!.name!));
  return found;
}

const soon = (): AbortSignal => AbortSignal.timeout(30_000);

test('lists all pods of the installation, page by page, and only their metadata', async () => {
  fill('mine', 1_203);
  fill('other', 30);
  const pages = client.pages(selector, soon());
  const first = await pages.next();
  const sizes = [(first.value as readonly object[]).length];
  expect(first.value?.[0]).not.toHaveProperty('spec');
  for await (const page of pages) sizes.push(page.length);
  expect(sizes).toEqual([500, 500, 203]);
  expect(server.asked).toEqual(['list pods', 'list pods', 'list pods']);
  const { pods, resourceVersion } = await client.list(selector, soon());
  expect(pods).toHaveLength(1_203);
  expect(pods[0]).toHaveProperty('spec');
  expect(resourceVersion).toBe(String(server.store.version));
  expect(server.uncovered).toEqual([]);
});

test('a list that expires between its pages begins again: nothing that is there is left out', async () => {
  fill('mine', 1_203);
  const found = new Set<string>();
  let isFirst = true;
  for await (const page of client.pages(selector, soon())) {
    for (const { metadata } of page) found.add(metadata!.name!);
    if (isFirst) server.store.compact();
    isFirst = false;
  }
  expect(found.size).toBe(1_203);
  expect(server.asked).toHaveLength(5);
});

test('one that always expires ends with a code', async () => {
  fill('mine', 600);
  const expire = (async () => {
    for await (const _page of client.pages(selector, soon())) server.store.compact();
  })();
  await expect(expire).rejects.toMatchObject({ code: expect.stringContaining('SANDBOX_CLUSTER') as string });
  expect((await names(client.pages(selector, soon()))).length).toBe(600);
});

test('nothing is listed where there is nothing', async () => {
  fill('other', 3);
  expect(await names(client.pages(selector, soon()))).toEqual([]);
  expect((await client.list(selector, soon())).pods).toEqual([]);
});
