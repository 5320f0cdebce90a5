import type { Permission } from '../../domain/access.ts';
import type { ObjectKind } from '../../domain/ports/control-plane.ts';

/**
 * Who may use a route. Every route declares one in its `config.access`; a route without is refused at start.
 *
 * - `public`: nobody needs to be known (health, sign-in).
 * - `signature`: nobody signs in; the handler checks a signature over the raw body (webhooks).
 * - `signed-in`: any principal, about themselves alone.
 * - `installation`: a permission on the whole installation.
 * - `list`: a permission; the handler answers with what lies in `visibleProjects(request.principal)` alone.
 * - `object`: a permission on the object that the path parameter names (`id` unless said otherwise). It is looked up
 *   among what the principal may see, so that a foreign one answers 404, and stands in `request.target`.
 * - `new`: a permission on a project that only the body names: the handler asks with `requirePermission`.
 */
export type RouteAccess =
  | { readonly kind: 'public' }
  | { readonly kind: 'signature' }
  | { readonly kind: 'signed-in' }
  | { readonly kind: 'installation'; readonly permission: Permission }
  | { readonly kind: 'list'; readonly permission: Permission }
  | {
      readonly kind: 'object';
      readonly permission: Permission;
      readonly object: ObjectKind;
      readonly parameter?: string;
    }
  | { readonly kind: 'new'; readonly permission: Permission };

/** `config` of a route that reads or changes one object. */
export function on(
  object: ObjectKind,
  permission: Permission,
  parameter = 'id',
): { readonly access: RouteAccess } {
  return { access: { kind: 'object', permission, object, parameter } };
}

export function listOf(permission: Permission): { readonly access: RouteAccess } {
  return { access: { kind: 'list', permission } };
}

export function installation(permission: Permission): { readonly access: RouteAccess } {
  return { access: { kind: 'installation', permission } };
}

export function newIn(permission: Permission): { readonly access: RouteAccess } {
  return { access: { kind: 'new', permission } };
}

export const publicRoute: { readonly access: RouteAccess } = { access: { kind: 'public' } };
export const bySignature: { readonly access: RouteAccess } = { access: { kind: 'signature' } };
export const signedIn: { readonly access: RouteAccess } = { access: { kind: 'signed-in' } };
