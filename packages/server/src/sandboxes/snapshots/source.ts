import type { DriverName } from '../../domain/ports/sandbox.ts';

/** A snapshot that is kept. */
export interface KeptSnapshot {
  readonly blob: string;
  /** Of the tar, unpacked. */
  readonly bytes: number;
  readonly files: number;
}

/** `off`: this project uses none. `unknown`: none can be named here, and why. */
export type SnapshotName =
  | { readonly kind: 'named'; readonly key: string }
  | { readonly kind: 'off' }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What a run's sandboxes ask about snapshots of `setup`; joined with store and mirror where a run is put together. */
export interface SnapshotSource {
  /** What the snapshot is called that fits a sandbox filled from a commit, as everything is now. */
  keyFor(sandbox: {
    readonly id: string;
    readonly commit: string;
    readonly driver: DriverName;
  }): Promise<SnapshotName>;
  /** The project's snapshot of that name, and marks it as used. */
  find(key: string): Promise<KeptSnapshot | null>;
  /** Why none may be made of what setup made in that work sandbox; null: it may. */
  whyNotMade(sandboxId: string): Promise<string | null>;
  /** Records a new one. @returns false when there is one of that name by now: that one counts */
  keep(key: string, made: KeptSnapshot & { readonly storedBytes: number }): Promise<boolean>;
  /** Removes the bytes of one that is not kept after all. */
  discard(blob: string): Promise<void>;
  /** The disk is full: forgets what was not used lately. */
  makeRoom(): Promise<void>;
  /** Forgets one that could not be restored, so that the next run makes it anew. */
  drop(key: string): Promise<void>;
}
