import { BerthError } from '../../domain/errors/index.ts';
import { visible } from '../../domain/events/index.ts';
import { endWords, prepare, type Prepared } from '../prepared.ts';
import { attemptOf, failed, passed, planned, skipped, type StepFunction, type StepOutcome } from './step.ts';

/** Prepares the work sandbox with the blueprint's commands; each has only the egress it names. */
export const setupStep: StepFunction = async (ctx, _deps, visit) => {
  const { plan } = planned(ctx);
  const count = plan.blueprint.setup.length;
  const attempt = await attemptOf(ctx, visit);
  const prepared = await prepare(ctx, plan, { purpose: 'work', step: visit.key, attempt });
  if (!prepared.ok) return setupFailure(prepared);
  if (Object.hasOwn(ctx.log.state().snapshots.restored, prepared.sandboxId)) {
    return passed('restored from a snapshot of the default branch');
  }
  return count === 0
    ? skipped('no setup is needed')
    : passed(`${count === 1 ? '1 command' : `${count} commands`} ran`);
};

/** A failed setup as the outcome of a step: the command, how it ended, and the last of its output. */
export function setupFailure(prepared: Prepared & { ok: false }, where = ''): StepOutcome {
  const { command, outcome } = prepared;
  const tail = outcome.tail.trim().split('\n').slice(-12).map(visible).join('\n').slice(-1200);
  const sentence = `setup${where} failed: \`${brief(command.run)}\` ${endWords(outcome.result, command)}`;
  return failed('SETUP_FAILED', tail === '' ? sentence : `${sentence}\n${tail}`);
}

function brief(script: string): string {
  const line = visible(script.trim().split('\n')[0] ?? '');
  return line.length <= 80 ? line : `${line.slice(0, 79)}…`;
}

/** A setup that failed where no step can report it: the run cannot go on. */
export function setupError(prepared: Prepared & { ok: false }, where = ''): BerthError {
  return new BerthError('SETUP_FAILED', setupFailure(prepared, where).sentence);
}
