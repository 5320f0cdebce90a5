import { expect, test } from 'vitest';
import type { EgressRule } from '../domain/egress.ts';
import type { EgressQuestion } from '../domain/egress-explained.ts';
import type { EcosystemSource } from './ecosystems.ts';
import { explainEgress, type ExplainInput } from './explain.ts';

const open = (host: string, more: Partial<Extract<EgressRule, { host: string }>> = {}): EgressRule => ({
  host,
  ports: [443],
  ...more,
});
const source: EcosystemSource = {
  facts: async (ecosystem) => ({
    hosts: async () => (ecosystem === 'npm' ? [{ host: 'registry.example', port: 443 }] : []),
    env: {},
  }),
};
const asked: string[] = [];

function explain(question: Partial<EgressQuestion>, more: Partial<ExplainInput> = {}) {
  asked.length = 0;
  const none = { setup: [], agent: [], check: [], verify: [] };
  return explainEgress({
    project: 'web',
    question: { host: 'a.example', port: 443, ...question },
    bounds: {},
    ceilingLayers: [],
    credentials: [],
    ecosystems: source,
    resolve: async (host) => {
      asked.push(host);
      return ['93.184.216.34', '10.0.0.5'];
    },
    ...more,
    layers: { ...none, ...more.layers },
  });
}
const layers = (agent: readonly EgressRule[], setup: readonly EgressRule[] = []): ExplainInput['layers'] => ({
  setup: [{ layer: 'blueprint', rules: setup }],
  agent: [
    { layer: 'blueprint', rules: [] },
    { layer: 'project', rules: agent },
  ],
  check: [],
  verify: [],
});

test('each step says which rule of which layer decides, and what is read', async () => {
  const found = await explain(
    {},
    { layers: layers([open('a.example', { methods: ['GET'] })], [open('*.example')]) },
  );
  expect(
    found.steps.map(({ step, allowed, layer, rule, contents }) => [step, allowed, layer, rule, contents]),
  ).toEqual([
    ['setup', true, 'blueprint', 'host *.example', 'tunnel'],
    ['agent', true, 'project', 'host a.example', 'inspect'],
    ['check', false, 'none', null, null],
    ['verify', false, 'none', null, null],
  ]);
  expect(found.addresses).toEqual([
    { address: '93.184.216.34', refused: null },
    { address: '10.0.0.5', refused: '10.0.0.0/8 (private), by egress.refusedRanges' },
  ]);
});

test('nobody is asked for the address of what no step may reach', async () => {
  const found = await explain({ host: 'other.example' }, { layers: layers([open('a.example')]) });
  expect(found).toMatchObject({ addresses: [], unresolved: 'no step may connect, so nobody asked' });
  expect(asked).toEqual([]);
});

test('deny and ceilings are named as what decides', async () => {
  const own = layers([open('a.example')]);
  const step = async (more: Partial<ExplainInput>, question: Partial<EgressQuestion> = {}) =>
    (await explain({ step: 'agent', ...question }, { layers: own, ...more })).steps[0];
  expect(await step({ bounds: { deny: ['*.example'] } })).toMatchObject({
    allowed: false,
    layer: 'deny',
    rule: 'host a.example',
  });
  const ceilings = [[open('*.example')], [open('b.example')]];
  expect(await step({ bounds: { ceilings }, ceilingLayers: ['installation', 'project'] })).toMatchObject({
    allowed: false,
    layer: 'project',
  });
  const read = [[open('*.example', { methods: ['GET'] })]];
  const bounded = { bounds: { ceilings: read }, ceilingLayers: ['installation'] as const };
  expect(await step(bounded, { method: 'POST' })).toMatchObject({
    allowed: false,
    layer: 'installation',
    reason: expect.stringContaining('POST'),
  });
  expect(await step(bounded, { method: 'GET' })).toMatchObject({ allowed: true, contents: 'inspect' });
});

test('requests are judged where they are read, ecosystems and credentials are named, queries are not repeated', async () => {
  const npm = await explain(
    { host: 'registry.example', step: 'setup', method: 'PUT', path: '/x?token=s3cret' },
    { layers: layers([], [{ ecosystem: 'npm' }]) },
  );
  expect(npm.steps[0]).toMatchObject({ allowed: false, layer: 'ecosystem', rule: 'ecosystem npm' });
  expect(JSON.stringify(npm)).not.toContain('s3cret');
  const credentials = [
    {
      name: 'api',
      host: 'a.example',
      port: 443,
      paths: ['/v1'],
      placement: { in: 'basic', username: 'u' },
      placeholder: '',
    },
  ] as const;
  const own = { layers: layers([open('a.example')]), credentials };
  const of = async (path: string) => (await explain({ step: 'agent', path }, own)).steps[0];
  expect(await of('/v1/x')).toMatchObject({ allowed: true, contents: 'inspect', credential: 'api' });
  expect(await of('/v2')).toMatchObject({ allowed: true, credential: null });
  expect(await of('/v1/../v2')).toMatchObject({
    allowed: false,
    reason: expect.stringContaining('more than one way'),
  });
});

test('a host whose every address is refused is refused, unless the configuration leads inside', async () => {
  const inside = { resolve: async () => ['10.0.0.5'] };
  const of = async (rule: EgressRule, address = '10.0.0.5') =>
    (await explain({ step: 'agent' }, { ...inside, resolve: async () => [address], layers: layers([rule]) }))
      .steps[0];
  expect(await of(open('a.example'))).toMatchObject({
    allowed: false,
    layer: 'range',
    reason: expect.stringContaining('10.0.0.0/8'),
  });
  expect(await of(open('a.example', { internal: true }))).toMatchObject({ allowed: true });
  expect(await of(open('a.example', { internal: true }), '169.254.169.254')).toMatchObject({
    allowed: false,
    reason: expect.stringContaining('nothing opens'),
  });
});

test('a host that is none is refused as that', async () => {
  await expect(explain({ host: 'a b' })).rejects.toMatchObject({ code: 'USAGE' });
});
