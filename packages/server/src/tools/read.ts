import { z } from 'zod';
import { withoutHidden } from './clean-text.ts';
import { resolvePath } from './file-text.ts';
import { defineTool, failure } from './tool.ts';
import type { ToolContext, ToolResult } from './tool.ts';

const defaultLines = 500;
const maxLineCharacters = 500;
/** What one call shows at most. */
const maxShownCharacters = 24_576;
/** Lines behind this many bytes are out of reach of `offset`; `bash` reaches them. */
const maxScannedBytes = 64 * 1024 * 1024;

const images = /\.(?:png|jpe?g|gif|webp|bmp|ico|tiff?|avif|heic)$/i;

const input = z.object({
  path: z.string().min(1).max(4096).describe('Relative to the repository, or absolute.'),
  offset: z.int().min(1).default(1).describe('First line, counted from 1.'),
  limit: z.int().min(1).max(2000).default(defaultLines).describe(`Lines, ${defaultLines} by default.`),
});

export const read = defineTool({
  name: 'read',
  description:
    'Reads a text file with line numbers (number, tab, line). Long files come in parts: read on with offset.',
  kind: 'reads',
  input,
  paths: (call) => [call.path],
  run: async (call, context) => {
    const absolute = resolvePath(context, call.path);
    const stat = await context.sandbox.stat(absolute);
    if (stat === null) {
      return failure(
        `There is no file ${call.path}. Use list or search to find it.`,
        `read ${call.path}: missing`,
      );
    }
    if (stat.kind === 'directory') {
      return failure(
        `${call.path} is a directory. Use list to see what it holds.`,
        `read ${call.path}: a directory`,
      );
    }
    if (stat.kind === 'other') return failure(`${call.path} is no regular file.`, `read ${call.path}`);
    if (images.test(call.path)) {
      return failure(
        `${call.path} is an image, and images cannot be shown here.`,
        `read ${call.path}: image`,
      );
    }
    return await readLines(absolute, call, context);
  },
});

async function readLines(
  absolute: string,
  call: z.infer<typeof input>,
  context: ToolContext,
): Promise<ToolResult> {
  const decoder = new TextDecoder('utf-8');
  const shown: string[] = [];
  let characters = 0;
  let line = 1;
  let text = '';
  let cut = 0;
  let scanned = 0;
  let more = false;
  let lossy = false;
  let lastLineEnds = true;

  const take = (): boolean => {
    if (line >= call.offset) {
      if (shown.length >= call.limit || characters > maxShownCharacters) return false;
      const note = cut > 0 ? `… (line cut, ${text.length + cut} characters)` : '';
      const clean = withoutHidden(text.replace(/\r$/, ''));
      shown.push(`${String(line).padStart(6)}\t${clean.slice(0, maxLineCharacters * 2)}${note}`);
      characters += shown.at(-1)!.length;
    }
    line++;
    text = '';
    cut = 0;
    return true;
  };
  const addToLine = (part: string): void => {
    const room = Math.max(0, maxLineCharacters - text.length);
    text += part.slice(0, room);
    cut += Math.max(0, part.length - room);
  };

  reading: for await (const chunk of context.sandbox.readStream(absolute, context.signal)) {
    if (scanned < 8192 && chunk.subarray(0, 8192 - scanned).includes(0)) {
      return failure(`${call.path} is a binary file.`, `read ${call.path}: binary`);
    }
    scanned += chunk.length;
    lastLineEnds = chunk.at(-1) === 0x0a;
    const parts = decoder.decode(chunk, { stream: true }).split('\n');
    for (const [place, part] of parts.entries()) {
      if (place > 0 && !take()) {
        more = true;
        break reading;
      }
      if (line >= call.offset) {
        if (part.includes('\uFFFD')) lossy = true;
        addToLine(part);
      }
    }
    if (scanned > maxScannedBytes) {
      more = true;
      break;
    }
  }
  // Before `offset` no text is kept, so the last byte tells whether the last line was ended.
  if (!more && text !== '' && !take()) more = true;
  if (shown.length === 0) {
    const empty = scanned === 0;
    return empty
      ? { text: `${call.path} is empty.`, isError: false, summary: `read ${call.path} (empty)` }
      : failure(
          `${call.path} ends at line ${line - (lastLineEnds ? 1 : 0)}.`,
          `read ${call.path}: past the end`,
        );
  }
  const notes = [
    more ? `[more follows: read on with offset ${call.offset + shown.length}]` : null,
    lossy ? '[not UTF-8: undecodable bytes are shown as \uFFFD, and edit refuses the file]' : null,
  ].filter((note) => note !== null);
  return {
    text: [...shown, ...notes].join('\n'),
    isError: false,
    summary: `read ${call.path} (${shown.length} lines)`,
  };
}
