import type { Clock } from '../../domain/ports/clock.ts';
import type { Loss } from '../channel-sandbox.ts';
import type { PodClient } from './client.ts';
import { lossIn } from './pod-facts.ts';
import type { SandboxdInstance } from './pod-state.ts';
import type { PodTracker } from './pod-tracker.ts';

/** For the status of a pod to tell what a broken channel cannot. */
export const explainWithinMs = 10_000;

/** What the cluster says of a sandbox whose channel ended; what the channel said where the cluster knows nothing. */
export async function explainLoss(of: {
  readonly known: Loss;
  readonly name: string;
  readonly uid: string;
  readonly instance: SandboxdInstance;
  readonly tracker: PodTracker;
  readonly client: Pick<PodClient, 'get'>;
  readonly clock: Clock;
}): Promise<Loss> {
  const late = new AbortController();
  const told = await Promise.race([
    of.tracker.over,
    of.clock.sleep(explainWithinMs / 2, late.signal).then(
      () => null,
      () => null,
    ),
  ]);
  late.abort();
  if (told !== null) return told;
  const pod = await of.client.get(of.name, AbortSignal.timeout(explainWithinMs / 2));
  if (pod === null || pod.metadata?.uid !== of.uid)
    return { code: 'SANDBOX_DELETED', sentence: 'The pod of the sandbox was deleted.' };
  return lossIn(pod, of.instance) ?? of.known;
}
