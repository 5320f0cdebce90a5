import type { GatePoint } from './config/projects.ts';
import type { EventData } from './events/index.ts';

/** What a project asks approval for, as a run's plan pins it. */
export type PlannedGates = NonNullable<EventData<'run.planned'>['gates']>;

export type GateVerdict = EventData<'gate.decided'>['verdict'];
export type GateObjection = EventData<'gate.opened'>['objections'][number];

/** A gate of a run, as its log tells. */
export interface GateRecord extends Omit<EventData<'gate.opened'>, 'gateId'> {
  readonly id: string;
  readonly openedAt: string;
  /** Null: open, or withdrawn because the run was cancelled. */
  readonly decision: {
    readonly verdict: GateVerdict;
    readonly by: string;
    readonly comment: string | null;
    readonly requestId: string;
    readonly at: string;
  } | null;
  /** The run went on after an end that this gate brought: it is asked anew. */
  readonly isSetAside: boolean;
}

/** `g-` and what follows in the run's id, with the number of the gate: the run is found by it, and no table is needed. */
export function gateIdOf(runId: string, number: number): string {
  return `g-${runId.replace(/^r-/, '')}-${number}`;
}

/** What a gate's id names; the number is null where only the run is named: its open gate is meant. */
export function readGateId(text: string): { readonly runId: string; readonly number: number | null } {
  const [, run = '', number] = /^(?:g-|r-)?(.*?)(?:-(\d{1,6}))?$/s.exec(text) ?? [];
  return {
    runId: text === 'latest' ? text : `r-${run}`,
    number: number === undefined ? null : Number(number),
  };
}

/** What is asked, in the words of a status. */
export const gateWords: Readonly<Record<GatePoint, string>> = {
  start: 'before the run starts',
  proposal: 'before the change is pushed',
  objection: 'although judge or policy objects',
};

/** Who may decide. Pure; made from the gate, so that it says the same everywhere. */
export function whoMay(gate: Pick<GateRecord, 'selfApproval' | 'requesters'>): string {
  const but = gate.selfApproval ? '' : `, but not ${gate.requesters.join(' or ')}, whose task it is`;
  return `an approver of the project${but}`;
}

/** `2026-01-02 03:04 UTC`. */
export function minuteOf(instant: string): string {
  const date = new Date(instant);
  return Number.isNaN(date.getTime())
    ? 'an unknown time'
    : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Why somebody may not approve; null: this rule has nothing against it. */
export function selfApprovalObjection(
  gate: Pick<GateRecord, 'selfApproval' | 'requesters'>,
  actors: readonly string[],
): string | null {
  if (gate.selfApproval) return null;
  const own = actors.find((actor) => gate.requesters.includes(actor));
  return own === undefined
    ? null
    : `The project lets nobody approve their own task, and this one is ${own}’s.`;
}
