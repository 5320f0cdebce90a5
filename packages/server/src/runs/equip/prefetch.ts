import type { PrefetchItem, PrefetchSource } from '../../blueprints/index.ts';
import { repositoryMap } from '../../agent/index.ts';
import type { RunRepository } from './repository.ts';

/** Files whose text tells agents how to work in a directory; read from the base commit only. */
export const rulesFileNames: readonly string[] = ['AGENTS.md', 'CLAUDE.md'];
/** Files that the task names are handed to the agent up to this many, and up to this size each. */
const maxNamedFiles = 5;
const maxNamedCharacters = 8_000;

/** What an agent should know before its first call, without a model: rules, map, files the task names. */
export function prefetchSource(repository: RunRepository): PrefetchSource {
  return {
    async gather(ctx) {
      const { plan, created } = ctx.log.state();
      if (plan === null || created === null) return [];
      const { commit } = plan.base;
      const provenance = `base commit ${commit.slice(0, 10)}`;
      const files = await repository.files(commit);
      const paths = files.map((file) => file.path);
      const items: PrefetchItem[] = [];
      for (const { path, text } of await rulesIn(repository, commit, '')) {
        items.push({ kind: 'rules', path, text, provenance });
      }
      for (const path of namedIn(created.text, paths)) {
        const text = await repository.text(commit, path);
        if (text !== null && text.length <= maxNamedCharacters)
          items.push({ kind: 'file', path, text, provenance });
      }
      items.push({ kind: 'map', path: '.', text: repositoryMap(paths), provenance });
      return items;
    },
  };
}

/** The rules files that lie directly in a directory of a commit. */
export async function rulesIn(
  repository: RunRepository,
  commit: string,
  directory: string,
): Promise<{ path: string; text: string }[]> {
  const rules: { path: string; text: string }[] = [];
  const prefix = directory === '' || directory === '.' ? '' : `${directory}/`;
  const present = new Set((await repository.files(commit)).map((file) => file.path));
  for (const name of rulesFileNames) {
    const path = `${prefix}${name}`;
    const text = present.has(path) ? await repository.text(commit, path) : null;
    if (text !== null && text.trim() !== '') rules.push({ path, text });
  }
  return rules;
}

/** Files that the task spells out with their path, in the order of the repository. Pure. */
export function namedIn(task: string, paths: readonly string[]): string[] {
  const words = new Set(
    task.split(/[\s"'`()<>,;]+/).map((word) => word.replace(/^\.\//, '').replace(/[.:]+$/, '')),
  );
  return paths.filter((path) => path.includes('.') && words.has(path)).slice(0, maxNamedFiles);
}
