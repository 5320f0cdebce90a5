import type { ErrorCode } from '../domain/errors/index.ts';
import type { Answer, Turn } from './conversation.ts';
import { textOf } from './messages.ts';

export type StuckVerdict =
  | { readonly kind: 'fine' }
  /** Say this to the model. */
  | { readonly kind: 'nudge'; readonly text: string }
  /** It was nudged and goes on as before. */
  | { readonly kind: 'stuck'; readonly code: ErrorCode; readonly sentence: string };

const fine: StuckVerdict = { kind: 'fine' };

/** So many answers of a useless kind in a row end the step; every one before is answered by a nudge. */
const uselessAnswers = 3;
const sameCalls = 3;
/** A, B, A, B, A, B. */
const alternations = 6;
const repeatedErrors = 5;

/**
 * Looks for an agent that gets no further. Pure; `turns` are those since the step began. A nudge comes first;
 * only the same sign after it ends the step.
 */
export function stuckVerdict(turns: readonly Turn[]): StuckVerdict {
  const last = turns.at(-1);
  // Whatever was said after the last answer has to be answered first.
  if (last?.kind !== 'answer') return fine;
  const useless = uselessVerdict(turns, last);
  if (useless !== null) return useless;
  const nudgedAt = turns.findLastIndex((turn) => turn.kind === 'note' && turn.source === 'nudge');
  const sign = repetition(actionsOf(turns));
  if (sign === null) return fine;
  // After a nudge only what came since counts, and the sign has to show again in full to be held against it.
  const since = repetition(actionsOf(turns.slice(nudgedAt + 1)));
  if (nudgedAt === -1) return { kind: 'nudge', text: sign.nudge };
  if (since === null) return fine;
  const earlier = repetition(actionsOf(turns.slice(0, nudgedAt)));
  return earlier === null
    ? { kind: 'nudge', text: since.nudge }
    : { kind: 'stuck', code: 'AGENT_STUCK', sentence: since.sentence };
}

type UselessKind = 'empty' | 'talk' | 'cut';

function kindOf(answer: Answer): UselessKind | null {
  if (answer.calls.length > 0 || answer.finish === 'refusal') return null;
  if (answer.finish === 'length') return 'cut';
  return textOf(answer.parts) === '' ? 'empty' : 'talk';
}

const useless: Readonly<
  Record<UselessKind, { readonly nudge: string; readonly code: ErrorCode; readonly sentence: string }>
> = {
  empty: {
    nudge: 'Your answer was empty. Go on with the task by calling a tool, or call finish.',
    code: 'AGENT_SILENT',
    sentence: `The agent gave ${uselessAnswers} empty answers in a row.`,
  },
  talk: {
    nudge:
      'You answered without calling a tool. Nobody reads along and nobody can reply: decide yourself and go on with a tool call. When the work is done, or cannot be done, call finish.',
    code: 'AGENT_IDLE',
    sentence: `The agent talked ${uselessAnswers} times in a row without doing anything.`,
  },
  cut: {
    nudge:
      'Your answer was cut off at the output limit before it called a tool. Think shorter and take smaller steps: one tool call at a time, large files in several edits.',
    code: 'AGENT_STUCK',
    sentence: `The agent's answers were cut at the output limit ${uselessAnswers} times in a row.`,
  },
};

function uselessVerdict(turns: readonly Turn[], last: Answer): StuckVerdict | null {
  const kind = kindOf(last);
  if (kind === null) return null;
  const answers = turns.filter((turn) => turn.kind === 'answer');
  const recent = answers.slice(-uselessAnswers);
  const { nudge, code, sentence } = useless[kind];
  return recent.length === uselessAnswers && recent.every((answer) => kindOf(answer) !== null)
    ? { kind: 'stuck', code, sentence }
    : { kind: 'nudge', text: nudge };
}

/** One answer's calls with their results: what "the same again" is measured by. */
interface Action {
  readonly calls: string;
  readonly whole: string;
  readonly failed: string | null;
}

function actionsOf(turns: readonly Turn[]): Action[] {
  return turns
    .filter((turn) => turn.kind === 'answer')
    .filter((answer) => answer.calls.length > 0)
    .map((answer) => {
      const calls = answer.calls.map((call) => [call.name, call.malformed ?? canonical(call.input)]);
      const results = answer.calls.map((call) => withoutIds(call.end?.text ?? ''));
      const failed = answer.calls.every((call) => call.end?.isError === true);
      return {
        calls: JSON.stringify(calls),
        whole: JSON.stringify([calls, results]),
        failed: failed ? JSON.stringify(answer.calls.map((call) => call.name)) : null,
      };
    });
}

/** Call ids appear in hints of results and differ from call to call. */
function withoutIds(text: string): string {
  return text.replaceAll(/\bt\d+-\d+\b/g, 'id');
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, entry]) => [key, canonical(entry)]);
}

function repetition(
  actions: readonly Action[],
): { readonly nudge: string; readonly sentence: string } | null {
  const last = actions.at(-1);
  if (last === undefined) return null;
  const same = actions.slice(-sameCalls);
  if (same.length === sameCalls && same.every((action) => action.whole === last.whole)) {
    return {
      nudge: `You made the same call ${sameCalls} times with the same result. It will not change by itself: look at what the result says and try something else, or call finish and say what blocks you.`,
      sentence: `The agent repeated the same call with the same result, also after it was told.`,
    };
  }
  const pairs = actions.slice(-alternations);
  if (
    pairs.length === alternations &&
    pairs[0]!.whole !== pairs[1]!.whole &&
    pairs.every((action, place) => action.whole === pairs[place % 2]!.whole)
  ) {
    return {
      nudge:
        'You go back and forth between the same two calls with the same results. Stop, think about what you expect and why it does not happen, and take another way, or call finish and say what blocks you.',
      sentence: 'The agent went back and forth between the same two calls, also after it was told.',
    };
  }
  const errors = actions.slice(-repeatedErrors);
  if (
    errors.length === repeatedErrors &&
    errors.every((action) => action.failed !== null && action.failed === last.failed)
  ) {
    return {
      nudge: `Your last ${repeatedErrors} calls of the same tool failed. Read the last message closely, look at the present state (read, list), and try another way.`,
      sentence: `The agent made the same kind of failing call over and over, also after it was told.`,
    };
  }
  return null;
}
