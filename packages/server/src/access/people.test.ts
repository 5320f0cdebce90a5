import { expect, test } from 'vitest';
import { configSchema } from '../domain/config/index.ts';
import { testDatabase } from '../testing/database.ts';
import { signInWorld } from '../testing/sign-in-world.ts';
import { listPeople } from './people.ts';

const database = testDatabase();

test('each role says where it comes from', () => {
  const config = configSchema.parse({
    version: 1,
    people: [
      { id: 'anna@example.com', name: 'Anna', projects: { web: 'approver' } },
      { id: 'gone@example.com', role: 'admin', disabled: true },
    ],
    groups: [{ name: 'ops', claims: ['g-ops'], role: 'maintainer' }],
    serviceAccounts: [{ name: 'ci', projects: { web: 'member' } }],
  });
  const sources = { 'people/anna@example.com': 'file' } as const;
  const seen = [
    { id: 'anna@example.com', name: 'A', via: 'oidc', claims: ['g-ops'], lastSeenAt: new Date(0) },
    { id: 'new@example.com', name: 'New', via: 'oidc', claims: [], lastSeenAt: new Date(1) },
  ];
  const people = listPeople({ number: 1, config, sources }, seen);
  expect(
    people.map(({ id, source, disabled, roles }) => [
      id,
      source,
      disabled,
      roles.map((role) => role.sentence),
    ]),
  ).toEqual([
    [
      'anna@example.com',
      'file',
      false,
      ['approver on web, given in person', 'maintainer on every project, as a member of the group ops'],
    ],
    ['gone@example.com', 'default', true, []],
    ['new@example.com', 'sign-in', false, []],
    ['service:ci', 'default', false, ['member on web, given in person']],
  ]);
  expect(people[0]).toMatchObject({ name: 'Anna', via: 'oidc', lastSeenAt: new Date(0) });
});

test('people are read by maintainers of the installation, not by others', async () => {
  const secret = 'a secret that only the proxy knows';
  const world = signInWorld(database.db, {
    signIn: { trustedHeader: { secret: '${env:PROXY}' } },
    people: [
      { id: 'boss@example.com', role: 'maintainer' },
      { id: 'anna@example.com', role: 'approver', projects: { web: 'maintainer' } },
    ],
  });
  world.secrets['${env:PROXY}'] = secret;
  const ask = (user: string) =>
    world.browser().get('/api/v1/people', { 'x-berth-proxy-secret': secret, 'x-forwarded-user': user });
  expect((await ask('anna@example.com')).json()).toMatchObject({ code: 'FORBIDDEN' });
  const answer = (await ask('boss@example.com')).json<{ people: object[] }>();
  expect(answer.people).toMatchObject([
    { id: 'anna@example.com', lastSeenAt: expect.any(String) },
    { id: 'boss@example.com', via: 'trusted-header', lastSeenAt: expect.any(String) },
  ]);
  await world.close();
});
