import type { ExecRequest, ExecResult } from '../domain/ports/sandbox.ts';
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
  try {
    const result = await context.sandbox.exec(request, {
      signal: context.signal,
      onOutput: async (chunk) => {
        // Whoever watches sees the end of what came at once: a flood is not worth cleaning whole.
        const decoded = decoders[chunk.stream].decode(chunk.data, { stream: true });
        const text = decoded.slice(-maxLiveCharacters);
        context.events.live({
          kind: 'output',
          callId: request.id,
          stream: chunk.stream,
          text: cleanOutput(text),
        });
        await extract.add(chunk.data);
      },
    });
    const { text, full } = await extract.end(`read on with output {"call": "${request.id}", "offset": 0}`);
    return { result, text, full, bytes: extract.bytes };
  } catch (error) {
    extract.abandon(error);
    throw error;
  }
}
