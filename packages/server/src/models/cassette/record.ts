import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import type { Model, ModelAnswer, ModelRequest } from '../../domain/ports/model.ts';
import { fingerprintOf, placeOf } from './fingerprint.ts';
import { cassetteLine, parseCassette } from './format.ts';
import type { CassetteEntry, CassetteHead } from './format.ts';
import { redactTexts } from './redact-texts.ts';

export interface RecordOptions {
  readonly path: string;
  /** Applied to every text of an answer and of a fingerprint before it is written. */
  readonly redact?: (text: string) => string;
}

/**
 * `model`, with every answered call written to a cassette: one line per call, on disk before the answer is
 * handed on, so that a crash loses nothing. A recording that already exists is continued (a resumed run); a call
 * that is repeated after a crash replaces nothing, the later take is left out when place and fingerprint agree.
 */
export function recordingModel(model: Model, options: RecordOptions): Model {
  const file = openRecording(options.path, {
    cassette: 1,
    model: model.id,
    price: model.price,
    contextTokens: model.contextTokens,
    maxOutputTokens: model.maxOutputTokens,
  });
  return {
    id: model.id,
    contextTokens: model.contextTokens,
    maxOutputTokens: model.maxOutputTokens,
    price: model.price,
    simulated: model.simulated,
    call: async (request, callOptions) => {
      const answer = await model.call(request, callOptions);
      file.add(entryOf(request, answer, options.redact ?? ((text) => text)));
      return answer;
    },
  };
}

function entryOf(
  request: ModelRequest,
  answer: ModelAnswer,
  redact: (text: string) => string,
): CassetteEntry {
  const clean = redactTexts(answer, redact);
  return { ...placeOf(request), fingerprint: fingerprintOf(redactTexts(request, redact)), answer: clean };
}

function openRecording(path: string, head: CassetteHead): { add(entry: CassetteEntry): void } {
  const seen = new Set<string>();
  const keyOf = (entry: CassetteEntry): string =>
    JSON.stringify([entry.purpose, entry.turn, entry.fingerprint]);
  const existing = readExisting(path);
  let text = cassetteLine(head);
  if (existing !== null) {
    const cassette = parseCassette(existing);
    text = cassetteLine(cassette.head);
    for (const entry of cassette.entries) {
      seen.add(keyOf(entry));
      text += cassetteLine(entry);
    }
  }
  // Written anew and renamed: a line that a crash cut off must not run into the next one.
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
  return {
    add: (entry) => {
      const key = keyOf(entry);
      if (seen.has(key)) return;
      seen.add(key);
      const descriptor = openSync(path, 'a', 0o600);
      try {
        writeSync(descriptor, cassetteLine(entry));
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

function readExisting(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
