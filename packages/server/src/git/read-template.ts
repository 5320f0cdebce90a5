import type { Mirror } from './mirror.ts';
import { listFilesAt, readFileAt } from './read-files.ts';

/** Where code hosts look for the one template, in their order; letters of either case. */
const templatePaths = [
  '.github/pull_request_template.md',
  '.github/pull_request_template.txt',
  'pull_request_template.md',
  'pull_request_template.txt',
  'docs/pull_request_template.md',
  'docs/pull_request_template.txt',
  '.gitlab/merge_request_templates/default.md',
  '.gitea/pull_request_template.md',
  '.forgejo/pull_request_template.md',
];
const maxTemplateBytes = 64 * 1024;

/** The template of a repository for pull requests, as it is at a commit; null: it has none that is a text file. */
export async function readTemplate(
  mirror: Mirror,
  commit: string,
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly text: string } | null> {
  const { files } = await listFilesAt(mirror, commit, { signal });
  for (const wanted of templatePaths) {
    const path = files.find((file) => file.path.toLowerCase() === wanted)?.path;
    if (path === undefined) continue;
    const bytes = await readFileAt(mirror, commit, path, { signal, maxBytes: maxTemplateBytes }).catch(() => {
      signal.throwIfAborted();
      return null;
    });
    if (bytes !== null && !bytes.includes(0)) return { path, text: bytes.toString('utf8') };
  }
  return null;
}
