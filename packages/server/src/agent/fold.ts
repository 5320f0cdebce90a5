import type { EventData, StoredEvent } from '../domain/events/index.ts';
import { builtinTools } from '../tools/index.ts';
import { finishSchema } from '../tools/finish.ts';
import { todoSchema } from '../tools/todo.ts';
import { directoriesOf } from './context/directories.ts';
import { emptyConversation, toolCalls } from './conversation.ts';
import type { Answer, Call, Conversation, Note, Turn } from './conversation.ts';
import { lostAnswerCode } from './codes.ts';

/** The conversation of a run, from its whole log. */
export function foldConversation(events: Iterable<StoredEvent>): Conversation {
  let conversation = emptyConversation;
  for (const event of events) conversation = foldEvent(conversation, event);
  return conversation;
}

/** One more event. Pure. Events of other rooms (checks, judges) leave the conversation as it is. */
export function foldEvent(conversation: Conversation, event: StoredEvent): Conversation {
  return { ...applyEvent(conversation, event), seq: event.seq };
}

function applyEvent(conversation: Conversation, event: StoredEvent): Conversation {
  switch (event.type) {
    case 'agent.briefed':
      return {
        ...withNote(begun(conversation, event.data.step, event.seq), event.seq, 'brief', event.data.text),
        system: conversation.system ?? event.data.system,
      };
    case 'agent.told':
      return told(conversation, event.seq, event.data);
    case 'model.requested':
      return requested(conversation, event.data);
    case 'model.answered':
      return answered(conversation, event.seq, event.data);
    case 'model.failed':
      return failed(conversation, event.data);
    case 'tool.started':
      return {
        ...withCall(conversation, event.seq, event.data.id, (call) => ({
          ...call,
          startedIn: event.data.sandboxId,
        })),
        touched: touchedWith(conversation, event.data.name, event.data.input),
      };
    case 'tool.planned': {
      const { id, ...plan } = event.data;
      return withCall(conversation, event.seq, id, (call) => ({ ...call, plan }));
    }
    case 'tool.ended':
      return ended(conversation, event.seq, event.data);
    case 'agent.condensed':
      return condensed(conversation, event.seq, event.data);
    case 'agent.finished':
      return {
        ...conversation,
        finished: { ...conversation.finished, [event.data.step]: event.data },
      };
    case 'message.received':
      return { ...conversation, unread: [...conversation.unread, event.data] };
    case 'limit.warned': {
      const { limit, percent, cap } = event.data;
      return { ...conversation, warned: [...conversation.warned, `${limit}:${percent}:${cap}`] };
    }
    case 'sandbox.created': {
      if (event.data.purpose !== 'work') return conversation;
      const { answers, sandboxId } = conversation;
      const replaced = answers > 0 && sandboxId !== null && sandboxId !== event.data.ref.id;
      const loss = replaced ? { restoredFrom: event.data.restoredFrom } : conversation.loss;
      return { ...conversation, sandboxId: event.data.ref.id, loss };
    }
    case 'run.ended':
      return { ...conversation, runEnded: true };
    case 'run.resumed':
      return {
        ...conversation,
        runEnded: false,
        reopened: conversation.runEnded && conversation.answers > 0,
        freshFrom: conversation.runEnded ? event.seq : conversation.freshFrom,
        finished: conversation.runEnded ? {} : conversation.finished,
        finish: conversation.runEnded ? null : conversation.finish,
        lastTurn: null,
        answersSinceLastTurn: 0,
        lostCalls: Math.min(conversation.lostCalls, 1),
      };
    case 'run.created':
    case 'gate.opened':
    case 'gate.decided':
    case 'run.owned':
    case 'run.planned':
    case 'run.paused':
    case 'run.cancel-requested':
    case 'run.recovered':
    case 'step.started':
    case 'step.ended':
    case 'context.prefetched':
    case 'secrets.given':
    case 'sandbox.lost':
    case 'sandbox.noticed':
    case 'sandbox.destroyed':
    case 'snapshot.begun':
    case 'snapshot.restored':
    case 'snapshot.made':
    case 'snapshot.failed':
    case 'snapshot.skipped':
    case 'egress.decided':
    case 'egress.moved':
    case 'terminal.opened':
    case 'terminal.typed':
    case 'terminal.closed':
    case 'command.started':
    case 'command.ended':
    case 'check.judged':
    case 'checkpoint.saved':
    case 'proposal.made':
    case 'proposal.pushed':
    case 'proposal.opened':
    case 'proposal.base-moved':
    case 'judge.decided':
    case 'model.retried':
      return conversation;
  }
}

