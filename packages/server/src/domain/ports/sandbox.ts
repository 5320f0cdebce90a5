import type { DoctorCheck } from '../doctor.ts';
import type { SandboxProfile } from '../config/sandboxes.ts';
import type { EgressAccount } from '../egress-account.ts';
import type { CredentialBroker, EgressDecision, EgressPolicy } from '../egress.ts';
import type { SandboxPurpose } from '../purpose.ts';

export type DriverName = 'bubblewrap' | 'container' | 'kubernetes' | 'fake';

/** What a sandbox may use. A driver that cannot hold one of them says so in its probe (`docs/threat-model.md`). */
export interface SandboxLimits {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly processes: number;
  readonly openFiles: number;
  /** Largest single file. */
  readonly fileBytes: number;
  /** All that lies in the workspace, home and tmp together. */
  readonly diskBytes: number;
}

export interface SandboxSpec {
  /** Unique for ever; names directories and processes, so `[a-z0-9-]` only. */
  readonly id: string;
  readonly runId: string;
  /** `work`: the agent's; `verify`: one in which no agent has acted. */
  readonly purpose: SandboxPurpose;
  /** The owner's epoch; sandboxd refuses a lower one. */
  readonly epoch: number;
  readonly limits: SandboxLimits;
  /** Added to the sandbox's own clean environment (PATH, HOME, proxies …); nothing of the worker's is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly egress: EgressPolicy;
  /** Credentials that the way out puts on requests; absent: none. */
  readonly credentials?: CredentialBroker;
  /** Where its way out counts what passes, with the run's other sandboxes; absent: for itself. */
  readonly egressAccount?: EgressAccount;
  /**
   * What the project's profile asks for beyond `limits`: image, runtime, services, placement. A driver that cannot honour
   * a part refuses with `SANDBOX_UNSUPPORTED`. Null: nothing is asked.
   */
  readonly profile: SandboxProfile | null;
}

/** Enough to find a sandbox again after the worker died; stored in the log, so it holds no secret. */
export interface SandboxRef {
  readonly id: string;
  readonly driver: DriverName;
  /** Changes when sandboxd restarts: then nothing of its journal is left. */
  readonly bootId: string;
  /** The driver's own address: a directory, a container id, a pod UID. */
  readonly address: string;
}

export interface ExecRequest {
  /** The call's id; the same id and request attaches to the running or finished call instead of repeating it. */
  readonly id: string;
  readonly command: { readonly argv: readonly string[] } | { readonly script: string };
  /** Absolute, or relative to `/workspace`. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Bytes: typed, then closed. `open`: typed by `writeStdin` until `null`. Absent: empty (open with a `pty`). */
  readonly stdin?: Uint8Array | 'open';
  readonly pty?: { readonly columns: number; readonly rows: number };
  readonly timeoutMs: number;
  /**
   * After this many bytes output is cut (`truncated`) or, with `block`, the command waits for its reader. Output of a
   * `truncate` call can be read again from offset 0 until it is forgotten (under pressure the oldest that was read whole
   * goes first); that of a `block` call is given up as it is read.
   */
  readonly maxOutputBytes: number;
  readonly overflow: 'truncate' | 'block';
}

export interface OutputChunk {
  /** Position of the record in the call's output log; pass the end of the last one to resume. */
  readonly offset: number;
  readonly nextOffset: number;
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

export type ExecResult =
  | {
      readonly kind: 'exited';
      /** Null when a signal ended it. */
      readonly exitCode: number | null;
      readonly signal: string | null;
      readonly timedOut: boolean;
      /** True when the memory limit ended it. */
      readonly outOfMemory: boolean;
      readonly truncated: boolean;
      readonly durationMs: number;
    }
  /** The process that ran it is gone (`runner`), or all of the sandbox is: whether it finished is unknown. */
  | { readonly kind: 'lost'; readonly what: 'runner' | 'sandbox' };

export interface ExecOptions {
  /** Stops watching (the command goes on in the sandbox; exec with the same id attaches again). */
  readonly signal: AbortSignal;
  /** Called in order; the next chunk waits for the promise, and with it, within bounds, the command. */
  readonly onOutput?: (chunk: OutputChunk) => void | Promise<void>;
  /** Where to resume the output; 0 is the beginning. */
  readonly fromOffset?: number;
}

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  readonly bytes: number;
  readonly mode: number;
  readonly modifiedMs: number;
}

export interface SandboxStats {
  readonly diskBytes: number;
  readonly diskLimitBytes: number;
  readonly memoryBytes: number;
  readonly processes: number;
}

/** What happened to a sandbox that goes on. */
export interface SandboxNotice {
  /** A code of the registry. */
  readonly code: string;
  readonly sentence: string;
}

/**
 * One live sandbox. Everything in it is hostile: bytes that come back are data. Operations on a lost sandbox
 * throw `SANDBOX_LOST`; `exec` answers `lost` instead. Paths are absolute or relative to `/workspace`, and are
 * resolved inside the sandbox.
 */
export interface Sandbox {
  readonly ref: SandboxRef;
  /** Resolves once, when the sandbox is gone for good, with the reason as a code of the registry. */
  readonly lost: Promise<{ readonly code: string; readonly sentence: string }>;

