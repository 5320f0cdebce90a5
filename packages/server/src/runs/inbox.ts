import { BerthError } from '../domain/errors/index.ts';
import type { NewEvent } from '../domain/events/index.ts';
import { selfApprovalObjection, type GateRecord } from '../domain/gates.ts';
import type { InboxEntry, InboxRequest } from '../domain/inbox.ts';
import { mayGoOn } from '../domain/resume.ts';
import type { RunState } from '../domain/run-state.ts';

/** What an inbox entry comes to: events for the log, and for a pause or a cancel, why the work stops. */
export interface TakenIn {
  readonly events: readonly NewEvent[];
  readonly stop: BerthError | null;
}

const nothing: TakenIn = { events: [], stop: null };

/** Turns what somebody asked of a run into what happens, given its present state. Pure. */
export function takeIn(entry: InboxEntry, state: RunState): TakenIn {
  const { request, by } = entry;
  switch (request.kind) {
    case 'message': {
      if (state.ended !== null) return nothing;
      const { text, mode } = request;
      return {
        events: [{ type: 'message.received', data: { messageId: entry.id, by, text, mode } }],
        stop: null,
      };
    }
    case 'pause':
      if (state.ended !== null || state.paused !== null) return nothing;
      return {
        events: [{ type: 'run.paused', data: { by, reason: request.reason } }],
        stop: new BerthError('RUN_PAUSED', request.reason),
      };
    case 'resume':
      if (state.paused === null && !mayGoOn(state)) return nothing;
      return { events: [{ type: 'run.resumed', data: { by, limits: request.limits } }], stop: null };
    case 'gate':
      return decided(entry, request, state.gate);
    case 'cancel':
      if (state.ended !== null || state.cancelRequestedBy !== null) return nothing;
      return {
        events: [{ type: 'run.cancel-requested', data: { by } }],
        stop: new BerthError('RUN_CANCELLED', `Cancelled by ${by}`),
      };
  }
}

/**
 * A decision counts only for the gate that is open now, and the rule about one's own task is asked again here: whoever
 * wrote to the inbox, this is the last place before it becomes an event.
 */
function decided(
  { id, by }: InboxEntry,
  { gateId, verdict, comment, alsoBy }: Extract<InboxRequest, { kind: 'gate' }>,
  gate: GateRecord | null,
): TakenIn {
  if (gate === null || gate.id !== gateId) return nothing;
  if (verdict === 'approved' && selfApprovalObjection(gate, [by, ...alsoBy]) !== null) return nothing;
  return {
    events: [{ type: 'gate.decided', data: { gateId, verdict, by, comment, requestId: id } }],
    stop: null,
  };
}
