import type { EventData } from '../domain/events/index.ts';
import type { AssistantPart, ModelUsage, ToolCallPart } from '../domain/ports/model.ts';
import type { FilePlan } from '../tools/tool.ts';

export type ToldKind = EventData<'agent.told'>['kind'];
export type Finished = EventData<'agent.finished'>;

/** A tool call of an answer, and how far it has come. */
export interface Call {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  readonly malformed: string | null;
  /** The sandbox it was started in; null: not started. */
  readonly startedIn: string | null;
  readonly plan: FilePlan | null;
  readonly end: EventData<'tool.ended'> | null;
}

/** Something said to the model. */
export interface Note {
  readonly kind: 'note';
  readonly seq: number;
  readonly source: 'brief' | 'summary' | ToldKind;
  readonly text: string;
}

/** An answer of the model with the results of its tool calls: never parted, so that pairs stay pairs. */
export interface Answer {
  readonly kind: 'answer';
  readonly seq: number;
  /** `seq` of the last event that belongs to it. */
  readonly lastSeq: number;
  readonly step: string;
  readonly parts: readonly AssistantPart[];
  readonly finish: EventData<'model.answered'>['finish'];
  readonly calls: readonly Call[];
}

export type Turn = Note | Answer;

/**
 * The one conversation of a run, over all its agent steps and repair rounds, folded from the log. Nothing the
 * loop decides on lives anywhere else: after a crash the fold is the memory.
 */
export interface Conversation {
  /** Of the last folded event. */
  readonly seq: number;
  readonly system: string | null;
  readonly turns: readonly Turn[];
  /** Keys of the steps that were begun. */
  readonly begun: readonly string[];
  /** How each step ended; cleared when a run goes on after its end. */
  readonly finished: Readonly<Record<string, Finished>>;
  /** The model request under way, or left without an answer by a crash. */
  readonly pending: { readonly callId: string; readonly model: string; readonly step: string } | null;
  /** Requests whose answer was lost since the last answer; a person's `resume` allows one more. */
  readonly lostCalls: number;
  /** Model requests of this conversation so far, answered or not: names the next one. */
  readonly requests: number;
  /** Answers so far: names their tool calls, so that a repeated request changes no id. */
  readonly answers: number;
  readonly lastAnswer: {
    readonly callId: string;
    readonly model: string;
    readonly usage: ModelUsage;
    readonly costUsd: number;
  } | null;
  /** A `finish` that was accepted in this step: what it said. */
  readonly finish: { readonly result: 'done' | 'gave-up'; readonly summary: string } | null;
  readonly todo: readonly { readonly text: string; readonly state: string }[];
  /** Files that edit or write changed, in order of their first change. */
  readonly changedFiles: readonly string[];
  /** The last command that failed and was not repeated with success since. */
  readonly openFailure: { readonly command: string; readonly text: string } | null;
  /** Blobs with the whole output of calls, by call id. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Directories to look for rules files in, because a tool worked there after the last note of rules. */
  readonly touched: readonly string[];
  /** Directories whose rules files the model has seen. */
  readonly ruled: readonly string[];
  readonly sandboxId: string | null;
  /** Another sandbox took the place of the one the model worked in, and it was not told yet. */
  readonly loss: { readonly restoredFrom: string | null } | null;
  /** Messages of people that the model has not seen. */
  readonly unread: readonly EventData<'message.received'>[];
  /** `limit:percent:cap` of the warnings given. */
  readonly warned: readonly string[];
  /** The limit of the wrap-up turn, once it was announced in this step. */
  readonly lastTurn: string | null;
  /** Answers since the wrap-up turn was announced. */
  readonly answersSinceLastTurn: number;
  /** `throughSeq` of the last condensation. */
  readonly condensedThrough: number;
  /** Like `pending`, for a call of the `condense` slot: not part of what the model sees. */
  readonly pendingCondense: { readonly callId: string; readonly model: string; readonly step: string } | null;
  readonly runEnded: boolean;
  /** The run goes on after its end, and the model was not told yet. */
  readonly reopened: boolean;
  /** Where the step, or the run that goes on after its end, began: what lies before is no sign of being stuck. */
  readonly freshFrom: number;
}

export const emptyConversation: Conversation = {
  seq: 0,
  system: null,
  turns: [],
  begun: [],
  finished: {},
  pending: null,
  lostCalls: 0,
  requests: 0,
  answers: 0,
  lastAnswer: null,
  finish: null,
  todo: [],
  changedFiles: [],
  openFailure: null,
  outputs: {},
  touched: [],
  ruled: [],
  sandboxId: null,
  loss: null,
  unread: [],
  warned: [],
  lastTurn: null,
  answersSinceLastTurn: 0,
  condensedThrough: 0,
  pendingCondense: null,
  runEnded: false,
  reopened: false,
  freshFrom: 0,
};

/** The calls of the last answer that have no result yet, in order. */
export function openCalls(conversation: Conversation): readonly Call[] {
  const last = conversation.turns.findLast((turn) => turn.kind === 'answer');
  return last?.calls.filter((call) => call.end === null) ?? [];
}

export function toolCalls(parts: readonly AssistantPart[]): readonly ToolCallPart[] {
  return parts.filter((part) => part.type === 'tool-call');
}
