import type { EgressAccount } from '../domain/egress-account.ts';
import { BerthError } from '../domain/errors/index.ts';
import {
  type CredentialBroker,
  type EgressBounds,
  type EgressDecision,
  type EgressPolicy,
  noEgress,
} from '../domain/egress.ts';
import type { EventData } from '../domain/events/index.ts';
import type { Clock } from '../domain/ports/clock.ts';
import type { EventSink } from '../domain/ports/event-sink.ts';
import type { RunLog } from '../domain/ports/run-context.ts';
import type { Sandbox, SandboxDriver, SandboxLimits, SandboxSpec } from '../domain/ports/sandbox.ts';
import type { SandboxPurpose } from '../domain/purpose.ts';
import type { RunState } from '../domain/run-state.ts';
import type { RepositoryDelivery } from './repository-delivery.ts';

/** What a sandbox that is made now is given. */
export interface GivenSecrets {
  /** Forwarded values, and placeholders of credentials. */
  readonly env: Readonly<Record<string, string>>;
  readonly exposed: readonly string[];
  readonly brokered: EventData<'secrets.given'>['brokered'];
}

export interface RunSecrets {
  readonly credentials: CredentialBroker;
  /**
   * Read anew for each sandbox, so that one that replaces another has what counts by then. Every value is known to the
   * redactor once this resolves.
   * @throws BerthError `SECRET_MISSING`, `SECRET_UNAVAILABLE`, `SANDBOX_ENV_REFUSED`
   */
  readonly given: (signal: AbortSignal) => Promise<GivenSecrets>;
}

export interface SandboxSlotParts {
  readonly runId: string;
  readonly epoch: number;
  readonly driver: SandboxDriver;
  readonly limits: SandboxLimits;
  readonly profile: SandboxSpec['profile'];
  readonly events: EventSink;
  readonly log: RunLog;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly repository: RepositoryDelivery;
  readonly onEgress: (decision: EgressDecision) => void;
  /** What cuts every policy now; none: nothing does. */
  readonly egressBounds?: () => EgressBounds;
  /** Counts what all sandboxes of the run move; none: each for itself. */
  readonly egressAccount?: EgressAccount;
  /** What the project's sandboxes are given; none: nothing. */
  readonly secrets?: RunSecrets;
  newSandboxId(): string;
  /** Runs the blueprint's setup in a sandbox that replaces one where it had run already. */
  restoreSetup(sandbox: Sandbox): Promise<void>;
}

interface LossReason {
  readonly code: string;
  readonly sentence: string;
}

/** The one sandbox of a purpose: found again, or made and filled; never two at once. */
export interface SandboxSlot {
  get(): Promise<Sandbox>;
  /** The living one that is in hand; null: none is, and none is looked for. */
  held(): Promise<Sandbox | null>;
  setEgress(policy: EgressPolicy): void;
  /** Puts what `egressBounds` says now over the policy that is set. */
  refreshEgress(): void;
  /** Leaves it to the next owner. */
  detach(): Promise<void>;
  destroy(): Promise<void>;
}

export function sandboxSlot(purpose: SandboxPurpose, parts: SandboxSlotParts): SandboxSlot {
  let current: Promise<Sandbox> | null = null;
  let loss: LossReason | null = null;
  let policy = noEgress;

  const bounded = (wanted: EgressPolicy): EgressPolicy => ({ ...wanted, ...parts.egressBounds?.() });
  const apply = (): void => {
    void current?.then(
      (sandbox) => sandbox.setEgress(bounded(policy)),
      () => undefined,
    );
  };

  const adopt = (sandbox: Sandbox): Sandbox => {
    loss = null;
    sandbox.setEgress(bounded(policy));
    sandbox.onEgress(parts.onEgress);
    sandbox.onNotice?.((notice) => {
      const data = { purpose, id: sandbox.ref.id, ...notice };
      parts.events.append({ type: 'sandbox.noticed', data }).catch(() => undefined);
    });
    void sandbox.lost.then((reason) => {
      loss = reason;
    });
    return sandbox;
  };

  const find = async (): Promise<Sandbox> => {
    const ref = parts.log.state().sandboxes[purpose];
    if (ref !== null) {
      const wanted = commitFor(purpose, parts.log.state());
      const found =
        ref.commit === wanted
          ? await parts.driver.attach(ref, specOf(ref.id, purpose, parts), parts.signal)
          : null;
      if (found !== null) return adopt(found);
      await recordLoss(
        purpose,
        ref.id,
        { code: 'SANDBOX_LOST', sentence: 'It was gone when the run went on.' },
        parts,
      );
      await parts.driver.destroy(ref.id);
    }
    return adopt(await make(purpose, bounded(policy), parts));
  };

  /** Takes the one that was lost out of the way. Whoever asks meanwhile waits for it, and meets the replacement. */
  let replacing: Promise<void> | null = null;
  const putAside = async (lost: Promise<Sandbox>, reason: LossReason): Promise<void> => {
    const gone = await lost;
    await recordLoss(purpose, gone.ref.id, reason, parts);
    current = null;
    loss = null;
    await gone.destroy().catch(() => undefined);
  };

  return {
    async get() {
      parts.signal.throwIfAborted();
      if (current !== null && loss !== null) {
        replacing ??= putAside(current, loss).finally(() => {
          replacing = null;
        });
      }
      await replacing;
      current ??= find().catch((error: unknown) => {
        current = null;
        throw error;
      });
      return current;
    },
    async held() {
      const sandbox = (await current?.catch(() => null)) ?? null;
      return loss === null ? sandbox : null;
    },
    setEgress(next) {
      policy = next;
      apply();
    },
    refreshEgress: apply,
    async detach() {
      await current?.then(
        (sandbox) => sandbox.detach(),
        () => undefined,
      );
      current = null;
    },
    async destroy() {
      const ref = parts.log.state().sandboxes[purpose];
      const live = await current?.catch(() => null);
      current = null;
      if (live !== null && live !== undefined) await live.destroy();
      if (ref === null) return;
      await parts.driver.destroy(ref.id);
      await parts.events.append({ type: 'sandbox.destroyed', data: { purpose, id: ref.id } });
    },
  };
}

