import type { FastifyInstance } from 'fastify';
import type { RouteEntry } from '../api/access/authorise.ts';
import { createApi } from '../api/create-api.ts';
import { roles, type Permission, type Principal, type Role } from '../domain/access.ts';
import { BerthError } from '../domain/errors/index.ts';
import { objectKinds, type Located, type ObjectKind } from '../domain/ports/control-plane.ts';
import { runOptionsSchema } from '../domain/task.ts';
import type { Database } from '../store/database.ts';
import { createTask } from '../store/runs/create-task.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { accessWorld, type AccessWorld } from './access-world.ts';
import { testProjection } from './project-run.ts';

/** Kinds of objects that are really made here; the others answer through a locator that keeps the port's contract. */
export const realKinds: readonly ObjectKind[] = ['project', 'task', 'run', 'proposal'];

export type Objects = Readonly<Record<ObjectKind, string>>;
/** A person of the configuration, or a token by its purpose. */
export type Who = { readonly person: string } | { readonly token: string };

export interface AccessMatrix {
  readonly world: AccessWorld;
  /** Routes are entered up to their handler and no further: nothing is changed by asking. */
  readonly gates: FastifyInstance;
  /** In the project `web`, handed in by somebody; by the member; and in a project nobody here has a role on. */
  readonly ours: Objects;
  readonly members: Objects;
  readonly foreign: Objects;
  /** What must not stand in any answer to who has no role on the foreign project. */
  readonly foreignMarks: readonly string[];
  /** `granted`: the handler would have run. */
  enter(route: RouteEntry, who: Who, objects: Objects | string): Promise<string>;
  /** The whole way, handler included, over the real entrance. */
  ask(
    method: string,
    url: string,
    who: Who,
    payload?: object,
  ): Promise<{ readonly status: number; readonly text: string }>;
  close(): Promise<void>;
}

export const person = (role: Role): string => `${role}@example.org`;
const plenty = { perSecond: 1e6, burst: 1e6 };

/**
 * Two projects with objects, somebody in each role, and tokens: `all` (a maintainer's, unnarrowed), `web only` (an
 * admin's), `other project` (a maintainer's, for the foreign one), and one of an admin for each permission alone.
 */
export async function accessMatrix(db: Database, permissions: readonly Permission[]): Promise<AccessMatrix> {
  const world = accessWorld(db, {
    people: [
      ...roles.map((role) => ({ id: person(role), projects: { web: role } })),
      { id: 'everywhere@example.org', role: 'admin' },
      { id: 'stranger@example.org' },
    ],
  });
  const ours = await makeObjects(db, 'web', 'somebody@example.org');
  const members = await makeObjects(db, 'web', person('member'));
  // The newest run of all is a foreign one: `latest` must not find it.
  const foreign = await makeObjects(db, 'vault', 'keeper@example.org');
  const secrets = new Map<string, string>();
  const principals = new Map<string, Principal>();
  const token = async (
    purpose: string,
    ownerId: string,
    scope: {
      readonly projects: readonly string[] | null;
      readonly permissions: readonly Permission[] | null;
    },
  ): Promise<void> => {
    const owner = await world.person(ownerId);
    const made = await world.tokens.create(owner, { purpose, ...scope, days: 1, serviceAccount: null });
    secrets.set(purpose, made.secret);
    principals.set(purpose, { ...owner, via: 'token', tokenId: made.token.id, sessionId: null, scope });
  };
  await token('all', person('maintainer'), { projects: null, permissions: null });
  await token('web only', 'everywhere@example.org', { projects: [ours.project], permissions: null });
  await token('other project', person('maintainer'), { projects: [foreign.project], permissions: null });
  for (const permission of permissions) {
    await token(permission, 'everywhere@example.org', { projects: null, permissions: [permission] });
  }

  const made = new Map<string, Located>();
  for (const [objects, ownerId] of [
    [ours, null],
    [members, person('member')],
    [foreign, null],
  ] as const) {
    for (const id of Object.values(objects)) made.set(id, { id, projectId: objects.project, ownerId });
  }
  const gates = createApi(
    {
      ...world.controlPlane,
      async locate(kind, text, visible) {
        if (realKinds.includes(kind)) return world.controlPlane.locate(kind, text, visible);
        const found = made.get(text);
        if (found?.projectId == null || (visible !== 'all' && !visible.includes(found.projectId))) {
          throw new BerthError('NOT_FOUND', `There is no ${kind} ${text}.`);
        }
        return found;
      },
    },
    {
      authenticate: async ({ headers }) =>
        principals.get(String(headers['x-test-token'])) ?? world.person(String(headers['x-test-person'])),
      rates: { reads: plenty, writes: plenty, unknown: plenty },
    },
  );
  // Who may is decided before any handler; what a handler wants of a body is not what is asked here.
  gates.setValidatorCompiler(() => () => true);
  gates.addHook('preHandler', async (_, reply) => reply.code(299).send('"entered"'));
  await gates.ready();
  await world.app.ready();

  return {
    world,
    gates,
    ours,
    members,
    foreign,
    foreignMarks: [...new Set(Object.values(foreign)), 'vault', 'keeper@example.org'],
    async enter(route, who, objects) {
      const answer = await gates.inject({
        method: route.method as 'GET',
        url: addressOf(route, objects),
        headers: 'person' in who ? { 'x-test-person': who.person } : { 'x-test-token': who.token },
        ...(route.method === 'GET' ? {} : { payload: {} }),
      });
      if (answer.statusCode === 299) return 'granted';
      const { code } = answer.json<{ code: string }>();
      return code === 'FORBIDDEN' ? 'denied' : code === 'NOT_FOUND' ? 'hidden' : code;
    },
    async ask(method, url, who, payload) {
      const answer = await world.app.inject({
        method: method as 'GET',
        url,
        headers:
          'person' in who
            ? { 'x-test-person': who.person }
            : { authorization: `Bearer ${secrets.get(who.token) ?? ''}` },
        ...(payload === undefined ? {} : { payload }),
      });
      return { status: answer.statusCode, text: answer.body };
    },
    async close() {
      await gates.close();
      await world.close();
    },
  };
}

/** The address of a route, about one of these objects or the id given. */
export function addressOf(route: RouteEntry, objects: Objects | string): string {
  const { access, url } = route;
  const parameter = access.kind === 'object' ? (access.parameter ?? 'id') : null;
  return url.replace(/\*$/, 'anything').replaceAll(/:([A-Za-z]+)/g, (_, name: string) => {
    if (name !== parameter || access.kind !== 'object') return 'anything';
    return typeof objects === 'string' ? objects : objects[access.object];
  });
}

async function makeObjects(db: Database, project: string, by: string): Promise<Objects> {
  const repository = `/srv/${project}.git`;
  const { id, name } = await ensureProject(db, { name: project, repository });
  const { taskId, runId } = await createTask(db, {
    project: { id, name, repository },
    text: `secret of ${project} by ${by}`,
    origin: { kind: 'api', by, url: null },
    options: runOptionsSchema.parse({}),
    projection: testProjection,
    redact: (value) => value,
  });
  const others = Object.fromEntries(objectKinds.map((kind) => [kind, `${kind}-of-${id}-${by}`]));
  return { ...(others as Objects), project: id, task: taskId, run: runId, proposal: runId };
}
