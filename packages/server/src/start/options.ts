import type { TcpAddress } from '../api/listen-address.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { Health } from '../domain/ports/health.ts';
import type { SandboxDriver, SandboxLimits } from '../domain/ports/sandbox.ts';
import type { RunState } from '../domain/run-state.ts';

/** `api` answers; `worker` moves runs. */
export type ServerPart = 'api' | 'worker';

export interface StartServerOptions {
  /** `$BERTH_HOME`: database, blobs, mirrors, forge, sockets, keys. */
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly parts: readonly ServerPart[];
  /** Told in a sentence what takes a while. */
  readonly onProgress: (sentence: string) => void;
  /**
   * Listens on TCP, too: the API, or `/healthz` and `/readyz` alone where there is none. `default`: the address of the
   * configuration, 127.0.0.1:7420 without one. Absent: the unix socket alone.
   */
  readonly listen?: TcpAddress | 'default';
  /** `if-free`: goes without the unix socket where another server of this data directory has it. */
  readonly socket?: 'required' | 'if-free';
  /** Where the log goes, line by line; absent: nowhere. Its level is `BERTH_LOG`. */
  readonly log?: { readonly write: (line: string) => void; readonly pretty: boolean };
  /** The longest that `stop` may take, in milliseconds. */
  readonly stopTimeoutMs?: number;
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
  /** Where the API listens; empty when this process only works, or another server has the socket. */
  readonly socketPath: string;
  /** Where it listens on TCP, as people open it; null: nowhere. */
  readonly url: string | null;
  readonly controlPlane: ControlPlane;
  readonly health: Health;
  /** An address that signs its opener in, once; null where there is no such way. */
  signInLink(): Promise<string | null>;
  /** Claims nothing new, hands its runs back, leaves running commands to their sandboxes; within `stopTimeoutMs`. */
  stop(): Promise<void>;
}
