import type { Channel } from '../../channel/channel.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { SandboxSpec } from '../../domain/ports/sandbox.ts';

/** Rejects when the channel of a sandbox that is being made ends. */
export async function endOf(channel: Channel): Promise<never> {
  const { reason } = await channel.closed;
  throw new BerthError('SANDBOX_LOST', `The channel to the new sandbox ended: ${reason}.`);
}

/** Rejects with the signal's reason. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** @throws BerthError `SANDBOX_UNSUPPORTED` for what a pod of this driver cannot be */
export function refuseWhatIsNotSupported(profile: SandboxSpec['profile']): void {
  if (profile === null) return;
  const wanted = [
    ...(profile.runtime === undefined ? [] : ['a `runtime` (on Kubernetes it is `kubernetes.runtimeClass`)']),
    ...(profile.services.length === 0 ? [] : ['services']),
  ];
  if (wanted.length === 0) return;
  throw new BerthError(
    'SANDBOX_UNSUPPORTED',
    `The profile ${profile.name} asks for ${wanted.join(' and ')}, which the driver kubernetes does not have.`,
  );
}
