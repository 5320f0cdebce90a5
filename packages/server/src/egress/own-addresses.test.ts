import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import type { EgressRule } from '../domain/egress.ts';
import { closing, decisions, get, knock, makeDoor } from '../testing/egress-door.ts';
import { httpServer, listen, readAll } from '../testing/egress-world.ts';
import { isOwnAddress, readOwnAddresses } from './own-addresses.ts';

const mine = Object.values(networkInterfaces())
  .flatMap((one) => one ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

test('all interfaces count but loopback, in every spelling', () => {
  const of = (address: string, internal = false) => ({ address, internal }) as never;
  const own = readOwnAddresses(() => ({
    lo: [of('127.0.0.1', true), of('::1', true), of('10.9.9.9', true)],
    eth0: [of('10.1.2.3'), of('2001:DB8:0:0::7'), of('fe80::1%eth0')],
  }));
  expect([...own].toSorted()).toEqual(['10.1.2.3', '10.9.9.9', '2001:db8::7', 'fe80::1']);
  for (const spelling of [
    '10.1.2.3',
    '::ffff:10.1.2.3',
    '64:ff9b::a01:203',
    '2002:a01:203::',
    '2001:db8:0::7',
  ])
    expect([spelling, isOwnAddress(own, spelling)]).toEqual([spelling, true]);
  expect(isOwnAddress(own, '10.1.2.4')).toBe(false);
});

test('an address of the worker is refused whatever a wide rule says, and reached where a rule names it', async () => {
  const server = httpServer((request, response) => response.end(`reached ${request.headers.host}`));
  const port = await listen(server);
  const wide: EgressRule[] = [
    { host: 'allowed.example', ports: [port], internal: true },
    { cidr: '127.0.0.0/8', ports: [port] },
    { cidr: '10.0.0.0/8', ports: [port] },
  ];
  // Loopback stands for an interface here: its ranges are not refused by this door.
  const door = (rules: readonly EgressRule[], own = '127.0.0.1') =>
    makeDoor(rules, { ownAddresses: () => new Set([own]) });
  const ask = (at: ReturnType<typeof door>, host: string) =>
    readAll(knock(at, get(`http://${host}:${port}/`, `${host}:${port}`, closing)));
  const sentence = 'an address of the worker itself';
  expect(await ask(door(wide), 'allowed.example')).toContain(sentence);
  expect(decisions[0]).toMatchObject({ allowed: false, reason: expect.stringContaining(sentence) });
  expect(await ask(door(wide, '127.0.0.2'), 'allowed.example')).toContain('reached allowed.example');
  server.close();
});

test.skipIf(mine === undefined)(
  'the real interface is found, closed to wide rules and opened by one that names exactly it (a network interface)',
  async () => {
    const server = httpServer((_request, response) => response.end('reached'));
    const port = await listen(server, mine);
    const ask = (rules: EgressRule[], host: string) =>
      readAll(
        knock(
          makeDoor(rules, { resolve: async () => [mine!] }),
          get(`http://${host}:${port}/`, `${host}:${port}`, closing),
        ),
      );
    const all: EgressRule = { cidr: '0.0.0.0/0', ports: [port] };
    const exact: EgressRule = { cidr: `${mine}/32`, ports: [port] };
    const named: EgressRule = { host: 'allowed.example', ports: [port] };
    const refused = 'an address of the worker itself';
    expect(await ask([{ ...named, internal: true }], 'allowed.example')).toContain(refused);
    expect(await ask([all], mine!)).toContain(refused);
    expect(await ask([named, all], 'allowed.example')).toContain(refused);
    expect(await ask([exact], mine!)).toContain('reached');
    expect(await ask([named, exact], 'allowed.example')).toContain('reached');
    expect(await ask([{ ...exact, ports: [port + 1] }, all], mine!)).toContain(refused);
    server.close();
  },
);