function begun(conversation: Conversation, step: string, seq: number): Conversation {
  return {
    ...conversation,
    begun: conversation.begun.includes(step) ? conversation.begun : [...conversation.begun, step],
    finish: null,
    lastTurn: null,
    answersSinceLastTurn: 0,
    reopened: false,
    freshFrom: seq,
  };
}

function withNote(
  conversation: Conversation,
  seq: number,
  source: Note['source'],
  text: string,
): Conversation {
  return { ...conversation, turns: [...conversation.turns, { kind: 'note', seq, source, text }] };
}

function told(conversation: Conversation, seq: number, data: EventData<'agent.told'>): Conversation {
  const noted = withNote(
    data.kind === 'repair' ? begun(conversation, data.step, seq) : conversation,
    seq,
    data.kind,
    data.text,
  );
  const lastTurn = data.lastTurn ?? noted.lastTurn;
  const base = { ...noted, lastTurn, finish: null, reopened: false };
  switch (data.kind) {
    case 'message':
      return { ...base, unread: base.unread.filter((message) => message.messageId !== data.messageId) };
    case 'rules':
      return { ...base, ruled: [...base.ruled, ...base.touched], touched: [] };
    case 'loss':
      return { ...base, loss: null };
    case 'limit':
    case 'nudge':
    case 'repair':
      return base;
  }
}

function requested(conversation: Conversation, data: EventData<'model.requested'>): Conversation {
  if (!conversation.begun.includes(data.step)) return conversation;
  const { callId, model, step } = data;
  if (data.slot === 'condense') return { ...conversation, pendingCondense: { callId, model, step } };
  return { ...conversation, pending: { callId, model, step }, requests: conversation.requests + 1 };
}

function answered(conversation: Conversation, seq: number, data: EventData<'model.answered'>): Conversation {
  if (conversation.pendingCondense?.callId === data.callId) return { ...conversation, pendingCondense: null };
  if (conversation.pending?.callId !== data.callId) return conversation;
  const { callId, model, usage, costUsd } = data;
  const parts = data.parts.map(withoutUndefined);
  const answer: Answer = {
    kind: 'answer',
    seq,
    lastSeq: seq,
    step: data.step,
    parts,
    finish: data.finish,
    calls: toolCalls(parts).map((part) => ({
      id: part.id,
      name: part.name,
      input: part.input,
      malformed: part.malformed ?? null,
      startedIn: null,
      plan: null,
      end: null,
    })),
  };
  return {
    ...conversation,
    turns: [...conversation.turns, answer],
    pending: null,
    lostCalls: 0,
    answers: conversation.answers + 1,
    lastAnswer: { callId, model, usage, costUsd },
    finish: null,
    answersSinceLastTurn: conversation.answersSinceLastTurn + (conversation.lastTurn === null ? 0 : 1),
  };
}

/** The schema's optional fields may be undefined; the port's may only be absent. */
function withoutUndefined(part: EventData<'model.answered'>['parts'][number]): Answer['parts'][number] {
  return Object.fromEntries(
    Object.entries(part).filter(([, value]) => value !== undefined),
  ) as unknown as Answer['parts'][number];
}

function failed(conversation: Conversation, data: EventData<'model.failed'>): Conversation {
  if (conversation.pendingCondense?.callId === data.callId) return { ...conversation, pendingCondense: null };
  if (conversation.pending?.callId !== data.callId) return conversation;
  const lost = data.code === lostAnswerCode ? 1 : 0;
  return { ...conversation, pending: null, lostCalls: conversation.lostCalls + lost };
}

