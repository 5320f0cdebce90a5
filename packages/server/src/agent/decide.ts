import { errorRegistry } from '../domain/errors/index.ts';
import type { ErrorCode } from '../domain/errors/index.ts';
import type { EventData, NewEvent } from '../domain/events/index.ts';
import { codeOfLimit, exhausted, guardedLimits, lastTurnDue, warningsDue } from './allowance.ts';
import type { NextCall, Standing } from './allowance.ts';
import { openCalls } from './conversation.ts';
import type { Call, Conversation, Finished } from './conversation.ts';
import { textOf } from './messages.ts';
import { lastTurnNote, lossNote, messageNote, nudgeNote, reopenedNote, warningNotes } from './notes.ts';
import { stuckVerdict } from './stuck.ts';

/** What the loop does next. Exactly one thing; then it looks at the log again. */
export type NextAction =
  | { readonly kind: 'ended'; readonly finished: Finished }
  | { readonly kind: 'begin' }
  /** The answer of this call was lost with an earlier worker. */
  | { readonly kind: 'forfeit'; readonly lost: { callId: string; model: string; step: string } }
  | { readonly kind: 'tools'; readonly calls: readonly Call[] }
  | { readonly kind: 'tell'; readonly notes: readonly NewEvent[] }
  | { readonly kind: 'rules'; readonly directories: readonly string[] }
  | { readonly kind: 'condense' }
  | { readonly kind: 'call'; readonly repeated: boolean; readonly isLast: boolean }
  | { readonly kind: 'end'; readonly end: Omit<EventData<'agent.finished'>, 'step'> };

/** What a decision rests on besides the conversation. */
export interface Outlook {
  readonly step: string;
  readonly standing: Standing;
  readonly nextCall: NextCall;
  /** The conversation nears the model's window and can be made shorter. */
  readonly condense: boolean;
  /** Directories known to have no rules files. */
  readonly withoutRules: ReadonlySet<string>;
}

/** A second lost answer in a row is not tried again without a person. */
const maxLostCalls = 1;

/** The next action, from the log and the limits alone: the same after a crash as without one. */
export function nextAction(conversation: Conversation, outlook: Outlook): NextAction {
  const { step } = outlook;
  const finished = conversation.finished[step];
  if (finished !== undefined) return { kind: 'ended', finished };
  if (!conversation.begun.includes(step)) return { kind: 'begin' };
  const lost = conversation.pending ?? conversation.pendingCondense;
  if (lost !== null) return { kind: 'forfeit', lost };
  if (conversation.lostCalls > maxLostCalls) return ending('gave-up', 'AGENT_ANSWER_LOST');
  const calls = openCalls(conversation);
  if (calls.length > 0) return { kind: 'tools', calls };
  return (
    finishing(conversation, outlook) ?? preparing(conversation, outlook) ?? calling(conversation, outlook)
  );
}

/** Reasons to end the step now. */
function finishing(conversation: Conversation, outlook: Outlook): NextAction | null {
  const { finish } = conversation;
  if (finish !== null) {
    const unread = conversation.unread.map((message) => messageNote(outlook.step, message));
    const isLast = conversation.lastTurn !== null;
    if (unread.length > 0 && !isLast) return { kind: 'tell', notes: unread };
    const code = finish.result === 'done' ? null : 'AGENT_GAVE_UP';
    return { kind: 'end', end: { result: finish.result, code, summary: finish.summary } };
  }
  const turns = conversation.turns.filter((turn) => turn.seq > conversation.freshFrom);
  const last = turns.at(-1);
  const said = last?.kind === 'answer' ? textOf(last.parts) : '';
  if (conversation.lastTurn !== null && conversation.answersSinceLastTurn > 0) {
    const code = codeOfLastTurn(conversation.lastTurn, outlook.standing);
    return ending('limit', code, said === '' ? undefined : said);
  }
  if (last?.kind === 'answer' && last.finish === 'refusal') {
    return ending('gave-up', 'AGENT_REFUSED', said === '' ? undefined : said);
  }
  const verdict = stuckVerdict(turns);
  if (verdict.kind === 'stuck') return ending('stuck', verdict.code, verdict.sentence);
  const none = exhausted(outlook.standing, outlook.nextCall);
  return none === null ? null : ending('limit', codeOfLimit(none, outlook.standing));
}

/** What the model has to be told, or shown, before it is called. */
function preparing(conversation: Conversation, outlook: Outlook): NextAction | null {
  const { step, standing } = outlook;
  const turns = conversation.turns.filter((turn) => turn.seq > conversation.freshFrom);
  const verdict = stuckVerdict(turns);
  const notes: NewEvent[] = [
    ...(conversation.loss === null ? [] : [lossNote(step, conversation.loss)]),
    ...(conversation.reopened ? [reopenedNote(step, standing)] : []),
    ...conversation.unread
      .filter((message) => message.mode === 'now')
      .map((message) => messageNote(step, message)),
    ...(verdict.kind === 'nudge' ? [nudgeNote(step, verdict.text)] : []),
  ];
  const last = conversation.lastTurn === null ? lastTurnDue(standing, outlook.nextCall) : null;
  if (last !== null) notes.push(lastTurnNote(step, standing, last));
  else if (conversation.lastTurn === null)
    notes.push(...warningNotes(step, standing, warningsDue(standing, conversation.warned)));
  if (notes.length > 0) return { kind: 'tell', notes };
  const directories = conversation.touched.filter((directory) => !outlook.withoutRules.has(directory));
  return directories.length > 0 ? { kind: 'rules', directories } : null;
}

function calling(conversation: Conversation, outlook: Outlook): NextAction {
  if (outlook.condense) return { kind: 'condense' };
  return { kind: 'call', repeated: conversation.lostCalls > 0, isLast: conversation.lastTurn !== null };
}

function ending(
  result: EventData<'agent.finished'>['result'],
  code: ErrorCode,
  summary: string = errorRegistry[code].sentence,
): NextAction {
  return { kind: 'end', end: { result, code, summary } };
}

function codeOfLastTurn(limit: string, standing: Standing): ErrorCode {
  const known = guardedLimits.find((name) => name === limit);
  return known === undefined ? 'LIMIT_COST' : codeOfLimit(known, standing);
}
