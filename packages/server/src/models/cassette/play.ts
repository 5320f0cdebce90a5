import { readFileSync } from 'node:fs';
import { BerthError } from '../../domain/errors/index.ts';
import type { Clock } from '../../domain/ports/clock.ts';
import type { Model, ModelAnswer, ModelFrame, ModelRequest } from '../../domain/ports/model.ts';
import { placeOf } from './fingerprint.ts';
import { parseCassette } from './format.ts';
import type { Cassette, CassetteEntry } from './format.ts';
import { departureOf } from './match.ts';
import { redactTexts } from './redact-texts.ts';

export interface PlayOptions {
  readonly clock: Clock;
  /** `strict` (default): the conversation must be the recorded one. `lenient`: only the place counts. */
  readonly mode?: 'strict' | 'lenient';
  /** Multiplies every pause; 0 plays without any. */
  readonly pace?: number;
  /** The redaction the cassette was recorded with, so that requests are compared alike. */
  readonly redact?: (text: string) => string;
}

/** Reads a cassette from a file. Throws `CASSETTE_INVALID`. */
export function readCassette(path: string): Cassette {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new BerthError('CASSETTE_INVALID', `The cassette ${path} cannot be read.`, { cause });
  }
  return parseCassette(text);
}

/**
 * A cassette as a model. It keeps no position: purpose and number of assistant messages of the request say which
 * answer is due, so a call that is repeated after a crash gets the same answer again. Tool-call ids of the
 * cassette are made unique per call, as two conversations of a run may play the same entry.
 *
 * Throws `CASSETTE_DEPARTED` (strict: `details` has `purpose`, `turn`, `expected`, `came`, `diff`) and
 * `CASSETTE_EXHAUSTED`.
 */
export function cassetteModel(cassette: Cassette, options: PlayOptions): Model {
  const { head } = cassette;
  return {
    id: head.model,
    contextTokens: head.contextTokens,
    maxOutputTokens: head.maxOutputTokens,
    price: head.price,
    simulated: true,
    call: async (request, callOptions) => {
      callOptions.signal.throwIfAborted();
      const seen = options.redact === undefined ? request : redactTexts(request, options.redact);
      const entry = entryFor(cassette, seen, options.mode ?? 'strict');
      await stream(entry, options, callOptions);
      return withUniqueIds(entry.answer, request.callId);
    },
  };
}

/** The entry a request is due, or the reason there is none. Pure. */
export function entryFor(
  cassette: Cassette,
  request: ModelRequest,
  mode: 'strict' | 'lenient',
): CassetteEntry {
  const { purpose, turn } = placeOf(request);
  const takes = cassette.entries.filter((entry) => entry.purpose === purpose && entry.turn === turn);
  const [first] = takes;
  if (first === undefined) {
    const recorded = cassette.entries.filter((entry) => entry.purpose === purpose).length;
    throw new BerthError(
      'CASSETTE_EXHAUSTED',
      `The cassette holds ${recorded} answers for \`${purpose}\` and is asked for number ${turn + 1}.`,
      { details: { purpose, turn, recorded } },
    );
  }
  const departures = takes.map((entry) => ({ entry, departure: departureOf(entry, request) }));
  const fitting = departures.find(({ departure }) => departure === null);
  if (fitting !== undefined) return fitting.entry;
  if (mode === 'lenient') return first;
  const { departure } = departures[0]!;
  throw new BerthError(
    'CASSETTE_DEPARTED',
    `Call ${turn + 1} of \`${purpose}\` departs from the cassette: expected ${departure!.expected}; came: ${departure!.came}`,
    { details: { purpose, turn, ...departure } },
  );
}

async function stream(
  entry: CassetteEntry,
  options: PlayOptions,
  call: { readonly signal: AbortSignal; readonly onFrame?: (frame: ModelFrame) => void },
): Promise<void> {
  const waitMs = (entry.paceMs ?? 0) * (options.pace ?? 1);
  for (const frame of framesOf(entry.answer)) {
    if (waitMs > 0) await options.clock.sleep(waitMs, call.signal);
    call.signal.throwIfAborted();
    call.onFrame?.(frame);
  }
}

/** About as much as a provider sends at once. */
const frameLength = 24;

function* framesOf(answer: ModelAnswer): Generator<ModelFrame> {
  for (const part of answer.parts) {
    const kind = part.type === 'tool-call' ? 'tool-input' : part.type;
    const text = part.type === 'tool-call' ? (part.malformed ?? JSON.stringify(part.input)) : part.text;
    for (let from = 0; from < text.length; from += frameLength) {
      yield {
        kind,
        ...(part.type === 'tool-call' ? { toolName: part.name } : {}),
        text: text.slice(from, from + frameLength),
      };
    }
  }
}

/** Derived from the call's id and not from chance: a repeated call gives the same ids. */
function withUniqueIds(answer: ModelAnswer, callId: string): ModelAnswer {
  const parts = answer.parts.map((part) =>
    part.type === 'tool-call' ? { ...part, id: `${part.id}-${callId}` } : part,
  );
  return { ...answer, parts };
}
