import { BerthError } from '../domain/errors/index.ts';
import { visible, type NewEvent } from '../domain/events/index.ts';
import { gateIdOf, type GateObjection, type GateRecord } from '../domain/gates.ts';
import type { RunContext } from '../domain/ports/run-context.ts';
import type { RunState } from '../domain/run-state.ts';

type Proposal = NonNullable<RunState['proposal']>;

/** What stands at a gate's place: nothing, an approval, a question to ask, or an answer that ends the run. */
export type GateAnswer =
  | { readonly kind: 'pass' }
  | { readonly kind: 'ask'; readonly at: GateRecord['at']; readonly objections: readonly GateObjection[] }
  | { readonly kind: 'closed'; readonly end: GateEnd };

export interface GateEnd {
  readonly code: 'GATE_REFUSED' | 'GATE_EXPIRED';
  readonly sentence: string;
}

/** Whether the run may begin. Pure. */
export function startGate({ plan, gates }: RunState): GateAnswer {
  if (plan?.gates?.at.includes('start') !== true) return { kind: 'pass' };
  const asked = gates.filter((gate) => gate.at === 'start' && !gate.isSetAside);
  if (asked.some((gate) => gate.decision?.verdict === 'approved')) return { kind: 'pass' };
  return closedBy(asked.at(-1)) ?? { kind: 'ask', at: 'start', objections: [] };
}

/**
 * Whether this very commit may be pushed, with these objections of judge and policy. An approval holds for the commit and
 * tree it was given for, and waives the objections it lists and no other. Pure.
 */
export function proposalGate(
  state: RunState,
  proposal: Proposal,
  objections: readonly GateObjection[],
): GateAnswer {
  const at = state.plan?.gates?.at ?? [];
  const asked = gatesOn(state, proposal);
  const standing = objections.filter((one) => !isWaived(state, proposal, one));
  const needsWaiver = at.includes('objection') && standing.length > 0;
  const needsApproval =
    at.includes('proposal') && !asked.some((gate) => gate.decision?.verdict === 'approved');
  if (!needsWaiver && !needsApproval) return { kind: 'pass' };
  const closed = closedBy(asked.findLast((gate) => !gate.isSetAside));
  if (closed !== null) return closed;
  return needsWaiver
    ? { kind: 'ask', at: 'objection', objections: standing }
    : { kind: 'ask', at: 'proposal', objections: [] };
}

/** Whether an approver waived exactly this objection to exactly this proposal. Pure. */
export function isWaived(state: RunState, proposal: Proposal | null, objection: GateObjection): boolean {
  return proposal !== null && waiverOf(state, proposal, objection) !== undefined;
}

/** Who waived objections to this proposal. Pure. */
export function waiversOf(state: RunState, proposal: Proposal | null): string[] {
  if (proposal === null) return [];
  const waivers = gatesOn(state, proposal).filter(
    (gate) => gate.decision?.verdict === 'approved' && gate.objections.length > 0,
  );
  return [...new Set(waivers.flatMap((gate) => gate.decision?.by ?? []))];
}

function waiverOf(state: RunState, proposal: Proposal, objection: GateObjection): GateRecord | undefined {
  return gatesOn(state, proposal).find(
    (gate) =>
      gate.decision?.verdict === 'approved' &&
      gate.objections.some(
        ({ code, sentence }) => code === objection.code && sentence === objection.sentence,
      ),
  );
}

function gatesOn({ gates }: RunState, { commit, tree, base }: Proposal): GateRecord[] {
  return gates.filter(
    ({ proposal }) => proposal?.commit === commit && proposal.tree === tree && proposal.base === base,
  );
}

function closedBy(gate: GateRecord | undefined): Extract<GateAnswer, { kind: 'closed' }> | null {
  const decision = gate?.decision ?? null;
  if (gate === undefined || decision === null || decision.verdict === 'approved') return null;
  const why = decision.comment === null ? '' : `: ${decision.comment}`;
  const end: GateEnd =
    decision.verdict === 'refused'
      ? { code: 'GATE_REFUSED', sentence: `Refused by ${decision.by}${why}` }
      : { code: 'GATE_EXPIRED', sentence: `Nobody decided before ${gate.expiresAt}` };
  return { kind: 'closed', end };
}

/** The event that opens a gate. Pure but for its number, which the state gives. */
export function gateOpened(
  state: RunState,
  ask: Extract<GateAnswer, { kind: 'ask' }>,
  proposal: Proposal | null,
  nowMs: number,
): Extract<NewEvent, { type: 'gate.opened' }> {
  const gates = state.plan?.gates;
  if (gates === undefined) throw new BerthError('INTERNAL', 'A gate was opened that nobody asked for.');
  return {
    type: 'gate.opened',
    data: {
      gateId: gateIdOf(state.runId, state.gates.length + 1),
      at: ask.at,
      reason: reasonOf(ask, proposal),
      objections: [...ask.objections],
      proposal: proposal === null ? null : lookedAt(proposal),
      selfApproval: gates.selfApproval,
      requesters: [...gates.requesters],
      expiresAt: new Date(nowMs + gates.expiresAfterMs).toISOString(),
    },
  };
}

function lookedAt({ commit, tree, base, branch, files, added, removed }: Proposal) {
  return { commit, tree, base, branch, files, added, removed };
}

function reasonOf(
  { at, objections }: Extract<GateAnswer, { kind: 'ask' }>,
  proposal: Proposal | null,
): string {
  if (proposal === null) return 'the project asks for approval before a run starts';
  const { files, added, removed, tree } = proposal;
  const change = `${files} ${files === 1 ? 'file' : 'files'} +${added} -${removed}, tree ${tree.slice(0, 10)}`;
  if (at === 'proposal') return change;
  return `${cut(visible(objections.map((one) => one.sentence).join('; ')))}; ${change}`;
}

/** A judge can be long; the objections stand in full beside it. */
function cut(text: string): string {
  const characters = Array.from(text);
  return characters.length <= 300 ? text : `${characters.slice(0, 299).join('')}…`;
}

/**
 * Asks, and lets go of every sandbox first: what waits for a person, perhaps for days, holds nothing. A crash in between
 * finds the proposal in the log and asks again.
 */
export async function openGate(
  ctx: RunContext,
  ask: Extract<GateAnswer, { kind: 'ask' }>,
  proposal: Proposal | null,
): Promise<void> {
  for (const purpose of ['work', 'verify', 'baseline'] as const) await ctx.workbench.release(purpose);
  await ctx.events.append(gateOpened(ctx.log.state(), ask, proposal, ctx.clock.nowMs()));
}
