import type { ExecRequest, ExecResult } from '../domain/ports/sandbox.ts';
import { noRedaction } from '../domain/ports/redaction.ts';
import { cleanOutput } from './clean-text.ts';
import { OutputExtract } from './output-extract.ts';
import type { ToolContext } from './tool.ts';

const maxLiveCharacters = 4096;

export interface ExecOutcome {
  readonly result: ExecResult;
  readonly text: string;
  readonly full: string | null;
  readonly bytes: number;
}

/** Runs or attaches to an exec, shows its output live, and keeps head, tail and the whole of it. */
export async function execWithOutput(request: ExecRequest, context: ToolContext): Promise<ExecOutcome> {
  const extract = new OutputExtract(async (chunks) => await context.blobs.put(chunks));
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const redaction = context.redaction ?? noRedaction;
  const shown = { stdout: redaction.stream(), stderr: redaction.stream() };
  // Before head and tail are cut: half of a secret is not found any more.
  const whole = redaction.bytes();
  try {
    const result = await context.sandbox.exec(request, {
      signal: context.signal,
      onOutput: async (chunk) => {
        // Whoever watches sees the end of what came at once: a flood is not worth cleaning whole.
        const { stream, data } = chunk;
        const decoded = shown[stream].push(decoders[stream].decode(data, { stream: true }));
        const text = cleanOutput(decoded.slice(-maxLiveCharacters));
        if (text !== '') context.events.live({ kind: 'output', callId: request.id, stream, text });
        await extract.add(whole.push(data));
      },
    });
    await extract.add(whole.end());
    const { text, full } = await extract.end(`read on with output {"call": "${request.id}", "offset": 0}`);
    return { result, text, full, bytes: extract.bytes };
  } catch (error) {
    extract.abandon(error);
    throw error;
  }
}
