import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/**
 * What a test needs that is not of its own process alone: a database or an engine of the whole run, programs, or variables
 * of the process. Such a test gets a worker of its own.
 */
const needsItsOwnWorker =
  /testDatabase|openDatabase|openEmbedded|startServer|inject\(|child_process|execa|spawn|execFile|bwrap|podman|makeRepository|process\.(?:env\[|on\(|once\(|kill\()|useFakeTimers|vi\.(?:stub|spyOn|mock)/;

/**
 * Test files below `root` that neither themselves nor in the test helpers they import need anything of the kind: they run
 * one after the other in workers that stay. To start a worker and to load its modules takes half a second of processor
 * time, most of these tests a tenth of that.
 */
export function pureTests(root: string, patterns: readonly string[]): string[] {
  const known = new Map<string, boolean>();
  const isPure = (path: string): boolean => {
    const answer = known.get(path);
    if (answer !== undefined) return answer;
    // For helpers that import each other.
    known.set(path, true);
    const text = readFileSync(join(root, path), 'utf8');
    const imported = [...text.matchAll(/from '(\.[^']+\.ts)'/g)].map(([, to]) =>
      normalize(join(dirname(path), to!)),
    );
    const helpers = imported.filter((to) => to.includes('/testing/') && existsSync(join(root, to)));
    const pure = !needsItsOwnWorker.test(text) && helpers.every(isPure);
    known.set(path, pure);
    return pure;
  };
  return globSync([...patterns], { cwd: root, exclude: ['**/node_modules/**'] })
    .filter(isPure)
    .toSorted();
}
