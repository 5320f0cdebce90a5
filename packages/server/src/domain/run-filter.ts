import { BerthError } from './errors/index.ts';
import { runStates, type RunStateName } from './status.ts';

/** What a list of tasks or runs is narrowed to. All parts must hold; several values of one part are alternatives. */
export interface RunFilter {
  readonly states: readonly RunStateName[];
  readonly codes: readonly string[];
  /** Ids, names or repositories of projects. */
  readonly projects: readonly string[];
  /** Kinds of origin (`slack`, `cli` …). */
  readonly origins: readonly string[];
  /** Principal ids, of whoever handed it in or owns it. `me` was replaced by the caller's id. */
  readonly by: readonly string[];
  readonly owners: readonly string[];
  readonly tasks: readonly string[];
  /** Each must be in the title, in whatever case. */
  readonly words: readonly string[];
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** In dollars; exclusive where it was written with `>` or `<`. */
  readonly cost: readonly { readonly than: Comparison; readonly usd: number }[];
  /** Whether there is a pull request; null: either. */
  readonly hasPullRequest: boolean | null;
}

export type Comparison = '>' | '>=' | '<' | '<=';

export const everyRun: RunFilter = {
  states: [],
  codes: [],
  projects: [],
  origins: [],
  by: [],
  owners: [],
  tasks: [],
  words: [],
  sinceMs: null,
  untilMs: null,
  cost: [],
  hasPullRequest: null,
};

/** The longest filter that is read. */
export const maxFilterCharacters = 1_000;
const maxTerms = 50;

/** One term as it was typed, and where. */
interface Term {
  readonly key: string | null;
  readonly value: string;
  /** 1 for the first character. */
  readonly column: number;
}

type Change = (filter: RunFilter, value: string, context: FilterContext) => RunFilter | string;

/** What words like `me` and `7d` are taken against. */
export interface FilterContext {
  readonly nowMs: number;
  /** Id of the principal that asks. */
  readonly me: string;
}

/**
 * Reads a filter: `status:failed code:LIMIT_COST project:web by:me age:<7d cost:>2 "date test"`. Terms are parted by
 * blanks; a value with blanks stands in double quotes; alternatives are parted by commas; what has no key is looked for
 * in titles. Pure; the one grammar of the API, the command and the web.
 * @throws BerthError `FILTER_INVALID` naming the term, its column and what would be valid
 */
export function parseRunFilter(text: string, context: FilterContext): RunFilter {
  if (text.length > maxFilterCharacters) {
    throw invalid(`It has ${text.length} characters; the most is ${maxFilterCharacters}`, 1);
  }
  const control = text.search(/\p{Cc}/u);
  if (control !== -1 || !text.isWellFormed()) {
    throw invalid('It holds a character that is no text', Math.max(control, 0) + 1);
  }
  const terms = termsOf(text);
  if (terms.length > maxTerms) throw invalid(`It has ${terms.length} terms; the most is ${maxTerms}`, 1);
  let filter = everyRun;
  for (const { key, value, column } of terms) {
    if (key === null) {
      filter = { ...filter, words: [...filter.words, value] };
      continue;
    }
    const change = Object.hasOwn(keys, key) ? keys[key] : undefined;
    if (change === undefined) {
      throw invalid(
        `There is no key ${JSON.stringify(key)}; known are ${Object.keys(keys).join(', ')}`,
        column,
      );
    }
    if (value === '') throw invalid(`${key}: needs a value`, column);
    const changed = change(filter, value, context);
    if (typeof changed === 'string') throw invalid(`${key}:${value}: ${changed}`, column);
    filter = changed;
  }
  return filter;
}

function invalid(what: string, column: number): BerthError {
  return new BerthError('FILTER_INVALID', `The filter is not valid at column ${column}. ${what}.`, {
    details: { column },
  });
}

