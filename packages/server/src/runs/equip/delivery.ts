import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Blobs } from '../../domain/ports/blobs.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import { restoreCheckpoint, saveCheckpoint } from '../../git/checkpoint.ts';
import { deliverRepository } from '../../git/deliver-repository.ts';
import { type DeliveryPack, packFor } from '../../git/shallow-pack.ts';
import type { RepositoryDelivery } from '../../sandboxes/repository-delivery.ts';
import type { RunRepository } from './repository.ts';

/** How the ids of calls begin that save a checkpoint. */
const saving = 'checkpoint-';
/** A killed process tree is gone within milliseconds; one that is not is left alone after this. */
const endingMs = 5_000;

/**
 * Ends saves that a worker which died has left running in the sandbox: they write the same files as the next one. One
 * owner saves one checkpoint at a time, so whatever still saves is none of its own.
 */
export async function endLeftOverSaves(sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  for (let leftMs = endingMs; leftMs > 0; leftMs -= 20) {
    const left = (await sandbox.calls()).filter((call) => call.running && call.id.startsWith(saving));
    if (left.length === 0) return;
    for (const call of left) await sandbox.kill(call.id);
    await sleep(20, undefined, { signal });
  }
}

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
      await endLeftOverSaves(sandbox, signal);
      const callId = `${saving}${randomUUID()}`;
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
