import type { Command } from '../domain/blueprint.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { CommandResult } from '../domain/events/index.ts';
import type {
  CommandOutcome,
  DurableCommand,
  RunContext,
  SetupSnapshots,
} from '../domain/ports/run-context.ts';
import type { RunState } from '../domain/run-state.ts';
import type { SandboxPurpose } from '../domain/purpose.ts';
import type { Plan } from './steps/step.ts';

/** How often work that needs a prepared sandbox is begun anew because the sandbox was lost under it. */
const maxLosses = 3;

export type Prepared =
  | { readonly ok: true; readonly sandboxId: string }
  | { readonly ok: false; readonly command: Command; readonly outcome: CommandOutcome };

/** Whether a plan's `setup` commands are to run at all. */
function setupOf(plan: Plan): readonly Command[] {
  return plan.blueprint.steps.some((step) => step.step === 'setup') ? plan.blueprint.setup : [];
}

function setupId(purpose: SandboxPurpose, sandboxId: string, attempt: number, place: number): string {
  return `setup/${purpose}/${sandboxId}/${place + 1}${attempt === 0 ? '' : `@${attempt + 1}`}`;
}

/**
 * Makes sure that `setup` has run in the live sandbox of that purpose, or that a snapshot of it was restored there. Its commands carry the sandbox's id in
 * theirs: the same sandbox is set up once, whatever crashed in between, and one that replaces a lost one again.
 */
export async function prepare(
  ctx: RunContext,
  plan: Plan,
  request: { readonly purpose: SandboxPurpose; readonly step: string; readonly attempt?: number },
): Promise<Prepared> {
  const { purpose, step, attempt = 0 } = request;
  for (let losses = 0; ; losses += 1) {
    const sandboxId = (await ctx.workbench.sandbox(purpose)).ref.id;
    if (isPrepared(ctx.log.state(), plan, purpose, sandboxId)) return { ok: true, sandboxId };
    const snapshot = await snapshotFor(ctx, plan, purpose);
    if (snapshot.kind !== 'none') {
      // What of a failed one lies in there is not wanted; the next sandbox is set up for real.
      if (snapshot.kind === 'failed') await ctx.workbench.release(purpose);
      if (losses > maxLosses) throw lostAgain();
      continue;
    }
    let moved = false;
    for (const [place, command] of setupOf(plan).entries()) {
      const outcome = await runCommand(ctx, purpose, {
        id: setupId(purpose, sandboxId, attempt, place),
        step,
        purpose: 'setup',
        name: `setup ${place + 1}`,
        command,
      });
      moved = ranIn(ctx.log.state(), outcome.id) !== sandboxId;
      if (moved) break;
      if (!succeeded(outcome.result)) return { ok: false, command, outcome };
    }
    if (!moved) {
      if (purpose === 'work' && snapshot.key !== null)
        await ctx.workbench.snapshots?.make(sandboxId, snapshot.key);
      return { ok: true, sandboxId };
    }
    if (losses >= maxLosses) throw lostAgain();
  }
}

function lostAgain(): BerthError {
  return new BerthError('SANDBOX_LOST', 'The sandbox was lost again and again during setup');
}

async function snapshotFor(
  ctx: RunContext,
  plan: Plan,
  purpose: SandboxPurpose,
): ReturnType<SetupSnapshots['restore']> {
  const { snapshots } = ctx.workbench;
  if (snapshots === undefined || setupOf(plan).length === 0) return { kind: 'none', key: null };
  return snapshots.restore(purpose);
}

/**
 * Runs a command in a sandbox that is set up. When the sandbox is lost under it, its replacement is set up first
 * and the command runs there under an id of its own.
 */
export async function runPrepared(
  ctx: RunContext,
  plan: Plan,
  purpose: SandboxPurpose,
  command: DurableCommand,
): Promise<{ readonly setup: Prepared & { ok: false } } | { readonly outcome: CommandOutcome }> {
  for (let losses = 0; ; losses += 1) {
    const id = losses === 0 ? command.id : `${command.id}+${losses}`;
    const known = ctx.log.state().commands[id];
    if (known === undefined || known.end === null) {
      const prepared = await prepare(ctx, plan, { purpose, step: command.step });
      if (!prepared.ok) return { setup: prepared };
    }
    const outcome = await runCommand(ctx, purpose, { ...command, id });
    const ran = ranIn(ctx.log.state(), id);
    if (outcome.result.lost === null && ran !== null && isPrepared(ctx.log.state(), plan, purpose, ran)) {
      return { outcome };
    }
    if (losses >= maxLosses) {
      throw new BerthError('SANDBOX_LOST', `The sandbox was lost again and again during ${command.name}`);
    }
  }
}

/** One durable command with exactly the egress it names, and none afterwards. */
async function runCommand(
  ctx: RunContext,
  purpose: SandboxPurpose,
  command: DurableCommand,
): Promise<CommandOutcome> {
  const known = ctx.log.state().commands[command.id];
  if (known !== undefined && known.end !== null) return ctx.workbench.command(purpose, command);
  await ctx.workbench.setEgress(purpose, { rules: command.command.egress });
  try {
    return await ctx.workbench.command(purpose, command);
  } finally {
    if (command.command.egress.length > 0 && !ctx.signal.aborted) {
      await ctx.workbench.setEgress(purpose, { rules: [] });
    }
  }
}

function ranIn(state: RunState, id: string): string | null {
  return state.commands[id]?.sandboxId ?? null;
}

/** Whether a snapshot stands for setup in that sandbox, or every setup command ended well there, in whatever attempt. */
function isPrepared(state: RunState, plan: Plan, purpose: SandboxPurpose, sandboxId: string): boolean {
  if (Object.hasOwn(state.snapshots.restored, sandboxId)) return true;
  return setupOf(plan).every((_, place) => {
    const first = setupId(purpose, sandboxId, 0, place);
    return Object.values(state.commands).some(
      (command) =>
        (command.id === first || command.id.startsWith(`${first}@`)) &&
        command.sandboxId === sandboxId &&
        command.end !== null &&
        succeeded(command.end.result),
    );
  });
}

export function succeeded(result: CommandResult): boolean {
  return result.exitCode === 0 && !result.timedOut && !result.outOfMemory && result.lost === null;
}

/** How a command ended, in words: `exit code 1`, `stopped after 10 minutes` … */
export function endWords(result: CommandResult, command: Pick<Command, 'timeoutMinutes'>): string {
  if (result.lost !== null) return `was lost with its ${result.lost}`;
  if (result.timedOut) {
    return `did not end within ${command.timeoutMinutes} ${command.timeoutMinutes === 1 ? 'minute' : 'minutes'} and was stopped`;
  }
  if (result.outOfMemory) return 'was ended by the memory limit';
  if (result.exitCode === null) return `was ended by ${result.signal ?? 'a signal'}`;
  return `ended with exit code ${result.exitCode}`;
}

/** The whole output of a command as text, from its blob; the tail when the blob is gone. Cut at 4 MiB. */
export async function outputText(ctx: RunContext, outcome: CommandOutcome): Promise<string> {
  if (outcome.output === null) return outcome.tail;
  const most = 4 * 1024 * 1024;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Failures stand at the end of outputs more often than at the beginning: the end is kept.
  for await (const chunk of ctx.blobs.stream(outcome.output)) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    while (chunks.length > 1 && bytes - chunks[0]!.byteLength >= most) bytes -= chunks.shift()!.byteLength;
  }
  const all = Buffer.concat(chunks);
  return all.subarray(Math.max(0, all.byteLength - most)).toString('utf8');
}
