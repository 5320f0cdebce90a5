import { parseBlueprint } from '../blueprints/parse.ts';
import type { Blueprint } from '../domain/blueprint.ts';
import type { BrokeredCredential, EgressRule } from '../domain/egress.ts';
import type { EgressStep } from '../domain/egress-explained.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { EgressExplainer } from '../domain/ports/egress-explainer.ts';
import { projectSettings, type ProjectSettings } from '../domain/settings.ts';
import {
  createEcosystems,
  explainEgress,
  fetchText,
  systemResolve,
  type RuleLayer,
} from '../egress/index.ts';
import { nameOfRepository, trafficBounds } from '../runs/equip/settings.ts';
import { readProject } from '../store/config/list-projects.ts';
import type { Database } from '../store/database.ts';
import { readEvents } from '../store/events/read-events.ts';
import { listRuns } from '../store/runs/list-runs.ts';
import type { Foundation } from './foundation.ts';

/** Answers from the configuration as it is now, and from the blueprint it has or the newest run went by. */
export function egressExplainer({ db, config }: Pick<Foundation, 'db' | 'config'>): EgressExplainer {
  const ecosystems = createEcosystems({ fetchText });
  return {
    async explain(projectId, question) {
      const project = await readProject(db, projectId);
      if (project === null) {
        throw new BerthError('NOT_FOUND', `There is no project ${projectId}.`, {
          next: 'List what there is with `berth projects`.',
        });
      }
      const { config: now, number } = config.current();
      const settings = projectSettings(now, number, nameOfRepository(now, project.repository));
      const blueprint =
        settings.blueprint === null
          ? await newestBlueprint(db, projectId)
          : parseBlueprint(settings.blueprint, 'blueprint');
      return explainEgress({
        project: project.name,
        question,
        layers: layersOf(blueprint, settings),
        bounds: { ceilings: settings.egress.ceilings, deny: settings.egress.deny, ...trafficBounds(now) },
        ceilingLayers: settings.egress.ceilingKeys.map((key) =>
          key === 'egress.allow' ? 'installation' : 'project',
        ),
        credentials: (now.projects.find((one) => one.name === settings.name)?.credentials ?? []).map(
          ({ name, host, port, paths, placement }): BrokeredCredential => ({
            name,
            host,
            port,
            paths: paths ?? [],
            placement,
            placeholder: '',
          }),
        ),
        ecosystems,
        resolve: systemResolve,
      });
    },
  };
}

/** What the newest run of a project that got so far was planned with. */
async function newestBlueprint(db: Database, projectId: string): Promise<Blueprint | null> {
  const { runs } = await listRuns(db, { filter: { projectId }, limit: 10 });
  for (const { id } of runs) {
    const [planned] = await readEvents(db, id, { types: ['run.planned'] });
    if (planned?.type === 'run.planned') return planned.data.blueprint;
  }
  return null;
}

/** The rules of each kind of step, by where they stand. Pure. */
export function layersOf(
  blueprint: Blueprint | null,
  { egress: { given } }: Pick<ProjectSettings, 'egress'>,
): Readonly<Record<EgressStep, readonly RuleLayer[]>> {
  const of = (commands: readonly { readonly egress: readonly EgressRule[] }[]): readonly EgressRule[] =>
    commands.flatMap(({ egress }) => egress);
  const setup = of(blueprint?.setup ?? []);
  const checks = of(blueprint?.checks ?? []);
  const layers = (own: readonly EgressRule[], step: EgressStep): readonly RuleLayer[] => [
    { layer: 'blueprint', rules: own },
    { layer: 'project', rules: given[step] },
  ];
  return {
    setup: layers(setup, 'setup'),
    agent: layers([], 'agent'),
    check: layers(checks, 'check'),
    verify: layers(checks, 'verify'),
  };
}
