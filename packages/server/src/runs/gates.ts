import type { VisibleProjects } from '../domain/access.ts';
import { BerthError } from '../domain/errors/index.ts';
import { gateView, type GateView } from '../domain/gate-view.ts';
import { readGateId, selfApprovalObjection, type GateRecord } from '../domain/gates.ts';
import { newId } from '../domain/ids.ts';
import type { Decider, GateDecision, Gates } from '../domain/ports/gates.ts';
import type { RunState } from '../domain/run-state.ts';
import type { Database } from '../store/database.ts';
import { postDecision, type Posted } from '../store/gates/post-decision.ts';
import { listRuns } from '../store/runs/list-runs.ts';
import { loadRunState } from '../store/runs/load-run-state.ts';
import { readTask } from '../store/runs/read-task.ts';
import type { RunRecord } from '../store/runs/run-record.ts';
import { findToken } from '../store/tokens/tokens.ts';
import { findRun } from './find-run.ts';
import { settled } from './settled.ts';

interface Found {
  readonly record: RunRecord;
  readonly state: RunState;
  readonly gate: GateRecord;
}

/** Gates over the log of their runs; a decision goes through the inbox and becomes an event with the run's owner. */
export function gatesOf(db: Database): Gates {
  return {
    async listOpen({ visible, project, cursor, limit }) {
      const filter = { visible, isAtGate: true, ...(project === undefined ? {} : { project }) };
      const page = await listRuns(db, { filter, limit, ...(cursor === undefined ? {} : { cursor }) });
      const gates = await Promise.all(
        page.runs.flatMap((record) => (record.gate === null ? [] : [viewOf(db, record, record.gate, true)])),
      );
      return { gates, next: page.cursor };
    },
    async get(id) {
      const { record, state, gate } = await foundGate(db, id);
      return viewOf(db, record, gate, state.gate?.id === gate.id);
    },
    decide: (id, decision) => decideGate(db, id, decision),
  };
}

/** The gate that a text from an address means; null: the run never came to one, or there is no such run. */
export async function findGate(
  db: Database,
  text: string,
  visible: VisibleProjects = 'all',
): Promise<Found | null> {
  const { runId, number } = readGateId(text);
  const record = await findRun(db, runId, visible);
  const state = await loadRunState(db, record.id);
  const gate = number === null ? (state.gate ?? state.gates.at(-1)) : state.gates[number - 1];
  return gate === undefined ? null : { record, state, gate };
}

async function foundGate(db: Database, text: string): Promise<Found> {
  const found = await findGate(db, text);
  if (found === null) throw new BerthError('NOT_FOUND', `There is no gate ${text}.`);
  return found;
}

async function decideGate(db: Database, text: string, decision: GateDecision): Promise<GateView> {
  const { verdict, by, comment, tree } = decision;
  const { record, state, gate } = await foundGate(db, text);
  const runId = record.id;
  assertOpen(state, gate);
  if (tree !== null && gate.proposal !== null && gate.proposal.tree !== tree)
    throw new BerthError('GATE_CHANGED');
  const alsoBy = await alsoActing(db, by);
  if (verdict === 'approved') {
    const objection = selfApprovalObjection(gate, [by.id, ...alsoBy]);
    if (objection !== null) throw new BerthError('GATE_SELF_APPROVAL', objection);
  }
  const id = newId('i', db.clock.nowMs());
  const request = { kind: 'gate', gateId: gate.id, verdict, comment, alsoBy } as const;
  const posted = await postDecision(db, { id, runId, by: by.id, decision: request });
  if (posted.kind !== 'posted') throw await refusal(db, runId, gate, posted);
  const after = await settled(db, runId, (run) => run.gate?.id !== gate.id);
  const decided = (await loadRunState(db, runId)).gates.find((one) => one.id === gate.id);
  if (decided !== undefined && decided.decision !== null) {
    if (decided.decision.requestId !== id) throw decidedError(decided.decision.verdict, decided.decision.by);
    return viewOf(db, after, decided, false);
  }
  if (after.gate?.id !== gate.id) throw withdrawn(runId);
  // It is in the inbox, alone, and waits for an owner: nobody can decide otherwise any more.
  const at = new Date(db.clock.nowMs()).toISOString();
  return viewOf(db, after, { ...gate, decision: { verdict, by: by.id, comment, requestId: id, at } }, false);
}

/** Whoever made the token that a service came with acts through it. */
async function alsoActing(db: Database, { id, tokenId }: Decider): Promise<string[]> {
  const token = tokenId === null ? null : await findToken(db, tokenId);
  return token === null || token.createdBy === id ? [] : [token.createdBy];
}

function assertOpen(state: RunState, gate: GateRecord): void {
  if (gate.decision !== null) throw decidedError(gate.decision.verdict, gate.decision.by);
  if (state.gate?.id !== gate.id) throw withdrawn(state.runId);
}

async function refusal(
  db: Database,
  runId: string,
  gate: GateRecord,
  posted: Exclude<Posted, { kind: 'posted' }>,
): Promise<BerthError> {
  switch (posted.kind) {
    case 'taken':
      return decidedError(posted.verdict, posted.by);
    case 'expired':
      return new BerthError('GATE_EXPIRED', `The time to decide was over at ${gate.expiresAt}.`);
    case 'not-open': {
      const now = (await loadRunState(db, runId)).gates.find((one) => one.id === gate.id)?.decision ?? null;
      return now === null ? withdrawn(runId) : decidedError(now.verdict, now.by);
    }
  }
}

function decidedError(verdict: string, by: string): BerthError {
  const sentence = verdict === 'expired' ? 'Nobody decided in time.' : `It was ${verdict} by ${by} already.`;
  return new BerthError('GATE_DECIDED', sentence, { details: { verdict, by } });
}

function withdrawn(runId: string): BerthError {
  return new BerthError('GATE_DECIDED', `The run ${runId} does not wait for it any more.`, {
    details: { verdict: 'withdrawn' },
  });
}

async function viewOf(db: Database, record: RunRecord, gate: GateRecord, isOpen: boolean): Promise<GateView> {
  const { project } = await readTask(db, record.taskId);
  return gateView(gate, { id: record.id, project: project.name, title: record.title, isOpen });
}
