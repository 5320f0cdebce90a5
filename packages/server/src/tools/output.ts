import { z } from 'zod';
import { backgroundState, pageBytes } from './background.ts';
import { cleanOutput } from './clean-text.ts';
import { defineTool, failure } from './tool.ts';
import type { ToolContext, ToolResult } from './tool.ts';

const maxWaitSeconds = 60;
const pollMs = 250;

const input = z.object({
  call: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .describe('Id of the bash call, as its result names it.'),
  offset: z.int().min(0).default(0).describe('Byte to read from.'),
  wait_seconds: z
    .number()
    .min(0)
    .max(maxWaitSeconds)
    .default(0)
    .describe('Of a background command: waits up to this long for more output or its end.'),
  stop: z.boolean().default(false).describe('Ends a background command and everything it started.'),
});

export const output = defineTool({
  name: 'output',
  description:
    'Reads more of the output of an earlier bash call: the part left out of a long one, or what a background command ' +
    `printed since. Up to ${pageBytes} bytes from offset. With stop, ends a background command first.`,
  kind: 'acts',
  input,
  run: async (call, context) => {
    const full = context.fullOutputOf(call.call);
    if (full !== null) return await stored(full, call, context);
    if (call.stop) await context.sandbox.kill(call.call, 'SIGTERM');
    let state = await waited(call, context);
    if (call.stop && state.status === 'running') {
      await context.sandbox.kill(call.call, 'SIGKILL');
      state = await waited(call, context);
    }
    if (state.status === null) {
      return failure(
        `There is no background command ${call.call}, and the output of a call of that id was short enough to be shown whole.`,
        `output ${call.call}: nothing`,
      );
    }
    return {
      text: `[${state.status}; next offset ${state.nextOffset}]\n${state.text === '' ? '(no new output)' : state.text}`,
      isError: false,
      summary: `output ${call.call} (${state.status})`,
    };
  },
});

async function waited(
  call: z.infer<typeof input>,
  context: ToolContext,
): Promise<Awaited<ReturnType<typeof backgroundState>>> {
  const until = context.clock.monotonicMs() + (call.stop ? 5 : call.wait_seconds) * 1000;
  for (;;) {
    const state = await backgroundState(context, call.call, call.offset);
    const settled = call.stop ? state.status !== 'running' : state.nextOffset > call.offset;
    if (settled || state.status !== 'running' || context.clock.monotonicMs() >= until) return state;
    await context.clock.sleep(pollMs, context.signal);
  }
}

async function stored(key: string, call: z.infer<typeof input>, context: ToolContext): Promise<ToolResult> {
  const page: Uint8Array[] = [];
  let at = 0;
  let more = false;
  const end = call.offset + pageBytes;
  for await (const chunk of context.blobs.stream(key)) {
    if (at >= end) {
      more = true;
      break;
    }
    const part = chunk.subarray(Math.max(0, call.offset - at), end - at);
    if (at + chunk.length > end) more = true;
    if (part.length > 0) page.push(part);
    at += chunk.length;
  }
  if (page.length === 0) return failure(`The output ends before byte ${call.offset}.`, `output ${call.call}`);
  const text = cleanOutput(new TextDecoder().decode(Buffer.concat(page)));
  return {
    text: more ? `${text}\n[… more from offset ${end} …]` : text,
    isError: false,
    summary: `output ${call.call} from byte ${call.offset}`,
  };
}
