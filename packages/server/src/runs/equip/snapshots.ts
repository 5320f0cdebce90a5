import { commandRules } from '../../sandboxes/step-egress.ts';
import type { GivenEgress } from '../../sandboxes/step-egress.ts';
import type { SnapshotSource } from '../../sandboxes/snapshots/source.ts';
import type { CurrentEgressBounds } from '../../domain/egress.ts';
import type { AuditSink } from '../../domain/ports/audit.ts';
import type { RunLog } from '../../domain/ports/run-context.ts';
import type { SandboxDriver, SandboxSpec } from '../../domain/ports/sandbox.ts';
import { isManifest, isNamedBy, scopeOf, snapshotKey, whyNotMade } from '../../domain/snapshot.ts';
import { isOnDefaultBranch, textsOf, treeFilesAt, type TreeObject } from '../../git/tree-files.ts';
import type { Database } from '../../store/database.ts';
import { dropSnapshot } from '../../store/snapshots/drop-snapshot.ts';
import { expireSnapshots, snapshotRetention } from '../../store/snapshots/expire-snapshots.ts';
import { findSnapshot } from '../../store/snapshots/find-snapshot.ts';
import { recordSnapshot } from '../../store/snapshots/record-snapshot.ts';
import { removeBlobs } from '../../store/snapshots/remove-blobs.ts';
import type { RunRepository } from './repository.ts';

/** On a full disk what nobody used today goes: it is worth less than anything else there. */
const lastDayOnly = 1;

/** Manifests are small; what is larger, or more than a thousand of them, makes the whole tree count. */
const mostManifestBytes = 256 * 1024;
const mostManifests = 1_000;

export interface RunSnapshotParts {
  readonly db: Database;
  readonly runId: string;
  readonly projectId: string;
  readonly log: RunLog;
  readonly signal: AbortSignal;
  readonly repository: RunRepository;
  readonly driver: Pick<SandboxDriver, 'fingerprint'>;
  readonly profile: SandboxSpec['profile'];
  readonly egressBounds: CurrentEgressBounds;
  readonly egressGiven: GivenEgress;
  readonly audit?: AuditSink;
  /** Throws when the run is not this worker's any more. */
  assertHeld(): void;
  /** Whether the configuration allows them, as the run pinned it and as it is now. */
  allowed(): boolean;
}

/** What the sandboxes of one run may know about the snapshots of its project. */
export function runSnapshots(parts: RunSnapshotParts): SnapshotSource {
  const { db, runId, projectId, log, signal, repository } = parts;
  const setup = (): NonNullable<ReturnType<RunLog['state']>['plan']>['blueprint']['setup'] =>
    log.state().plan?.blueprint.setup ?? [];

  const known = new Map<string, ReturnType<typeof lookAt>>();
  const filesOf = (commit: string): ReturnType<typeof lookAt> => {
    const found = known.get(commit) ?? lookAt(commit);
    known.set(commit, found);
    found.catch(() => known.delete(commit));
    return found;
  };

  async function lookAt(commit: string): Promise<{
    readonly scope: 'manifests' | 'tree';
    readonly files: readonly TreeObject[];
    readonly tree: string | null;
  }> {
    const mirror = await repository.mirror();
    const { tree, files } = await treeFilesAt(mirror, commit, signal);
    const manifests = files.filter(({ path }) => isManifest(path));
    const texts =
      manifests.length > mostManifests ? null : await textsOf(mirror, manifests, mostManifestBytes, signal);
    const scope = texts === null ? 'tree' : scopeOf(setup(), texts);
    if (scope === 'tree') return { scope, files: [], tree };
    const reads = files.filter(({ path }) => isManifest(path) || isNamedBy(setup(), path));
    return { scope, files: reads, tree: null };
  }

  return {
    async keyFor({ id, commit, driver: driverName }) {
      if (!parts.allowed()) return { kind: 'off' };
      const { driver, profile } = parts;
      const toolchain = (await driver.fingerprint?.({ id, profile })) ?? null;
      if (toolchain === null)
        return { kind: 'unknown', reason: 'the driver cannot say exactly which programs the sandbox has' };
      const looked = await filesOf(commit);
      // Files are all that a snapshot holds: what setup put into a database would be missing.
      if ((profile?.services ?? []).length > 0 && looked.scope === 'tree')
        return { kind: 'unknown', reason: 'setup does more than install, and may have filled a service' };
      const { ceilings = [], deny = [], refusedRanges = null } = parts.egressBounds.current();
      const given = parts.egressGiven();
      const key = snapshotKey({
        projectId,
        setup: setup(),
        egress: setup().map((command) => commandRules('work', { purpose: 'setup', command }, given)),
        bounds: { ceilings, deny, refusedRanges },
        ...looked,
        toolchain,
        driver: driverName,
      });
      return { kind: 'named', key };
    },

    find: (key) => findSnapshot(db, { projectId, key }),

    async whyNotMade(sandboxId) {
      const { plan } = log.state();
      if (plan === null) return 'the run is not planned';
      const mirror = await repository.mirror();
      return whyNotMade({
        sandboxId,
        source: plan.source,
        setup: plan.blueprint.setup,
        isOnDefaultBranch: await isOnDefaultBranch(mirror, plan.base.commit, signal),
        events: await log.events(),
      });
    },

    async keep(key, made) {
      parts.assertHeld();
      const act = await parts.audit?.begin({
        by: `run:${runId}`,
        byKind: 'run',
        tokenId: null,
        via: 'sandbox',
        action: 'snapshot.make',
        object: { kind: 'snapshot', id: key, projectId },
        from: { address: null, agent: null },
        requestId: null,
        details: { blob: made.blob, files: made.files, bytes: made.bytes, storedBytes: made.storedBytes },
      });
      const kept = await recordSnapshot(db, { key, projectId, runId, ...made });
      await act?.end({ result: 'allowed', code: null, details: { kept } });
      const gone = await expireSnapshots(db, snapshotRetention);
      await removeBlobs(db, kept ? gone : [...gone, made.blob]);
      return kept;
    },

    discard: (blob) => removeBlobs(db, [blob]),

    async makeRoom() {
      await removeBlobs(db, await expireSnapshots(db, { ...snapshotRetention, unusedDays: lastDayOnly }));
    },

    async drop(key) {
      const blob = await dropSnapshot(db, { projectId, key });
      if (blob !== null) await removeBlobs(db, [blob]);
    },
  };
}
