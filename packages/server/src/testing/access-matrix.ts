import type { FastifyInstance } from 'fastify';
import type { RouteEntry } from '../api/access/authorise.ts';
import { createApi } from '../api/create-api.ts';
import { roles, type Permission, type Principal, type Role } from '../domain/access.ts';
import type { ObjectKind } from '../domain/ports/control-plane.ts';
import { gateIdOf } from '../domain/gates.ts';
import { runOptionsSchema } from '../domain/task.ts';
import type { Database } from '../store/database.ts';
import { insertCampaign } from '../store/campaigns/campaigns.ts';
import { keepDelivery } from '../store/deliveries/deliveries.ts';
import { createTask } from '../store/runs/create-task.ts';
import { ensureProject } from '../store/runs/ensure-project.ts';
import { accessWorld, type AccessWorld } from './access-world.ts';
import { penOf, planned } from './long-run.ts';
import { testProjection } from './project-run.ts';

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
const projects = ['web', 'vault'] as const;
const triggerOf = (project: string): string => `hook-${project}`;
const scheduleOf = (project: string): string => `nightly-${project}`;
const plenty = { perSecond: 1e6, burst: 1e6 };

/**
 * Two projects with objects, somebody in each role, and tokens: `all` (a maintainer's, unnarrowed), `web only` (an
 * admin's), `other project` (a maintainer's, for the foreign one), and one of an admin for each permission alone.
 */
export async function accessMatrix(db: Database, permissions: readonly Permission[]): Promise<AccessMatrix> {
  const world = accessWorld(db, {
    projects: projects.map((name) => ({ name, repository: `/srv/${name}.git` })),
    schedules: projects.map((project) => ({
      name: scheduleOf(project),
      project,
      task: `scheduled in ${project}`,
      cron: '30 2 * * *',
    })),
    triggers: projects.map((project) => ({
      kind: 'webhook',
      name: triggerOf(project),
      project,
      secret: '${env:HOOK}',
      task: `hooked in ${project}`,
    })),
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

  const gates = createApi(world.controlPlane, {
    authenticate: async ({ headers }) =>
      principals.get(String(headers['x-test-token'])) ?? world.person(String(headers['x-test-person'])),
    rates: { reads: plenty, writes: plenty, unknown: plenty },
  });
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
    if (name !== parameter || access.kind !== 'object') return name === 'seq' ? '1' : 'anything';
    return typeof objects === 'string' ? objects : objects[access.object];
  });
}

async function makeObjects(db: Database, project: string, by: string): Promise<Objects> {
  const repository = `/srv/${project}.git`;
  const { id, name } = await ensureProject(db, { name: project, repository });
  const text = `secret of ${project} by ${by}`;
  const options = runOptionsSchema.parse({});
  const { taskId, runId } = await createTask(db, {
    project: { id, name, repository },
    text,
    origin: { kind: 'api', by, url: null },
    options,
    projection: testProjection,
    redact: (value) => value,
  });
  const gate = gateIdOf(runId, 1);
  const pen = await penOf(db, runId);
  await pen.append([
    planned,
    {
      type: 'gate.opened',
      data: {
        gateId: gate,
        at: 'start',
        reason: `gate of ${project}`,
        objections: [],
        proposal: null,
        selfApproval: false,
        requesters: [by],
        expiresAt: '2100-01-01T00:00:00.000Z',
      },
    },
  ]);
  const campaign = await insertCampaign(db, {
    text,
    options,
    createdBy: by,
    concurrency: 1,
    canary: 0,
    stopRate: null,
    stopAfter: 5,
    projectIds: [id],
  });
  return {
    project: id,
    task: taskId,
    run: runId,
    proposal: runId,
    gate,
    campaign,
    schedule: scheduleOf(project),
    trigger: triggerOf(project),
    delivery: await makeDelivery(db, project, by, id),
  };
}

async function makeDelivery(db: Database, project: string, by: string, projectId: string): Promise<string> {
  const kept = await keepDelivery(db, {
    entrance: 'trigger',
    name: triggerOf(project),
    externalId: by,
    fingerprint: null,
    event: 'webhook',
    subject: null,
    projectId,
    body: JSON.stringify({ by }),
  });
  return kept === 'full' ? '' : kept.id;
}