  /** Runs a command, or attaches to it. Rejects with the signal's reason when watching was stopped. */
  exec(request: ExecRequest, options: ExecOptions): Promise<ExecResult>;
  /** Ends the whole process tree of a call. Unknown or finished calls are fine. */
  kill(callId: string, signal?: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Types into a running call's standard input; `null` closes it. */
  writeStdin(callId: string, data: Uint8Array | null): Promise<void>;
  /** Gives the terminal of a running call another size. @throws BerthError `PTY_UNAVAILABLE`, `EXEC_UNKNOWN` */
  resize(callId: string, columns: number, rows: number): Promise<void>;
  /** The calls the sandbox still remembers. */
  calls(): Promise<ReadonlyArray<{ readonly id: string; readonly running: boolean }>>;
  /** Drops a finished call and its output from the sandbox's journal. */
  forget(callId: string): Promise<void>;

  /** Up to `length` bytes from `offset`; fewer at the end. @throws BerthError `FILE_NOT_FOUND` */
  read(
    path: string,
    options?: { offset?: number; length?: number; signal?: AbortSignal },
  ): Promise<Uint8Array>;
  /** The whole file, chunk by chunk, with back-pressure. */
  readStream(path: string, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Replaces the file (temporary file and rename) and creates missing directories. */
  write(
    path: string,
    data: Uint8Array | AsyncIterable<Uint8Array>,
    options?: { mode?: number; signal?: AbortSignal },
  ): Promise<void>;
  /** Null when there is nothing. Symbolic links are not followed. */
  stat(path: string): Promise<FileStat | null>;
  list(path: string): Promise<ReadonlyArray<{ readonly name: string; readonly stat: FileStat }>>;
  remove(path: string): Promise<void>;
  stats(): Promise<SandboxStats>;

  /** Replaces the egress policy for connections opened from now on; open ones that it forbids are reset. */
  setEgress(policy: EgressPolicy): void;
  /** Called for every decision of the egress policy. */
  onEgress(listener: (decision: EgressDecision) => void): void;
  /** Called when something beside it happened that people should know: a service ended. Absent: nothing ever does. */
  onNotice?(listener: (notice: SandboxNotice) => void): void;

  /** Lets go of the sandbox and leaves it, with its commands, to the next owner. */
  detach(): Promise<void>;
  /** Ends everything in it and removes what it left on this machine. Idempotent. */
  destroy(): Promise<void>;
}

/** A profile of the configuration with the limits that sandboxes of it have. */
export interface ProvedProfile {
  readonly profile: SandboxProfile;
  readonly limits: SandboxLimits;
}

/**
 * Makes and finds sandboxes. A driver that cannot honour what a spec asks refuses with a code; it never runs
 * with less.
 */
export interface SandboxDriver {
  readonly name: DriverName;
  /** What works here and how limits are held; `ok` when sandboxes can be made. */
  probe(signal?: AbortSignal): Promise<{ readonly ok: boolean; readonly checks: readonly DoctorCheck[] }>;
  /**
   * What is known only by trying it for real, at a cost (pods that run for seconds): for `berth doctor`, not for health.
   * Nothing stays behind. Absent: `probe` tells everything.
   */
  prove?(profiles: readonly ProvedProfile[], signal: AbortSignal): Promise<readonly DoctorCheck[]>;
  /**
   * Refuses a profile that no sandbox of this driver can ever be, before anything is made for it; absent: none is known.
   * @throws BerthError `SANDBOX_UNSUPPORTED`, `SANDBOX_DRIVER_MISSING`
   */
  assertSuits?(profile: SandboxProfile | null): void;
  create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /**
   * Finds a sandbox made earlier, maybe by a worker that died.
   * @returns null when it is gone or restarted (its `bootId` differs): its calls are interrupted.
   */
  attach(ref: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null>;
  /**
   * Gives a sandbox that was made ahead, with a spec that names no run, to the run of `spec`: whose it is, its epoch and
   * environment, what may leave it and its credentials are those of `spec` from then on; its id stays `idle.id`. Once for
   * each, and only while nothing was done in it. Absent: this driver keeps none ready.
   * @returns null when it is gone, was used or given before, or is not what `create` would make for `spec` now; then it is
   *   of no use any more, and whoever asked destroys it
   */
  assign?(idle: SandboxRef, spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox | null>;
  /** Every sandbox of this installation, for the reconciler. */
  list(): Promise<ReadonlyArray<{ readonly id: string; readonly runId: string; readonly createdMs: number }>>;
  /**
   * What the programs of a living sandbox are, as one text that differs when they do, its processor's architecture
   * included: the image that its engine resolved, or a fingerprint of the host's tool chain. Never what a process inside
   * says. Null, or no such method: it cannot be told, and no snapshot of `setup` is made or used.
   */
  fingerprint?(sandbox: Pick<SandboxSpec, 'id' | 'profile'>): Promise<string | null>;
  /** Removes one by id, whoever made it. Idempotent. */
  destroy(id: string): Promise<void>;
}
