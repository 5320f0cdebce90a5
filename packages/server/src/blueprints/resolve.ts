import type { Blueprint, BlueprintSource } from '../domain/blueprint.ts';
import { BerthError } from '../domain/errors/index.ts';
import { narrow, type RunLimits } from '../domain/limits.ts';
import { detect } from './detect/index.ts';
import type { RepositoryReader } from './detect/reader.ts';
import { maxBlueprintBytes, parseBlueprint } from './parse.ts';

/** Where a project keeps its blueprint. Read at the base commit only, never from the branch under work. */
export const blueprintPath = '.berth/blueprint.yaml';
/** The same with the other usual ending: refused with a sentence instead of silently ignored. */
const otherPath = '.berth/blueprint.yml';

export interface ResolvedBlueprint {
  readonly blueprint: Blueprint;
  readonly source: BlueprintSource;
  /** Remarks for people, such as what detection could not find. */
  readonly notes: readonly string[];
  /** What is allowed, narrowed by what the blueprint asks for. */
  readonly limits: RunLimits;
}

/**
 * The blueprint of a run: the file that was given, else that of the configuration, else the repository's own at the
 * base commit, else what detection makes of the base commit.
 * @throws BerthError `BLUEPRINT_INVALID`
 */
export async function resolveBlueprint(request: {
  readonly given: { readonly path: string; readonly text: string } | null;
  /** The project's in the configuration, with the revision it stands in. */
  readonly configured?: { readonly text: string; readonly revision: number } | null;
  /** The repository at the base commit. */
  readonly repository: RepositoryReader;
  readonly baseCommit: string;
  readonly allowed: RunLimits;
}): Promise<ResolvedBlueprint> {
  const { given, repository, baseCommit, allowed } = request;
  const finish = (
    blueprint: Blueprint,
    source: BlueprintSource,
    notes: readonly string[],
  ): ResolvedBlueprint => ({
    blueprint,
    source,
    notes,
    limits: narrow(allowed, blueprint.limits as Partial<RunLimits>),
  });
  if (given !== null) {
    return finish(parseBlueprint(given.text, given.path), { kind: 'file', path: given.path }, []);
  }
  const { configured = null } = request;
  if (configured !== null) {
    const path = `revision ${configured.revision} of the configuration`;
    return finish(
      parseBlueprint(configured.text, path),
      { kind: 'configuration', revision: configured.revision },
      [],
    );
  }
  if (repository.files.includes(blueprintPath)) {
    const text = await repository.read(blueprintPath);
    if (text === null) {
      throw new BerthError(
        'BLUEPRINT_INVALID',
        `${blueprintPath}:1:1: it is no readable text file of at most ${maxBlueprintBytes} bytes`,
      );
    }
    const blueprint = parseBlueprint(text, blueprintPath);
    return finish(blueprint, { kind: 'repository', path: blueprintPath, commit: baseCommit }, []);
  }
  if (repository.files.includes(otherPath)) {
    throw new BerthError('BLUEPRINT_INVALID', `${otherPath}:1:1: the file has to be named ${blueprintPath}`);
  }
  const detected = await detect(repository);
  return finish(
    detected.blueprint,
    { kind: 'detected', ecosystems: [...detected.ecosystems] },
    detected.notes,
  );
}
