import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decide,
  localPrincipal,
  permissions,
  permissionTable,
  permittedProjects,
  roles,
  sees,
  visibleProjects,
  type Permission,
  type Principal,
  type Role,
} from './access.ts';

const nobody: Principal = {
  ...localPrincipal('ada'),
  kind: 'person',
  id: 'ada@x',
  via: 'oidc',
  globalRole: null,
};
const web = { projectId: 'p-web', ownerId: null };
const own = { projectId: 'p-web', ownerId: 'ada@x' };
const installation = { projectId: null, ownerId: null };

const role = fc.constantFrom<Role | null>(null, ...roles);
const scope = fc.option(
  fc.record({
    projects: fc.option(fc.subarray(['p-web', 'p-api'])),
    permissions: fc.option(fc.subarray([...permissions])),
  }),
);
const principal = fc.record({ globalRole: role, web: role, api: role, scope }).map((one): Principal => ({
  ...nobody,
  globalRole: one.globalRole,
  projectRoles: Object.fromEntries(
    [
      ['p-web', one.web],
      ['p-api', one.api],
    ].filter((entry): entry is [string, Role] => entry[1] !== null),
  ),
  scope: one.scope,
}));
const object = fc.record({
  projectId: fc.constantFrom(null, 'p-web', 'p-api', 'p-none', 'constructor', '__proto__'),
  ownerId: fc.constantFrom(null, 'ada@x', 'bob@x'),
});
const permission = fc.constantFrom(...permissions);

test('a stronger role never may less, and a scope never adds', () => {
  fc.assert(
    fc.property(principal, permission, object, fc.constantFrom(...roles), (who, what, on, more) => {
      const before = decide(who, what, on);
      if (before === 'granted') {
        const stronger = who.globalRole === null || roles.indexOf(more) > roles.indexOf(who.globalRole);
        if (stronger) expect(decide({ ...who, globalRole: more }, what, on)).toBe('granted');
        expect(decide({ ...who, scope: null }, what, on)).toBe('granted');
      }
    }),
  );
});

test('hidden exactly where the project is not seen, and lists agree', () => {
  fc.assert(
    fc.property(principal, permission, object, (who, what, on) => {
      if (on.projectId === null) expect(decide(who, what, on)).not.toBe('hidden');
      else {
        expect(decide(who, what, on) === 'hidden').toBe(!sees(who, on.projectId));
        const visible = visibleProjects(who);
        expect(visible === 'all' || visible.includes(on.projectId)).toBe(sees(who, on.projectId));
      }
    }),
  );
});

test('a list of what is permitted holds exactly the projects where it is granted, at least on own objects', () => {
  fc.assert(
    fc.property(principal, permission, (who, what) => {
      const permitted = permittedProjects(who, what);
      for (const id of ['p-web', 'p-api']) {
        const isIn = permitted === 'all' || permitted.includes(id);
        expect(isIn).toBe(decide(who, what, { projectId: id, ownerId: who.id }) === 'granted');
      }
    }),
  );
});

test('ids that every object inherits name no project', () => {
  for (const projectId of ['constructor', '__proto__', 'toString']) {
    expect(decide(nobody, 'run.read', { projectId, ownerId: nobody.id })).toBe('hidden');
  }
});

test('on own objects a member may what it takes an approver for on others', () => {
  const member = { ...nobody, projectRoles: { 'p-web': 'member' as const } };
  expect(decide(member, 'run.act', own)).toBe('granted');
  expect(decide(member, 'run.act', web)).toBe('denied');
  expect(decide(member, 'gate.decide', own)).toBe('denied');
  expect(decide({ ...member, projectRoles: { 'p-web': 'viewer' } }, 'run.act', own)).toBe('denied');
});

test('a token for some projects says nothing about the installation and other projects', () => {
  const admin: Principal = {
    ...nobody,
    globalRole: 'admin',
    scope: { projects: ['p-web'], permissions: null },
  };
  expect(decide(admin, 'system.read', installation)).toBe('denied');
  expect(decide(admin, 'run.act', web)).toBe('granted');
  expect(decide(admin, 'run.read', { projectId: 'p-api', ownerId: null })).toBe('hidden');
  expect(visibleProjects(admin)).toEqual(['p-web']);
});

test('a role on a project is none on the installation', () => {
  const owner = { ...nobody, projectRoles: { 'p-web': 'admin' as const } };
  for (const what of permissions) expect(decide(owner, what, installation)).toBe('denied');
});

/** The promise, written down a second time: changing the table without changing this is noticed. */
const expected: Readonly<Record<Permission, string>> = {
  'project.read': 'viewer',
  'run.read': 'viewer',
  'usage.read': 'viewer',
  'task.create': 'member',
  'run.act': 'approver, member on own',
  'run.terminal': 'maintainer, member on own',
  'campaign.manage': 'maintainer, member on own',
  'gate.decide': 'approver',
  'proposal.decide': 'approver',
  'schedule.manage': 'maintainer',
  'project.configure': 'maintainer',
  'people.read': 'maintainer',
  'config.read': 'maintainer',
  'system.read': 'maintainer',
  'project.create': 'admin',
  'audit.read': 'admin',
  'people.manage': 'admin',
  'config.write': 'admin',
  'system.operate': 'admin',
};

test('who may what', () => {
  const table = Object.fromEntries(
    permissions.map((what) => {
      const { from, own: ownFrom } = permissionTable[what];
      return [what, ownFrom === undefined ? from : `${from}, ${ownFrom} on own`];
    }),
  );
  expect(table).toEqual(expected);
});
