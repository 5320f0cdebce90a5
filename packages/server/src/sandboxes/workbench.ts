import { createEgressAccount, type EgressAccount, isWorthRecording } from '../domain/egress-account.ts';
import type { CurrentEgressBounds, EgressDecision, EgressPolicy } from '../domain/egress.ts';
import { noEgressFor } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { Blobs } from '../domain/ports/blobs.ts';
import type { Redactor } from '../domain/ports/redaction.ts';
import type { DurableCommand, Workbench } from '../domain/ports/run-context.ts';
import type { Sandbox } from '../domain/ports/sandbox.ts';
import type { SandboxPurpose } from '../domain/purpose.ts';
import { checkpointer } from './checkpointer.ts';
import { type DurableCommandParts, runDurably } from './durable-command.ts';
import { stepEgress, type GivenEgress } from './step-egress.ts';
import { setupSnapshots } from './snapshots/setup-snapshots.ts';
import type { SnapshotSource } from './snapshots/source.ts';
import { sandboxSlot, type SandboxSlot, type SandboxSlotParts } from './sandbox-slot.ts';

/** Where the repository lies in every sandbox: inside the mount, so that git's ownership check is content. */
export const repositoryPath = '/workspace/repo';
/** A hostile sandbox can decide egress a million times; the log takes this many different decisions. */
const maxEgressEvents = 200;

export type WorkbenchParts = Omit<SandboxSlotParts, 'onEgress' | 'restoreSetup' | 'egressBounds'> & {
  readonly blobs: Blobs;
  /** Output of commands passes it before it is stored or shown. */
  readonly redaction?: Redactor;
  /** What the configuration allows this run; it can shrink while the run goes on. */
  readonly egressBounds?: CurrentEgressBounds;
  /** What it gives to the steps of this run, beside the blueprint's rules; absent: nothing. */
  readonly egressGiven?: GivenEgress;
  /** Where snapshots of setup come from and go to; absent: there are none. */
  readonly snapshots?: SnapshotSource;
  /** Told of every refusal, also of those beyond what the log takes. */
  readonly onEgressRefused?: (decision: EgressDecision) => void;
};

/**
 * Checkpoints between those of the steps' ends take at most 1 MiB of disk a second on average: a sandbox that changes
 * 256 MiB with every call would otherwise fill its host.
 */
const savedBytesPerMs = 1024 * 1.024;

/** A workbench that its owner can also put down. */
export interface OwnedWorkbench extends Workbench {
  /**
   * Saves the working tree after the run's own signal was aborted, in the sandbox that is in hand; nothing where there is
   * none.
   */
  saveAtRest(signal: AbortSignal): Promise<void>;
  /** Leaves living sandboxes, with their running commands, to the next owner. */
  detach(): Promise<void>;
  /** Follows the configuration no longer. Its owner calls it last. */
  close(): void;
}

