import { z } from 'zod';
import { withoutHidden } from './clean-text.ts';
import { resolvePath } from './file-text.ts';
import { defineTool, failure } from './tool.ts';

const maxEntries = 300;

const input = z.object({
  path: z.string().min(1).max(4096).default('.').describe('Relative to the repository, or absolute.'),
});

export const list = defineTool({
  name: 'list',
  description: 'Lists one directory: names, a slash after directories, sizes of files.',
  kind: 'reads',
  input,
  paths: (call) => [`${call.path}/.`],
  run: async (call, context) => {
    const absolute = resolvePath(context, call.path);
    const stat = await context.sandbox.stat(absolute);
    if (stat === null) return failure(`There is no directory ${call.path}.`, `list ${call.path}: missing`);
    if (stat.kind !== 'directory')
      return failure(`${call.path} is a file. Use read.`, `list ${call.path}: a file`);
    const entries = [...(await context.sandbox.list(absolute))].sort((one, other) =>
      one.name < other.name ? -1 : 1,
    );
    const lines = entries.slice(0, maxEntries).map(({ name, stat }) => {
      const shown = withoutHidden(name).replaceAll('\n', '\\n');
      if (stat.kind === 'directory') return `${shown}/`;
      if (stat.kind === 'symlink') return `${shown} (symbolic link)`;
      return `${shown} (${stat.bytes} bytes)`;
    });
    if (entries.length > maxEntries) lines.push(`[… ${entries.length - maxEntries} more …]`);
    return {
      text: lines.length === 0 ? '(empty directory)' : lines.join('\n'),
      isError: false,
      summary: `list ${call.path} (${entries.length} entries)`,
    };
  },
});