async function recordLoss(
  purpose: SandboxPurpose,
  id: string,
  reason: LossReason,
  parts: SandboxSlotParts,
): Promise<void> {
  if (parts.log.state().sandboxes[purpose]?.id !== id) return;
  await parts.events.append({ type: 'sandbox.lost', data: { purpose, id, ...reason } });
}

/** Makes and fills a sandbox. It is recorded only when it is whole; one that a crash left half made is an orphan. */
async function make(
  purpose: SandboxPurpose,
  policy: EgressPolicy,
  parts: SandboxSlotParts,
): Promise<Sandbox> {
  const { log, clock, signal, repository } = parts;
  const startedMs = clock.monotonicMs();
  const state = log.state();
  const commit = commitFor(purpose, state);
  const base = planOf(state).base.commit;
  const checkpoint = purpose === 'work' ? state.checkpoint : null;
  const given = await parts.secrets?.given(signal);
  const empty = specOf(parts.newSandboxId(), purpose, parts);
  const spec = { ...empty, egress: policy, env: given?.env ?? {} };
  if (given !== undefined) await recordGiven(spec, given, parts);
  const sandbox = await parts.driver.create(spec, signal);
  const createMs = Math.round(clock.monotonicMs() - startedMs);
  try {
    // One that was ready has another id than the one that was foreseen.
    if (given !== undefined && sandbox.ref.id !== spec.id)
      await recordGiven({ ...spec, id: sandbox.ref.id }, given, parts);
    await repository.deliver(sandbox, { commit, branch: branchOf(state), signal });
    if (checkpoint !== null) await repository.restoreCheckpoint(sandbox, { checkpoint, base, signal });
    if (purpose === 'work' && setupHadRun(state)) await parts.restoreSetup(sandbox);
    await parts.events.append({
      type: 'sandbox.created',
      data: {
        purpose,
        ref: sandbox.ref,
        commit,
        durationMs: Math.round(clock.monotonicMs() - startedMs),
        restoredFrom: checkpoint?.id ?? null,
        // One that was ready keeps the id it was made with.
        warm: sandbox.ref.id !== spec.id,
        createMs,
      },
    });
    return sandbox;
  } catch (error) {
    await sandbox.destroy().catch(() => undefined);
    throw error;
  }
}

/** Before the sandbox is there: whatever becomes of this worker, it is on record what code inside could read. */
async function recordGiven(
  { id: sandboxId, purpose }: SandboxSpec,
  { exposed, brokered }: GivenSecrets,
  { events }: SandboxSlotParts,
): Promise<void> {
  if (exposed.length === 0 && brokered.length === 0) return;
  await events.append({
    type: 'secrets.given',
    data: { purpose, sandboxId, exposed: [...exposed], brokered: [...brokered] },
  });
}

function setupHadRun(state: RunState): boolean {
  return state.steps.some((step) => step.kind === 'setup' && step.state === 'passed');
}

function commitFor(purpose: SandboxPurpose, state: RunState): string {
  switch (purpose) {
    case 'work':
    case 'baseline':
      return planOf(state).base.commit;
    case 'verify':
      if (state.proposal === null)
        throw new BerthError('INTERNAL', 'A verify sandbox was asked for before there was a proposal.');
      return state.proposal.commit;
  }
}

function planOf(state: RunState): NonNullable<RunState['plan']> {
  if (state.plan === null)
    throw new BerthError('INTERNAL', 'A sandbox was asked for before the run was planned.');
  return state.plan;
}

function branchOf(state: RunState): string {
  return state.created?.branch ?? 'work';
}

function specOf(id: string, purpose: SandboxPurpose, parts: SandboxSlotParts): SandboxSpec {
  return {
    id,
    runId: parts.runId,
    purpose,
    epoch: parts.epoch,
    limits: parts.limits,
    env: {},
    egress: noEgress,
    ...(parts.secrets === undefined ? {} : { credentials: parts.secrets.credentials }),
    ...(parts.egressAccount === undefined ? {} : { egressAccount: parts.egressAccount }),
    profile: parts.profile,
  };
}
