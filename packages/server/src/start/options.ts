import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { SandboxDriver, SandboxLimits } from '../domain/ports/sandbox.ts';
import type { RunState } from '../domain/run-state.ts';

/** `api` answers; `worker` moves runs. */
export type ServerPart = 'api' | 'worker';

export interface StartServerOptions {
  /** `$BERTH_HOME`: database, blobs, mirrors, forge, sockets. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly parts: readonly ServerPart[];
  /** Told in a sentence what takes a while. */
  readonly onProgress: (sentence: string) => void;
  /** Parent of the database directories of root's homes; tests have their own. */
  readonly databaseRoot?: string;
  /** Runs at once; two per core are plenty where checks compile. */
  readonly maxRuns?: number;
  /** Instead of the strongest driver that works here. */
  readonly driver?: SandboxDriver;
  /** What every sandbox may use, where it is not the default. */
  readonly sandboxLimits?: Partial<SandboxLimits>;
  /** Instead of the system's. */
  readonly clock?: Clock;
  /** Called after entries of a run became durable; for measurements and tests. */
  readonly onAppended?: (state: RunState, types: readonly string[]) => void;
}

export interface RunningServer {
  /** Where the API listens; empty when this process only works. */
  readonly socketPath: string;
  readonly controlPlane: ControlPlane;
  /** Claims nothing new, hands its runs back, leaves running commands to their sandboxes. */
  stop(): Promise<void>;
}
