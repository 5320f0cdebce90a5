import { z } from 'zod';
import { applyChange } from './apply-change.ts';
import { replaceText } from './edit-match.ts';
import { defineTool } from './tool.ts';

const input = z.object({
  path: z.string().min(1).max(4096).describe('Relative to the repository, or absolute.'),
  old: z
    .string()
    .min(1)
    .max(400_000)
    .describe('The present text, copied exactly, with enough lines to be unique.'),
  new: z.string().max(400_000).describe('What stands there instead; empty deletes.'),
  all: z.boolean().default(false).describe('Replaces every occurrence; old must then match exactly.'),
});

export const edit = defineTool({
  name: 'edit',
  description:
    'Replaces text in a file and returns the diff. old must occur exactly once (or set all). Differences in white ' +
    'space and indentation are forgiven when only one place fits. Line endings of the file are kept. When nothing ' +
    'fits, the nearest lines are shown: read the file and try again.',
  kind: 'acts',
  input,
  paths: (call) => [call.path],
  run: async (call, context) =>
    await applyChange('edit', call.path, context, (before) =>
      before.kind === 'missing'
        ? {
            ok: false,
            problem: `There is no file ${call.path}. Use list or search to find it, or write to create it.`,
          }
        : replaceText(before.text, { old: call.old, new: call.new, all: call.all }),
    ),
});