/** Key, colon and value; a quoted value may hold blanks, and `\"` a quote. */
function termsOf(text: string): Term[] {
  const terms: Term[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at += 1;
      continue;
    }
    const column = at + 1;
    const key = /^([A-Za-z][A-Za-z_-]*):/.exec(text.slice(at, at + 40))?.[1] ?? null;
    if (key !== null) at += key.length + 1;
    const read = valueAt(text, at);
    if (read === null) throw invalid('A quote is opened and not closed', at + 1);
    at = read.end;
    terms.push({ key: key?.toLowerCase() ?? null, value: read.value, column });
  }
  return terms;
}

function valueAt(text: string, from: number): { value: string; end: number } | null {
  let value = '';
  let at = from;
  let quoted = false;
  for (; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === '\\' && quoted && (text[at + 1] === '"' || text[at + 1] === '\\')) {
      at += 1;
      value += text[at]!;
    } else if (character === '"') quoted = !quoted;
    else if (!quoted && /\s/.test(character)) break;
    else value += character;
  }
  return quoted ? null : { value, end: at };
}

const some = (value: string): string[] => value.split(',').filter((one) => one !== '');

const state: Change = (filter, value) => {
  const states = some(value);
  const unknown = states.find((one) => !(runStates as readonly string[]).includes(one));
  if (unknown !== undefined) return `there is no state ${unknown}; known are ${runStates.join(', ')}`;
  return { ...filter, states: [...filter.states, ...(states as RunStateName[])] };
};

type Texts = {
  [Key in keyof RunFilter]: RunFilter[Key] extends readonly string[] ? Key : never;
}[keyof RunFilter];

/** A part that is a list of texts. */
const list =
  (
    part: Exclude<Texts, 'states'>,
    form: (one: string, context: FilterContext) => string = (one) => one,
  ): Change =>
  (filter, value, context) => ({
    ...filter,
    [part]: [...filter[part], ...some(value).map((one) => form(one, context))],
  });

const person = (one: string, { me }: FilterContext): string => (one === 'me' ? me : one);

const unitMs: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

const age: Change = (filter, value, { nowMs }) => {
  const read = /^([<>])(\d{1,6})([mhdw])$/.exec(value);
  if (read === null) return 'wanted is < or > and a time like 30m, 12h, 7d or 2w';
  const atMs = nowMs - Number(read[2]) * unitMs[read[3]!]!;
  return read[1] === '<' ? later(filter, atMs) : earlier(filter, atMs);
};

const moment = (value: string): number | null => {
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value)) return null;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? null : atMs;
};
const momentWords = 'wanted is a day (2026-11-21) or a moment with its zone (2026-11-21T12:00:00Z)';

const since: Change = (filter, value) => {
  const atMs = moment(value);
  return atMs === null ? momentWords : later(filter, atMs);
};
const until: Change = (filter, value) => {
  const atMs = moment(value);
  return atMs === null ? momentWords : earlier(filter, atMs);
};

const later = (filter: RunFilter, atMs: number): RunFilter => ({
  ...filter,
  sinceMs: Math.max(filter.sinceMs ?? 0, atMs),
});
const earlier = (filter: RunFilter, atMs: number): RunFilter => ({
  ...filter,
  untilMs: Math.max(0, Math.min(filter.untilMs ?? Infinity, atMs)),
});

const cost: Change = (filter, value) => {
  const read = /^(>=|<=|>|<)\$?(\d{1,7}(?:\.\d{1,6})?)$/.exec(value);
  if (read === null) return 'wanted is >, >=, < or <= and dollars, as in cost:>2 or cost:<=0.50';
  return { ...filter, cost: [...filter.cost, { than: read[1] as Comparison, usd: Number(read[2]) }] };
};

const pullRequest: Change = (filter, value) => {
  if (value !== 'yes' && value !== 'no') return 'wanted is yes or no';
  return { ...filter, hasPullRequest: value === 'yes' };
};

const keys: Readonly<Record<string, Change>> = {
  status: state,
  state,
  code: list('codes', (one) => one.toUpperCase()),
  project: list('projects'),
  origin: list('origins', (one) => one.toLowerCase()),
  by: list('by', person),
  owner: list('owners', person),
  task: list('tasks'),
  age,
  since,
  until,
  cost,
  pr: pullRequest,
};
