import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { covers, deniedBy, hostMatches, type EgressRule } from '../domain/egress.ts';
import { cert, connectTo, get, knock, makeDoor, rule, tlsPort } from '../testing/egress-door.ts';
import { readAll, readUntil, tlsOver } from '../testing/egress-world.ts';
import { decide } from './decide.ts';

const none = new Map();
const npm = new Map([['npm', [{ host: 'registry.example', port: 443 }]]] as const);

test('deny is stronger than every rule, also than an ecosystem', () => {
  const rules: EgressRule[] = [rule('*.example', 443), { ecosystem: 'npm' }];
  const deny = ['registry.example', '*.bad.example'];
  const ask = (host: string) => decide({ rules, deny }, npm, { host, port: 443 });
  expect(ask('good.example').allowed).toBe(true);
  expect(ask('bad.example').allowed).toBe(true);
  expect(ask('a.bad.example')).toEqual({
    allowed: false,
    reason: 'a.bad.example:443 is denied by the configuration (*.bad.example)',
  });
  expect(ask('registry.example').allowed).toBe(false);
});

test('every ceiling has to allow what a rule opens', () => {
  const ceilings = [[rule('*.example', 443)], [rule('one.example', 443), rule('two.example', 443)]];
  const ask = (host: string) =>
    decide({ rules: [rule('*.example', 443)], ceilings }, none, { host, port: 443 });
  expect(ask('one.example').allowed).toBe(true);
  expect(ask('three.example')).toMatchObject({
    allowed: false,
    reason: expect.stringContaining('not within what'),
  });
  expect(
    decide({ rules: [rule('one.example', 443)], ceilings: [[]] }, none, { host: 'one.example', port: 443 })
      .allowed,
  ).toBe(false);
});

const label = fc.constantFrom('a', 'b', 'example');
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const pattern = fc.tuple(fc.boolean(), name).map(([wide, text]) => (wide ? `*.${text}` : text));
const anyRule = fc
  .tuple(pattern, fc.uniqueArray(fc.constantFrom(80, 443, 22), { minLength: 1 }))
  .map(([host, ports]) => rule(host, ...ports));

test('a rule that a ceiling covers opens nothing that the ceiling does not, whatever the host', () => {
  fc.assert(
    fc.property(
      fc.array(anyRule, { maxLength: 4 }),
      anyRule,
      name,
      fc.constantFrom(80, 443, 22),
      (ceiling, one, host, port) => {
        if (!covers(ceiling, one)) return;
        const open = decide({ rules: [one] }, none, { host, port }).allowed;
        expect(decide({ rules: [one], ceilings: [ceiling] }, none, { host, port }).allowed).toBe(open);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('what is denied by its pattern is denied for every host it means', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 3 }), pattern, name, (deny, one, host) => {
      if (deniedBy(deny, one) === null || !hostMatches(one, host)) return;
      expect(decide({ rules: [rule(one, 443)], deny }, none, { host, port: 443 }).allowed).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test('a host that is denied while a tunnel to it is open is cut at once, and refused from then on', async () => {
  const rules = [rule('allowed.example', tlsPort)];
  const door = makeDoor(rules);
  const inside = knock(door, connectTo(`allowed.example:${tlsPort}`));
  await readUntil(inside, '\r\n\r\n');
  const tls = await tlsOver(inside, 'allowed.example', cert);
  if (tls instanceof Error) throw tls;
  tls.on('error', () => undefined);
  tls.write(get('/', 'allowed.example'));
  await readUntil(tls, 'secure allowed.example');
  const closed = new Promise((resolve) => tls.once('close', resolve));
  door.setPolicy({ rules, deny: ['*.example'] });
  await closed;
  expect(await readAll(knock(door, connectTo(`allowed.example:${tlsPort}`)))).toContain(
    'denied by the configuration',
  );
});
