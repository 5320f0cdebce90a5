import { z } from 'zod';
import {
  type ConfigRevision,
  type ConfigSource,
  type CredentialConfig,
  type ForwardEnvConfig,
  modelSlots,
} from '../domain/config/index.ts';
import { projectSettings } from '../domain/settings.ts';
import type { ProjectRow } from '../store/config/list-projects.ts';

const sourceSchema = z.enum(['default', 'file', 'database']);

/** A row of a list: below 1 kB, whatever somebody wrote. */
export const projectRowSchema = z
  .object({
    schema: z.literal('berth.project/v1'),
    id: z.string(),
    name: z.string(),
    /** Cut at 300 characters. */
    repository: z.string(),
    /** Cut at 120 characters. */
    description: z.string(),
    /** `default`: it is not configured, only used. */
    source: sourceSchema,
    createdAt: z.string(),
  })
  .meta({ id: 'ProjectRow' });
export type ProjectListRow = z.infer<typeof projectRowSchema>;

export const projectViewSchema = projectRowSchema
  .extend({
    /** Revision of the configuration that the settings are from. */
    revision: z.number(),
    /** Whether the API can change it; what comes from the file is changed there. */
    editable: z.boolean(),
    settings: z.array(
      z.object({
        name: z.string(),
        /** What counts; null: nothing is set. */
        value: z.unknown(),
        source: sourceSchema,
        /** Where it is, or would be, set: `limits.run.costUsd`, `projects.lib.gates`. */
        key: z.string(),
      }),
    ),
    /** The project's own object in the layer of the API; what `PUT /projects/{id}/settings` replaces. */
    own: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ id: 'Project' });
export type ProjectView = z.infer<typeof projectViewSchema>;

function cut(text: string, most: number): string {
  const characters = Array.from(text);
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
}

export function projectRow(row: ProjectRow, { config, sources }: ConfigRevision): ProjectListRow {
  const project = config.projects.find((one) => one.repository === row.repository);
  return {
    schema: 'berth.project/v1',
    id: row.id,
    name: cut(row.name, 100),
    repository: cut(row.repository, 200),
    description: cut(project?.description ?? '', 100),
    source: project === undefined ? 'default' : (sources[`projects/${project.name}`] ?? 'default'),
    createdAt: row.createdAt,
  };
}

/** A project with every setting that its runs go by, where each comes from, and under which key. Pure. */
export function projectView(
  row: ProjectRow,
  revision: ConfigRevision,
  own: Readonly<Record<string, unknown>> | null,
): ProjectView {
  const listed = projectRow(row, revision);
  return {
    ...listed,
    repository: row.repository,
    revision: revision.number,
    editable: listed.source !== 'file',
    settings: settingsOf(row, revision),
    own: own === null ? null : { ...own },
  };
}

/** Names only; a value stands nowhere in the configuration. */
function exposed({ name, secret }: ForwardEnvConfig) {
  return { name, secret, exposed: true };
}

function brokered({ name, secret, host, port, paths, placement, env }: CredentialConfig) {
  return {
    name,
    secret,
    host,
    port,
    paths: paths ?? null,
    in: placement.in,
    env: env ?? null,
    exposed: false,
  };
}

function nonEmpty<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

function settingsOf(row: ProjectRow, revision: ConfigRevision): ProjectView['settings'] {
  const { config, sources } = revision;
  const project = config.projects.find((one) => one.repository === row.repository);
  const name = project?.name ?? row.name;
  const settings = projectSettings(config, revision.number, project?.name ?? '');
  const source = sources[`projects/${name}`] ?? 'default';
  const ownKey = (key: string): string => `projects.${name}.${key}`;
  const sectionSource = (section: string): ConfigSource => sources[section] ?? 'default';
  /** From the project where it says something, else from the installation's key. */
  const entry = (
    key: string,
    value: unknown,
    own: unknown,
    installation: { readonly key: string; readonly given: unknown } | null = null,
  ): ProjectView['settings'][number] => {
    if (own !== undefined) return { name: key, value, source, key: ownKey(key) };
    if (installation === null) return { name: key, value, source: 'default', key: ownKey(key) };
    const section = installation.key.split('.')[0] ?? '';
    const isGiven = installation.given !== undefined;
    return { name: key, value, source: isGiven ? sectionSource(section) : 'default', key: installation.key };
  };
  const limits = Object.entries(settings.limits).map(([limit, value]) => {
    const key = limit as keyof typeof settings.limits;
    const own = project?.limits[key];
    const given = config.limits.run[key];
    return entry(`limits.${limit}`, value, own !== undefined && own <= value ? own : undefined, {
      key: `limits.run.${limit}`,
      given,
    });
  });
  const slots = modelSlots.map((slot) =>
    entry(`slots.${slot}`, settings.slots[slot] ?? null, project?.slots[slot], {
      key: `models.slots.${slot}`,
      given: config.models.slots[slot],
    }),
  );
  const { budgets, cap, egress, gates, sandbox, blueprint } = project ?? {};
  const priority = project?.priority === 0 ? undefined : project?.priority;
  return [
    ...limits,
    ...slots,
    entry('blueprint', blueprint === undefined ? null : 'set', blueprint),
    entry('sandbox', settings.sandboxName ?? settings.sandbox?.name ?? null, sandbox),
    entry('egress', egress ?? config.egress.allow ?? null, egress, {
      key: 'egress.allow',
      given: config.egress.allow,
    }),
    entry('egress.deny', config.egress.deny, undefined, {
      key: 'egress.deny',
      given: config.egress.deny.length === 0 ? undefined : config.egress.deny,
    }),
    entry('credentials', settings.credentials.map(brokered), nonEmpty(project?.credentials)),
    entry('forwardEnv', settings.forwardEnv.map(exposed), nonEmpty(project?.forwardEnv)),
    entry('sandboxEnv', settings.sandboxEnv, project?.sandboxEnv === true ? true : undefined),
    entry('gates', settings.gates, gates, { key: 'gates', given: config.gates }),
    entry('budgets', budgets ?? config.limits.projectBudgets, budgets, {
      key: 'limits.projectBudgets',
      given: config.limits.projectBudgets.length === 0 ? undefined : config.limits.projectBudgets,
    }),
    entry('cap', cap ?? config.limits.caps.perProject ?? null, cap, {
      key: 'limits.caps.perProject',
      given: config.limits.caps.perProject,
    }),
    entry('priority', settings.priority, priority),
  ];
}