/** Changes one call of the last answer; calls are only ever open there. */
function withCall(
  conversation: Conversation,
  seq: number,
  id: string,
  change: (call: Call) => Call,
): Conversation {
  const place = conversation.turns.findLastIndex((turn) => turn.kind === 'answer');
  const answer = conversation.turns[place];
  if (answer?.kind !== 'answer' || !answer.calls.some((call) => call.id === id)) return conversation;
  const changed: Answer = {
    ...answer,
    lastSeq: seq,
    calls: answer.calls.map((call) => (call.id === id ? change(call) : call)),
  };
  return { ...conversation, turns: conversation.turns.with(place, changed) };
}

function touchedWith(conversation: Conversation, name: string, input: unknown): readonly string[] {
  const tool = builtinTools.find((one) => one.spec.name === name);
  const parsed = tool?.parse(input);
  if (tool === undefined || parsed?.ok !== true) return conversation.touched;
  const directories = tool.paths(parsed.input).flatMap((path) => directoriesOf(path));
  const fresh = directories.filter((directory) => !conversation.ruled.includes(directory));
  return [...new Set([...conversation.touched, ...fresh])];
}

function ended(conversation: Conversation, seq: number, data: EventData<'tool.ended'>): Conversation {
  const call = conversation.turns
    .findLast((turn) => turn.kind === 'answer')
    ?.calls.find((one) => one.id === data.id);
  if (call === undefined) return conversation;
  const settled = withCall(conversation, seq, data.id, (one) => ({ ...one, end: data }));
  const next =
    data.full === null ? settled : { ...settled, outputs: { ...settled.outputs, [data.id]: data.full } };
  switch (data.name) {
    case 'todo': {
      const parsed = todoSchema.safeParse(call.input);
      return data.isError || !parsed.success ? next : { ...next, todo: parsed.data.items };
    }
    case 'finish': {
      const parsed = finishSchema.safeParse(call.input);
      return data.isError || !parsed.success ? next : { ...next, finish: parsed.data };
    }
    case 'edit':
    case 'write': {
      const path = call.plan?.path;
      if (data.isError || path === undefined || next.changedFiles.includes(path)) return next;
      return { ...next, changedFiles: [...next.changedFiles, path] };
    }
    case 'bash':
      return { ...next, openFailure: openFailure(conversation.openFailure, call.input, data) };
    default:
      return next;
  }
}

/** Most of a failing output that a summary carries on. */
const keptFailureCharacters = 2000;

function openFailure(
  before: Conversation['openFailure'],
  input: unknown,
  data: EventData<'tool.ended'>,
): Conversation['openFailure'] {
  const command =
    typeof input === 'object' && input !== null && 'command' in input ? String(input.command) : '';
  if (data.exitCode !== null && data.exitCode !== 0) {
    return { command, text: data.text.slice(-keptFailureCharacters) };
  }
  return data.exitCode === 0 && before?.command === command ? null : before;
}

/** What no condensation may take away: what was asked, by whom, and under which rules. */
const lasting: ReadonlySet<Note['source']> = new Set(['brief', 'message', 'rules', 'repair']);

/** Whether a turn stays in what the model sees after a condensation through `throughSeq`. */
export function survives(turn: Turn, throughSeq: number): boolean {
  if (turn.kind === 'answer') return turn.lastSeq > throughSeq;
  return turn.seq > throughSeq || lasting.has(turn.source);
}

function condensed(
  conversation: Conversation,
  seq: number,
  data: EventData<'agent.condensed'>,
): Conversation {
  const kept = conversation.turns.filter((turn) => survives(turn, data.throughSeq));
  const old = kept.findIndex((turn) => turn.kind === 'answer' || turn.seq > data.throughSeq);
  const place = old === -1 ? kept.length : old;
  const summary: Note = { kind: 'note', seq, source: 'summary', text: data.summary };
  return {
    ...conversation,
    turns: [...kept.slice(0, place), summary, ...kept.slice(place)],
    condensedThrough: data.throughSeq,
  };
}
