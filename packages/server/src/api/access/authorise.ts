import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  decide,
  localPrincipal,
  permissionTable,
  permittedProjects,
  visibleProjects,
  type ActObject,
  type Permission,
  type Principal,
} from '../../domain/access.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { ControlPlane, Located } from '../../domain/ports/control-plane.ts';
import type { RouteAccess } from './route-access.ts';

/** Tells who sends a request; throws `NOT_SIGNED_IN` or what else is wrong with what it carries. */
export type Authenticate = (request: FastifyRequest) => Promise<Principal>;

export interface RouteEntry {
  readonly method: string;
  readonly url: string;
  readonly access: RouteAccess;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route with who may use it; the access matrix is generated from it. */
    readonly routeTable: readonly RouteEntry[];
  }
  interface FastifyRequest {
    /** Who acts. On public routes a stranger without any right. */
    principal: Principal;
    /** The object of an `object` route, found among what the principal may see. */
    target: Located;
  }
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
}

const stranger: Principal = { ...localPrincipal('unknown'), id: 'unknown', globalRole: null };
const nothing: Located = { id: '', projectId: null, ownerId: null };

/**
 * Puts identity and permission in front of every route: nothing of a handler runs before both were decided, and no
 * body of a stranger is read. A route that does not declare its access stops the start.
 */
export function guardRoutes(
  app: FastifyInstance,
  controlPlane: Pick<ControlPlane, 'locate'>,
  authenticate: Authenticate,
): void {
  const table: RouteEntry[] = [];
  app.decorate('routeTable', table);
  app.decorateRequest('principal');
  app.decorateRequest('target');
  app.addHook('onRoute', (route) => {
    const access = route.config?.access;
    if (access === undefined)
      throw new Error(`the route ${String(route.method)} ${route.url} declares no access`);
    for (const method of [route.method].flat()) {
      if (method !== 'HEAD') table.push({ method, url: route.url, access });
    }
  });
  app.addHook('onRequest', async (request) => {
    request.principal = stranger;
    request.target = nothing;
    const { access } = request.routeOptions.config;
    // Without a route there is nothing to guard but whether one exists: only the known may learn that.
    if (access?.kind === 'public' || access?.kind === 'signature') return;
    request.principal = await authenticate(request);
  });
  // After validation, so that an id that cannot be one is told apart from one that names nothing.
  app.addHook('preHandler', async (request) => {
    const { access } = request.routeOptions.config;
    if (access !== undefined) await authorise(request, access, controlPlane);
  });
}

async function authorise(
  request: FastifyRequest,
  access: RouteAccess,
  controlPlane: Pick<ControlPlane, 'locate'>,
): Promise<void> {
  switch (access.kind) {
    case 'public':
    case 'signature':
    case 'signed-in':
      return;
    case 'list':
      return requireSomewhere(request.principal, access.permission);
    case 'new':
      // On which project, only the handler knows. Who has it nowhere is not answered what an earlier request was, either.
      return requireSomewhere(request.principal, access.permission);
    case 'installation':
      return requirePermission(request.principal, access.permission, { projectId: null, ownerId: null });
    case 'object': {
      const parameters = request.params as Readonly<Record<string, string | undefined>>;
      const text = parameters[access.parameter ?? 'id'] ?? '';
      request.target = await controlPlane.locate(access.object, text, visibleProjects(request.principal));
      return requirePermission(request.principal, access.permission, request.target);
    }
  }
}

/**
 * Refuses a list to whoever has its permission nowhere. A stranger to every project is answered an empty one, where
 * seeing a project is all it takes: that there is nothing for them is no secret.
 */
function requireSomewhere(principal: Principal, permission: Permission): void {
  requireInScope(principal, permission);
  if (permissionTable[permission].from === 'viewer') return;
  if (permittedProjects(principal, permission).length === 0) refuse(principal, permission, 'on any project');
}

function requireInScope(principal: Principal, permission: Permission): void {
  const { scope } = principal;
  if (scope !== null && scope.permissions !== null && !scope.permissions.includes(permission)) {
    refuse(principal, permission, 'on any project');
  }
}

function refuse(principal: Principal, permission: Permission, where: string): never {
  const { from, own } = permissionTable[permission];
  const ownWords = own === undefined ? '' : `, or ${own} for what they handed in`;
  const isOutOfScope = principal.scope?.permissions?.includes(permission) === false;
  throw new BerthError('FORBIDDEN', `${principal.name} lacks the permission ${permission} ${where}.`, {
    next: isOutOfScope
      ? 'This token was not given it: use one that was.'
      : `It takes the role ${from}${ownWords}; an admin can grant it.`,
    details: { permission, role: from },
  });
}

/**
 * Refuses what is not granted.
 * @throws BerthError `NOT_FOUND` where not even the existence may be learnt, else `FORBIDDEN`
 */
export function requirePermission(principal: Principal, permission: Permission, object: ActObject): void {
  switch (decide(principal, permission, object)) {
    case 'granted':
      return;
    case 'hidden':
      throw new BerthError('NOT_FOUND');
    case 'denied':
      return refuse(
        principal,
        permission,
        object.projectId === null ? 'on the installation' : 'on this project',
      );
  }
}
