import { projectConfigSchema, type Config, type ProjectConfig } from '../domain/config/index.ts';
import { covers, type EgressRule } from '../domain/egress.ts';
import { BerthError } from '../domain/errors/index.ts';
import { digestOf } from './merge.ts';

/**
 * What a maintainer cannot change of their own project: what it is, what it may cost, what stands above it, and whether
 * variables reach its sandboxes that no secret names. Those are an admin's. Credentials and forwarded variables are not:
 * they can only name secrets that an admin listed for the project.
 */
const adminKeys = ['name', 'repository', 'budgets', 'cap', 'priority', 'sandbox', 'sandboxEnv'] as const;

/**
 * Refuses what a maintainer of one project may not change of it. Limits cannot be widened by them either way: they
 * only narrow those of the installation. Pure.
 * @throws BerthError `FORBIDDEN`
 */
export function assertMaintainerMay(
  before: Config,
  project: { readonly name: string; readonly repository: string },
  value: Readonly<Record<string, unknown>>,
): void {
  const parsed = projectConfigSchema.safeParse({ ...value, name: project.name });
  // What has not the shape of a project is refused as that.
  if (!parsed.success) return;
  const wanted = parsed.data;
  const bare = { name: project.name, repository: project.repository };
  const present = before.projects.find((one) => one.name === project.name) ?? projectConfigSchema.parse(bare);
  if (wanted.repository !== project.repository || present.repository !== project.repository) {
    throw refused('repository');
  }
  for (const key of adminKeys) {
    if (digestOf({ value: wanted[key] }) !== digestOf({ value: present[key] })) throw refused(key);
  }
  if (!isNoWider(wanted, present, before)) throw refused('egress', 'beyond what the installation allows');
  if (!isNoWeaker(wanted, present, before)) throw refused('gates', 'other than to ask for more approval');
}

/** What is opened was open before, or is within the installation's own list. */
function isNoWider(wanted: ProjectConfig, present: ProjectConfig, before: Config): boolean {
  const ceiling = before.egress.allow;
  const given = (project: ProjectConfig) => Object.values(project.egressFor).flat();
  const had = [...(present.egress ?? []), ...given(present)];
  const added = [...(wanted.egress ?? []), ...given(wanted)].filter((rule) => !covers(had, rule));
  // Ways into the network of the worker are an admin's to open, also where nothing else bounds a project.
  if (added.some((rule) => leadsInside(rule) && !covers(ceiling ?? [], rule))) return false;
  if (wanted.egress === undefined) return present.egress === undefined || ceiling !== undefined;
  const { egress } = wanted;
  if (ceiling !== undefined) return egress.every((rule) => covers(ceiling, rule));
  const own = present.egress;
  return own === undefined || egress.every((rule) => covers(own, rule));
}

function leadsInside(rule: EgressRule): boolean {
  return 'cidr' in rule || ('host' in rule && rule.internal === true);
}

/** Gates are there to hold up also those who maintain the project. */
function isNoWeaker(wanted: ProjectConfig, present: ProjectConfig, before: Config): boolean {
  const next = wanted.gates ?? before.gates;
  const now = present.gates ?? before.gates;
  return now.at.every((point) => next.at.includes(point)) && (now.selfApproval || !next.selfApproval);
}

function refused(key: string, how = ''): BerthError {
  return new BerthError(
    'FORBIDDEN',
    `A maintainer cannot change ${key} of the project${how === '' ? '' : ` ${how}`}.`,
    {
      next: 'Ask an admin to change it in the configuration.',
      details: { key },
    },
  );
}
