import { BerthError } from '../../domain/errors/index.ts';
import type { Engine } from './engine.ts';

/** Who a container's processes are. */
export type ContainerIdentity =
  /** A uid of the sandbox's own: root started it on root's engine. */
  | { readonly kind: 'dedicated' }
  /** The worker's own user on root's engine. */
  | { readonly kind: 'self'; readonly uid: number; readonly gid: number }
  /** The worker's own user, the same inside as outside, in the engine's user namespace. */
  | { readonly kind: 'kept'; readonly uid: number; readonly gid: number }
  /** Root of the engine's user namespace, which outside is the worker's own user. */
  | { readonly kind: 'inner-root' };

/**
 * Chooses so that sandbox and worker can both reach the socket and the worker can remove what the sandbox wrote; never
 * root outside.
 * @throws BerthError `SANDBOX_UNAVAILABLE` for root with an ordinary user's engine
 */
export function identityOn(
  engine: Pick<Engine, 'kind' | 'isRootless'>,
  worker: { readonly uid: number; readonly gid: number } = {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
  },
): ContainerIdentity {
  if (!engine.isRootless) return worker.uid === 0 ? { kind: 'dedicated' } : { kind: 'self', ...worker };
  if (worker.uid === 0)
    throw new BerthError(
      'SANDBOX_UNAVAILABLE',
      'Berth runs as root, and the container engine as an ordinary user: neither could end what the other started.',
    );
  return engine.kind === 'podman' ? { kind: 'kept', ...worker } : { kind: 'inner-root' };
}
