import { asBerthError } from '../../domain/errors/index.ts';
import type { Blobs } from '../../domain/ports/blobs.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { EventSink } from '../../domain/ports/event-sink.ts';
import type { RunLog, SetupSnapshots } from '../../domain/ports/run-context.ts';
import type { Sandbox } from '../../domain/ports/sandbox.ts';
import type { SandboxPurpose } from '../../domain/purpose.ts';
import type { RunState } from '../../domain/run-state.ts';
import type { SnapshotName, SnapshotSource } from './source.ts';
import { putSnapshot, snapshotCalls, takeSnapshot } from './transfer.ts';

export interface SetupSnapshotParts {
  readonly source: SnapshotSource;
  readonly log: RunLog;
  readonly events: EventSink;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  sandbox(purpose: SandboxPurpose): Promise<Sandbox>;
}

type FilledFrom = Pick<NonNullable<RunState['sandboxes'][SandboxPurpose]>, 'commit' | 'driver'>;

/** Restores and makes the snapshots of one run's sandboxes. Nothing of it can fail a run: setup is always the other way. */
export function setupSnapshots(parts: SetupSnapshotParts): SetupSnapshots {
  const { source, log, events, blobs, clock, signal } = parts;

  /** The commit it was filled from, when from that alone; null otherwise, and when anything was begun in it. */
  const freshlyFilled = async (purpose: SandboxPurpose, sandboxId: string): Promise<FilledFrom | null> => {
    const state = log.state();
    const recorded = state.sandboxes[purpose];
    if (recorded?.id !== sandboxId) return null;
    if (Object.values(state.commands).some((command) => command.sandboxId === sandboxId)) return null;
    const made = await log.events({ types: ['sandbox.created'] });
    const own = made.find((entry) => entry.type === 'sandbox.created' && entry.data.ref.id === sandboxId);
    return own?.type === 'sandbox.created' && own.data.restoredFrom === null ? recorded : null;
  };

  const nameOf = async (sandboxId: string, filled: FilledFrom): Promise<SnapshotName> => {
    try {
      return await source.keyFor({ id: sandboxId, ...filled });
    } catch (error) {
      signal.throwIfAborted();
      const reason = `its name could not be worked out: ${asBerthError(error).message}`;
      return { kind: 'unknown', reason };
    }
  };

  const keyFor = async (sandboxId: string, filled: FilledFrom): Promise<string | null> => {
    const name = await nameOf(sandboxId, filled);
    if (name.kind === 'named') return name.key;
    if (name.kind === 'unknown')
      await events.append({ type: 'snapshot.skipped', data: { sandboxId, reason: name.reason } });
    return null;
  };

  const failed = async (
    doing: 'restore' | 'make',
    about: { readonly purpose: SandboxPurpose; readonly sandboxId: string; readonly key: string },
    error: unknown,
  ): Promise<void> => {
    signal.throwIfAborted();
    const { code, message } = asBerthError(error);
    await events.append({ type: 'snapshot.failed', data: { doing, ...about, code, sentence: message } });
  };

  return {
    async restore(purpose) {
      const sandbox = await parts.sandbox(purpose);
      const sandboxId = sandbox.ref.id;
      // Whoever began it is gone: what lies in there is neither a snapshot nor a clean tree.
      if (Object.hasOwn(log.state().snapshots.begun, sandboxId)) return { kind: 'failed' };
      const filled = await freshlyFilled(purpose, sandboxId);
      if (filled === null) return { kind: 'none', key: null };
      const key = await keyFor(sandboxId, filled);
      if (key === null || log.state().snapshots.failed.includes(key)) return { kind: 'none', key: null };
      const about = { purpose, sandboxId, key };
      try {
        const kept = await source.find(key);
        if (kept === null) return { kind: 'none', key };
        const startedMs = clock.monotonicMs();
        await events.append({ type: 'snapshot.begun', data: about });
        await putSnapshot(sandbox, kept, { blobs, signal });
        const ms = Math.round(clock.monotonicMs() - startedMs);
        const { files, bytes } = kept;
        await events.append({ type: 'snapshot.restored', data: { ...about, files, bytes, ms } });
        return { kind: 'restored' };
      } catch (error) {
        await failed('restore', about, error);
        // A lost sandbox says nothing about the snapshot.
        if (asBerthError(error).code !== 'SANDBOX_LOST') await source.drop(key).catch(() => undefined);
        return { kind: 'failed' };
      }
    },

    async make(sandboxId, key) {
      const about = { purpose: 'work' as const, sandboxId, key };
      const { plan, sandboxes } = log.state();
      if (plan === null || sandboxes.work?.id !== sandboxId) return;
      try {
        const before = await objection(about);
        if (before !== null) {
          await events.append({ type: 'snapshot.skipped', data: { sandboxId, reason: before } });
          return;
        }
        const sandbox = await parts.sandbox('work');
        if (sandbox.ref.id !== sandboxId) return;
        const startedMs = clock.monotonicMs();
        await endLeftOvers(sandbox);
        const made = await takeSnapshot(sandbox, plan.base.commit, { blobs, signal });
        // A person may have opened a terminal in it meanwhile, or the configuration may have changed.
        const after = await objection(about);
        if (after !== null) {
          await source.discard(made.blob);
          await events.append({ type: 'snapshot.skipped', data: { sandboxId, reason: after } });
          return;
        }
        const kept = await source.keep(key, made).catch(async (error: unknown) => {
          await source.discard(made.blob).catch(() => undefined);
          throw error;
        });
        const { files, bytes, storedBytes } = made;
        const ms = Math.round(clock.monotonicMs() - startedMs);
        await events.append({
          type: 'snapshot.made',
          data: { sandboxId, key, files, bytes, storedBytes, ms, kept },
        });
      } catch (error) {
        await failed('make', about, error);
        if (asBerthError(error).code === 'DATABASE_DISK_FULL') await source.makeRoom().catch(() => undefined);
      }
    },
  };

  async function objection(about: {
    readonly sandboxId: string;
    readonly key: string;
  }): Promise<string | null> {
    const reason = await source.whyNotMade(about.sandboxId);
    if (reason !== null) return reason;
    const { work } = log.state().sandboxes;
    const now = work?.id === about.sandboxId ? await source.keyFor(work) : null;
    return now?.kind === 'named' && now.key === about.key
      ? null
      : 'what setup depends on changed while it ran';
  }
}

/** Ends what a worker that died has left running: it writes, or reads, the same files. */
async function endLeftOvers(sandbox: Sandbox): Promise<void> {
  for (const call of await sandbox.calls()) {
    if (call.running && call.id.startsWith(snapshotCalls)) await sandbox.kill(call.id, 'SIGKILL');
  }
}