/** Puts a run's sandboxes, durable commands and checkpoints together. */
export function createWorkbench(parts: WorkbenchParts): OwnedWorkbench {
  const { egressBounds, egressGiven = () => noEgressFor, ...rest } = parts;
  const bounds = (): ReturnType<CurrentEgressBounds['current']> => egressBounds?.current() ?? {};
  const bounded = (policy: EgressPolicy): EgressPolicy => ({ ...policy, ...bounds() });
  const moved = movedRecorder(parts);
  const slotParts: SandboxSlotParts = {
    ...rest,
    egressAccount: moved.account,
    egressBounds: bounds,
    onEgress: egressRecorder(parts),
    restoreSetup,
  };
  /** A sandbox that is set up anew, which its slot does not have yet. */
  let restoring: { readonly sandbox: Sandbox; readonly policy: () => EgressPolicy } | null = null;
  const stopFollowing = egressBounds?.onChange(() => {
    egress.refresh();
    for (const slot of Object.values(slots)) slot.refreshEgress();
    restoring?.sandbox.setEgress(bounded(restoring.policy()));
  });
  const slots: Record<SandboxPurpose, SandboxSlot> = {
    work: sandboxSlot('work', slotParts),
    verify: sandboxSlot('verify', slotParts),
    baseline: sandboxSlot('baseline', slotParts),
  };
  const egress = stepEgress(egressGiven, (purpose, policy) => slots[purpose].setEgress(policy));
  const checkpoints = checkpointer(saveWork, () => parts.log.state().checkpoint, parts.events);

  let restUntilMs = -Infinity;
  let atRest: { readonly sandbox: Sandbox; readonly signal: AbortSignal } | null = null;

  async function saveWork(): ReturnType<WorkbenchParts['repository']['saveCheckpoint']> {
    const state = parts.log.state();
    if (state.plan === null)
      throw new BerthError('INTERNAL', 'A checkpoint was asked for before the run was planned.');
    const sandbox = await (atRest?.sandbox ?? slots.work.get());
    const id = `checkpoint-${state.seq + 1}`;
    const base = state.plan.base.commit;
    const saved = await parts.repository.saveCheckpoint(sandbox, {
      id,
      base,
      signal: atRest?.signal ?? parts.signal,
    });
    restUntilMs = parts.clock.monotonicMs() + saved.bytes / savedBytesPerMs;
    return saved;
  }

  function commandParts(purpose: SandboxPurpose, sandbox: () => Promise<Sandbox>): DurableCommandParts {
    return {
      ...parts,
      repositoryPath,
      async sandbox(command) {
        const policy = egress.forCommand(purpose, command);
        const ready = await sandbox();
        ready.setEgress(bounded(policy));
        return ready;
      },
      done: () => egress.rest(purpose),
    };
  }

  async function restoreSetup(sandbox: Sandbox): Promise<void> {
    const purpose: SandboxPurpose = 'work';
    const setup = parts.log.state().plan?.blueprint.setup ?? [];
    for (const [index, command] of setup.entries()) {
      // The ids the steps use: what has run here is not run again by them.
      const id = `setup/${purpose}/${sandbox.ref.id}/${index + 1}`;
      const name = `setup ${index + 1}`;
      const durable: DurableCommand = { id, step: 'setup', purpose: 'setup', name, command };
      restoring = { sandbox, policy: () => ({ rules: egress.rulesFor(purpose, durable) }) };
      const { result } = await runDurably(
        durable,
        commandParts(purpose, async () => sandbox),
      ).finally(() => {
        restoring = null;
      });
      if (result.exitCode !== 0) {
        throw new BerthError(
          'SANDBOX_LOST',
          `The sandbox was replaced, and in the new one setup failed: ${command.run}`,
        );
      }
    }
  }

  return {
    repositoryPath,
    sandbox: (purpose) => slots[purpose].get(),
    command: (purpose, command) =>
      runDurably(
        command,
        commandParts(purpose, () => slots[purpose].get()),
      ),
    async setEgress(purpose, policy) {
      egress.set(purpose, policy);
    },
    duringAgent: (work) => egress.duringAgent(work),
    checkpointSoon() {
      if (parts.clock.monotonicMs() >= restUntilMs) checkpoints.soon();
    },
    async checkpoint() {
      const { tree, proposalTree } = await checkpoints.now();
      return { tree, proposalTree };
    },
    ...(parts.snapshots === undefined
      ? {}
      : {
          snapshots: setupSnapshots({
            ...parts,
            source: parts.snapshots,
            sandbox: (purpose) => slots[purpose].get(),
          }),
        }),
    release: (purpose) => slots[purpose].destroy(),
    async saveAtRest(signal) {
      await checkpoints.settled();
      const sandbox = await slots.work.held();
      if (sandbox === null) return;
      atRest = { sandbox, signal };
      await checkpoints.now().finally(() => {
        atRest = null;
      });
    },
    async detach() {
      await checkpoints.settled();
      await Promise.all(Object.values(slots).map((slot) => slot.detach()));
      await moved.record();
    },
    close: () => stopFollowing?.(),
  };
}

/** The account of the run's traffic, recorded as it grows. */
function movedRecorder({ log, events }: WorkbenchParts): {
  readonly account: EgressAccount;
  record(): Promise<void>;
} {
  let recorded = log.state().egressMoved;
  const account = createEgressAccount(recorded);
  const record = async (): Promise<void> => {
    const data = account.moved();
    if (data.up === recorded.up && data.down === recorded.down) return;
    recorded = data;
    await events.append({ type: 'egress.moved', data }).catch(() => undefined);
  };
  return {
    account: {
      ...account,
      add(host, up, down) {
        account.add(host, up, down);
        if (isWorthRecording(recorded, account.all())) void record();
      },
    },
    record,
  };
}

/** Records each different decision once, up to a bound. */
function egressRecorder(parts: WorkbenchParts): (decision: EgressDecision) => void {
  const seen = new Set<string>();
  return (decision) => {
    if (!decision.allowed) parts.onEgressRefused?.(decision);
    const { host, port, allowed, reason, contents = '', method = '' } = decision;
    const key = `${host}:${port} ${allowed} ${reason} ${contents} ${method}`;
    if (seen.has(key) || seen.size >= maxEgressEvents) return;
    seen.add(key);
    parts.events.append({ type: 'egress.decided', data: decision }).catch(() => undefined);
  };
}
