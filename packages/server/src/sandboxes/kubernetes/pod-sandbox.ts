import type { ExecOptions, ExecRequest, ExecResult } from '../../domain/ports/sandbox.ts';
import { ChannelSandbox, type ChannelSandboxOptions } from '../channel-sandbox.ts';
import type { PodTracker } from './pod-tracker.ts';

/** The kubelet looks at its containers once a second, and tells the API server a little later. */
const statusWithinMs = 3_000;

export interface PodSandboxOptions extends ChannelSandboxOptions {
  readonly tracker: PodTracker;
  /** What `SandboxSpec.env` says: it goes with each command and is never written into the pod's spec. */
  readonly env: Readonly<Record<string, string>>;
}

/** A sandbox that is a pod: its commands bring their environment, and a runner that died is looked up in the status. */
export class PodSandbox extends ChannelSandbox {
  readonly #pod: PodSandboxOptions;

  constructor(options: PodSandboxOptions) {
    super(options);
    this.#pod = options;
  }

  override async exec(request: ExecRequest, options: ExecOptions): Promise<ExecResult> {
    const { tracker, env } = this.#pod;
    const before = restartsOf(tracker);
    const startedMs = performance.now();
    const result = await super.exec({ ...request, env: { ...env, ...request.env } }, options);
    if (result.kind !== 'lost' || result.what !== 'runner') return result;
    // A runner also dies of its own: then `work` goes on, and there is nothing to wait for.
    const killed = await tracker.until(
      (state) =>
        state.kind === 'running' &&
        state.work.wasOutOfMemory &&
        (!state.work.isUp || state.work.restarts > before),
      statusWithinMs,
    );
    if (killed === null) return result;
    return {
      kind: 'exited',
      exitCode: null,
      signal: 'SIGKILL',
      timedOut: false,
      outOfMemory: true,
      truncated: false,
      durationMs: Math.round(performance.now() - startedMs),
    };
  }
}

function restartsOf(tracker: PodTracker): number {
  const state = tracker.state();
  return state?.kind === 'running' ? state.work.restarts : 0;
}
