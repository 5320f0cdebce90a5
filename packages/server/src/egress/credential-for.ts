import { pathWithin, type BrokeredCredential } from '../domain/egress.ts';
import { normalPath } from '../domain/request-path.ts';
import type { Target } from './hosts.ts';

export type CredentialChoice =
  | { readonly kind: 'none' }
  | { readonly kind: 'use'; readonly credential: BrokeredCredential }
  /** The request must not go out. */
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * The credential for a request: of exactly this host and port, and of the most exact of the paths it lies below. Two
 * that fit equally well, or a path that servers could read in more than one way where paths tell credentials apart,
 * refuse the request. Pure; whether the request is allowed at all is `decideRequest`'s.
 */
export function credentialFor(
  credentials: readonly BrokeredCredential[],
  target: Target,
  request: { readonly path: string },
): CredentialChoice {
  const ofHost = credentials.filter(
    ({ host, port }) => host.toLowerCase() === target.host && port === target.port,
  );
  if (ofHost.length === 0) return { kind: 'none' };
  const path = normalPath(request.path);
  if (path === null && ofHost.some(({ paths }) => paths.length > 0)) {
    return {
      kind: 'refused',
      reason: `a credential of ${target.host} is for some paths only, and this path can be read in more than one way`,
    };
  }
  const fitting = ofHost
    .map((credential) => ({ credential, depth: depthOf(credential, path) }))
    .filter(({ depth }) => depth >= 0)
    .sort((one, other) => other.depth - one.depth);
  const [best, next] = fitting;
  if (best === undefined) return { kind: 'none' };
  if (next !== undefined && next.depth === best.depth) {
    const names = [best.credential.name, next.credential.name].sort().join(' and ');
    return { kind: 'refused', reason: `the credentials ${names} fit this request equally well` };
  }
  return { kind: 'use', credential: best.credential };
}

/** How many segments of the path a credential names; 0: all of the host; -1: it is not for this path. */
function depthOf({ paths }: BrokeredCredential, path: string | null): number {
  if (paths.length === 0) return 0;
  if (path === null) return -1;
  const depths = paths
    .map(normalPath)
    .filter((prefix) => prefix !== null)
    .filter((prefix) => pathWithin([prefix], path))
    .map((prefix) => prefix.split('/').filter((segment) => segment !== '').length);
  return Math.max(-1, ...depths);
}
