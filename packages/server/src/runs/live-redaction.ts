import type { LiveFrame } from '../domain/live.ts';
import type { Redactor, StreamRedactor } from '../domain/ports/redaction.ts';

/** Calls at once of one run are few; of those that ended, the eldest are forgotten. */
const mostStreams = 64;

/**
 * Takes secrets out of live frames. Words of a model come in pieces of some characters, so that they are looked at in
 * their row, whether somebody watches now or comes later; output of commands was, where it was captured, and is looked at
 * once more as it is shown. Null: there is nothing to show yet; the settled event replaces what is held back at the end.
 */
export function liveRedaction(
  redact: (value: unknown) => unknown,
  redactor: Redactor,
): (frame: LiveFrame) => LiveFrame | null {
  const streams = new Map<string, StreamRedactor>();
  const streamOf = (key: string): StreamRedactor => {
    const present = streams.get(key);
    const stream = present ?? redactor.stream();
    // Moves to the end: used last.
    streams.delete(key);
    streams.set(key, stream);
    if (streams.size > mostStreams) streams.delete(streams.keys().next().value!);
    return stream;
  };
  return (frame) => {
    if (frame.kind === 'output') return redact(frame) as LiveFrame;
    const text = streamOf(`${frame.kind} ${frame.callId}`).push(frame.text);
    return text === '' ? null : (redact({ ...frame, text }) as LiveFrame);
  };
}
