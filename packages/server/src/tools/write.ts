import { z } from 'zod';
import { applyChange } from './apply-change.ts';
import { defineTool } from './tool.ts';

const input = z.object({
  path: z.string().min(1).max(4096).describe('Relative to the repository, or absolute.'),
  content: z.string().max(2_000_000).describe('The whole new content.'),
});

export const write = defineTool({
  name: 'write',
  description:
    'Creates a file, with its missing directories, or replaces it whole. For a change in an existing file use edit.',
  kind: 'acts',
  input,
  paths: (call) => [call.path],
  run: async (call, context) =>
    await applyChange('write', call.path, context, () => ({ ok: true, text: call.content })),
});
