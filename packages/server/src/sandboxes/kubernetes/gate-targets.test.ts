import { describe, expect, test } from 'vitest';
import { podProfile, podSandboxSpec } from '../../testing/kubernetes/pod-plan.ts';
import { gateTargets } from './from-environment.ts';
import { gateFor } from './programs.ts';

const credentials = { server: 'https://10.0.0.1:6443' };
const eth0 = {
  address: '10.244.1.7',
  internal: false,
  family: 'IPv4' as const,
  netmask: '',
  mac: '',
  cidr: null,
};
const lo = { ...eth0, address: '127.0.0.1', internal: true };
const link = { ...eth0, address: 'fe80::1', family: 'IPv6' as const, scopeid: 2 };
const interfaces = () => ({ lo: [lo], eth0: [link, eth0] });

describe('what a sandbox must not reach', () => {
  test.each([
    ['by its URL', { BERTH_INTERNAL_URL: 'https://10.1.2.3:7444' }, { host: '10.1.2.3', port: 7_444 }],
    [
      'by a name in its URL, which is nothing a sandbox could resolve',
      { BERTH_INTERNAL_URL: 'https://berth-worker-0.berth:7444', BERTH_INTERNAL_LISTEN: '0.0.0.0:7444' },
      { host: '10.244.1.7', port: 7_444 },
    ],
    ['where it listens', { BERTH_INTERNAL_LISTEN: '[::]:7444' }, { host: '10.244.1.7', port: 7_444 }],
    ['at one address', { BERTH_INTERNAL_LISTEN: '10.9.9.9:1' }, { host: '10.9.9.9', port: 1 }],
    ['on loopback', { BERTH_INTERNAL_LISTEN: '127.0.0.1:7444' }, null],
    ['on a port nobody knows yet', { BERTH_INTERNAL_LISTEN: '0.0.0.0:0' }, null],
    ['nowhere', {}, null],
  ])('names the worker %s', (_title, env, expected) => {
    const worker = gateTargets(credentials, env, interfaces).find(({ name }) => name === 'worker');
    expect(worker ?? null).toEqual(
      expected === null ? null : { name: 'worker', ...expected, protocol: 'tcp' },
    );
  });

  test('is the own node too, unless the profile accepts it; nothing where nothing is to be proved', () => {
    const targets = gateTargets(credentials, {}, interfaces);
    const names = (change: object): string[] =>
      gateFor(
        podSandboxSpec({ profile: podProfile({ kubernetes: { ...defaults, ...change } }) }),
        targets,
      ).map(({ name }) => name);
    const defaults = podProfile().kubernetes;
    expect(names({})).toEqual(['api-server', 'metadata', 'node']);
    expect(names({ acceptReachableNode: true })).toEqual(['api-server', 'metadata']);
    expect(names({ acceptUnprovenNetworkPolicy: true })).toEqual([]);
    expect(gateFor(podSandboxSpec(), [])).toEqual([]);
  });
});
