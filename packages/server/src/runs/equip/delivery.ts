import { randomUUID } from 'node:crypto';
import type { Blobs } from '../../domain/ports/blobs.ts';
import { restoreCheckpoint, saveCheckpoint } from '../../git/checkpoint.ts';
import { deliverRepository } from '../../git/deliver-repository.ts';
import { type DeliveryPack, packFor } from '../../git/shallow-pack.ts';
import type { RepositoryDelivery } from '../../sandboxes/repository-delivery.ts';
import type { RunRepository } from './repository.ts';

/** Joins `git/` with the workbench: packs go in, checkpoints come out and are kept as blobs. */
export function repositoryDelivery(repository: RunRepository, blobs: Blobs): RepositoryDelivery {
  const packs = new Map<string, Promise<DeliveryPack>>();
  const pack = (commit: string, signal: AbortSignal): Promise<DeliveryPack> => {
    const known = packs.get(commit);
    if (known !== undefined) return known;
    const made = repository.mirror().then((mirror) => packFor(mirror, commit, {}, signal));
    packs.set(commit, made);
    made.catch(() => packs.delete(commit));
    return made;
  };

  return {
    async deliver(sandbox, { commit, branch, signal }) {
      const callId = `deliver-${randomUUID()}`;
      await deliverRepository(sandbox, { callId, pack: await pack(commit, signal), branch, signal });
    },
    async saveCheckpoint(sandbox, { base, signal }) {
      const { submodules } = await pack(base, signal);
      const callId = `checkpoint-${randomUUID()}`;
      const saved = await saveCheckpoint(sandbox, { callId, base, submodules, signal });
      const { id, tree, proposalTree, files, added, removed } = saved;
      const blob = await blobs.put(saved.pack);
      return { id, tree, proposalTree, blob, bytes: saved.pack.byteLength, files, added, removed };
    },
    async restoreCheckpoint(sandbox, { checkpoint, signal }) {
      const callId = `restore-${randomUUID()}`;
      await restoreCheckpoint(sandbox, {
        callId,
        id: checkpoint.id,
        pack: blobs.stream(checkpoint.blob),
        signal,
      });
    },
  };
}
