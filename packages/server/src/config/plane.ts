import type { VisibleProjects } from '../domain/access.ts';
import type { ConfigRevision } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import { listProjects, readProject } from '../store/config/list-projects.ts';
import { readFileLayer, readObjects, type LayerObject } from '../store/config/layers.ts';
import { listRevisions, type RevisionRow } from '../store/config/revisions.ts';
import type { Database } from '../store/database.ts';
import type { ChangedObject } from './change-object.ts';
import { exportYaml } from './export.ts';
import { isNamedSection, mergeLayers, nameKey, type ConfigSection } from './merge.ts';
import type { ConfigStatus, OpenConfig } from './open-config.ts';
import { parseConfig, type CheckBlueprint, type ConfigProblem } from './parse/index.ts';
import { assertMaintainerMay } from './project-change.ts';
import { projectRow, projectView, type ProjectListRow, type ProjectView } from './project-views.ts';

type Value = Readonly<Record<string, unknown>>;

/** One object of the configuration as it counts, and the version of it that the API can change. */
export interface ConfigObject {
  readonly id: string;
  readonly source: 'default' | 'file' | 'database';
  readonly value: Value | null;
  /** `new`: the layer of the API has none. */
  readonly version: string;
  readonly changedBy: string | null;
  readonly changedAt: string | null;
}

/** What the API asks about configuration and projects. Rights were decided before. */
export interface ConfigPlane {
  current(): ConfigRevision;
  status(): ConfigStatus;
  export(): Promise<string>;
  revisions(page: {
    limit: number;
    before?: number;
  }): Promise<readonly Omit<RevisionRow, 'document' | 'sources'>[]>;
  check(text: string): readonly ConfigProblem[];
  /** @throws BerthError `NOT_FOUND` */
  object(section: ConfigSection, name: string): Promise<ConfigObject>;
  /** @throws BerthError see `changeObject` */
  change(change: {
    section: ConfigSection;
    name: string;
    value: Value | null;
    expected: string;
    by: string;
  }): Promise<ChangedObject>;
  listProjects(page: {
    visible: VisibleProjects;
    after?: string;
    limit: number;
  }): Promise<readonly ProjectListRow[]>;
  /** With the version that `configureProject` changes. @throws BerthError `NOT_FOUND` */
  project(id: string): Promise<{ readonly view: ProjectView; readonly version: string }>;
  /** What a maintainer may change of their project. @throws BerthError `FORBIDDEN`, and see `changeObject` */
  configureProject(change: {
    id: string;
    value: Value;
    expected: string;
    by: string;
    /** An admin may change all of it. */
    unbounded: boolean;
  }): Promise<ChangedObject>;
}

export function configPlane(parts: {
  readonly db: Database;
  readonly config: OpenConfig;
  readonly checkBlueprint?: CheckBlueprint;
}): ConfigPlane {
  const { db, config } = parts;

  const objectOf = async (section: string, name: string): Promise<LayerObject | null> =>
    (await readObjects(db.sql)).find((one) => one.section === section && one.name === name) ?? null;

  const project = async (id: string) => {
    const row = await readProject(db, id);
    if (row === null) {
      throw new BerthError('NOT_FOUND', `There is no project ${id}.`, {
        next: 'List what there is with `berth projects`.',
      });
    }
    const own = await objectOf('projects', row.name);
    const view = projectView(row, config.current(), own?.value ?? null);
    return { row, view, version: own?.version ?? 'new' };
  };

  return {
    current: () => config.current(),
    status: () => config.status(),
    async export() {
      const layer = await readFileLayer(db.sql);
      return exportYaml(mergeLayers(layer?.document ?? null, await readObjects(db.sql)).document);
    },
    revisions: (page) => listRevisions(db.sql, page),
    check(text) {
      const parsed = parseConfig(text, {
        env: anyVariable,
        ...(parts.checkBlueprint === undefined ? {} : { checkBlueprint: parts.checkBlueprint }),
      });
      return parsed.ok ? [] : parsed.problems;
    },
    async object(section, name) {
      const { config: effective, sources } = config.current();
      const id = name === '' ? section : `${section}/${name}`;
      const own = await objectOf(section, name);
      const value = isNamedSection(section)
        ? (effective[section] as readonly object[]).find((one) => nameOf(one, nameKey(section)) === name)
        : effective[section];
      if (value === undefined && own === null) throw new BerthError('NOT_FOUND', `There is no ${id}.`);
      return {
        id,
        source: sources[id] ?? 'default',
        value: (value as Value | undefined) ?? own?.value ?? null,
        version: own?.version ?? 'new',
        changedBy: own?.changedBy ?? null,
        changedAt: own?.changedAt ?? null,
      };
    },
    change: (change) => config.change(change),
    async listProjects(page) {
      const revision = config.current();
      return (await listProjects(db, page)).map((row) => projectRow(row, revision));
    },
    project,
    async configureProject({ id, value, expected, by, unbounded }) {
      const { row } = await project(id);
      return config.change({
        section: 'projects',
        name: row.name,
        value: { ...value, repository: value['repository'] ?? row.repository },
        expected,
        by,
        authorise: (before, wanted) => {
          if (!unbounded) assertMaintainerMay(before, row, wanted ?? {});
        },
      });
    },
  };
}

function nameOf(entry: object, key: string): unknown {
  return (entry as Record<string, unknown>)[key];
}

/** Checking somebody's text must not tell what this server's environment holds. */
const anyVariable = new Proxy<Record<string, string>>({}, { get: () => 'value', has: () => true });
