import { errorRegistry, type ErrorCode } from '../../domain/errors/index.ts';
import type { DeliveryOutcome } from '../../store/deliveries/deliveries.ts';

/** Nothing is made of it, and why. */
export function ignored(
  code: ErrorCode,
  more: { readonly reason?: string; readonly notes?: readonly string[]; readonly trigger?: string } = {},
): DeliveryOutcome {
  return {
    state: 'ignored',
    code,
    reason: more.reason ?? errorRegistry[code].sentence,
    notes: more.notes ?? [],
    trigger: more.trigger ?? null,
    taskId: null,
  };
}

export function done(taskId: string, trigger: string, notes: readonly string[]): DeliveryOutcome {
  return { state: 'done', code: null, reason: null, notes, trigger, taskId };
}
