import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { makePodNetwork, podNetworkIsMissing } from '../../testing/pod-network.ts';
import { proofScript } from './proof-script.ts';
import { findingOf } from './network-proof.ts';

/** The first line of the script in a network of its own, with this machine as its node. */
async function said(isDenied: boolean): Promise<string> {
  const network = makePodNetwork();
  const node = createServer((socket) => socket.destroy()).listen(0, network.nodeAddress);
  try {
    await once(node, 'listening');
    const { port } = node.address() as AddressInfo;
    if (isDenied) network.deny();
    const targets = [
      { name: 'node', host: network.nodeAddress, port, protocol: 'tcp' },
      { name: 'dns', host: network.nodeAddress, port: 53, protocol: 'dns' },
    ];
    const [program, ...prefix] = network.prefix;
    const child = execFile(program!, [
      ...prefix,
      process.execPath,
      '-e',
      proofScript,
      JSON.stringify(targets),
    ]);
    const [line] = (await once(child.stdout!, 'data')) as [string];
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    await closed;
    return line.trim();
  } finally {
    node.close();
    network.remove();
  }
}

test.skipIf(podNetworkIsMissing !== null)(
  'a probe pod tells what it reached, and when all was closed (root or nftables is missing)',
  async () => {
    expect(await said(true)).toMatch(/^closed \d+$/);
    expect(await said(false)).toBe('open node');
  },
);

test('what probe pods said is told node by node, and no more than was tried', () => {
  const closed = { kind: 'closed', node: 'n1', afterMs: 120 } as const;
  const none = { kind: 'no-node' } as const;
  expect(findingOf([closed, none, none])).toMatchObject({
    state: 'pass',
    sentence: expect.stringMatching(/the node n1 .*120 ms.*No other node/) as string,
  });
  expect(findingOf([closed, { ...closed, node: 'n2' }])).toMatchObject({
    state: 'pass',
    sentence: expect.stringMatching(/2 nodes: n1, n2 .*not all were tried/) as string,
  });
  const open = { kind: 'open', node: 'n2', reached: ['api-server', 'node'] } as const;
  expect(findingOf([closed, open])).toMatchObject({
    state: 'fail',
    sentence: expect.stringContaining('n2 (api-server, node)') as string,
  });
  expect(findingOf([{ ...open, reached: ['node'] }, none])).toMatchObject({
    state: 'fail',
    fix: expect.stringContaining('acceptReachableNode') as string,
  });
  expect(findingOf([none, none])).toMatchObject({ state: 'warn' });
  expect(findingOf([closed, { kind: 'silent', node: 'n3' }])).toMatchObject({
    state: 'warn',
    sentence: expect.stringContaining('n3') as string,
  });
});
