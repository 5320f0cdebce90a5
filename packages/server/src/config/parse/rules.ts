import { namedSections, type Config } from '../../domain/config/index.ts';
import { cronFault } from '../cron.ts';
import { forgeRules } from './forge-rules.ts';
import { secretRules } from './secret-rules.ts';
import { triggerRules } from './trigger-rules.ts';

export interface BrokenRule {
  readonly path: readonly PropertyKey[];
  readonly sentence: string;
}

/** Text of a blueprint that the configuration carries; null: it is one. Handed in: blueprints lie above this room. */
export type CheckBlueprint = (text: string) => string | null;

/**
 * What a configuration says that each part alone cannot be wrong about: names that lead nowhere, two projects of one
 * repository, credentials in addresses. Pure.
 */
export function rulesOf(config: Config, checkBlueprint: CheckBlueprint = () => null): BrokenRule[] {
  return [
    ...projectRules(config, checkBlueprint),
    ...providerRules(config),
    ...slotRules(config),
    ...scheduleRules(config),
    ...triggerRules(config),
    ...addressRules(config),
    ...denyRules(config),
    ...secretRules(config),
    ...forgeRules(config),
  ];
}

function projectRules(config: Config, checkBlueprint: CheckBlueprint): BrokenRule[] {
  const broken: BrokenRule[] = [];
  const profiles = new Set(config.sandboxes.map((profile) => profile.name));
  const repositories = new Map<string, string>();
  for (const [place, project] of config.projects.entries()) {
    const { name, repository, sandbox, blueprint } = project;
    const other = repositories.get(repository);
    if (other !== undefined) {
      broken.push({
        path: ['projects', place, 'repository'],
        sentence: `${name} and ${other} have the same repository`,
      });
    }
    repositories.set(repository, name);
    if (sandbox !== undefined && !profiles.has(sandbox)) {
      broken.push({
        path: ['projects', place, 'sandbox'],
        sentence: `there is no sandbox profile ${sandbox}${known(profiles)}`,
      });
    }
    const fault = blueprint === undefined ? null : checkBlueprint(blueprint);
    if (fault !== null) broken.push({ path: ['projects', place, 'blueprint'], sentence: fault });
  }
  return broken;
}

function providerRules(config: Config): BrokenRule[] {
  return Object.entries(config.models.providers).flatMap(([name, { kind, baseUrl }]) =>
    kind === 'openai-compatible' && baseUrl === undefined
      ? [
          {
            path: ['models', 'providers', name],
            sentence: 'a server of your own needs its address: baseUrl, with the version (https://host/v1)',
          },
        ]
      : [],
  );
}

/** Those the environment offers by itself, with ANTHROPIC_API_KEY and OPENAI_API_KEY. */
const environmentProviders = ['anthropic', 'openai'];

function slotRules(config: Config): BrokenRule[] {
  const providers = new Set([...Object.keys(config.models.providers), ...environmentProviders]);
  const of = (slots: Config['models']['slots'], path: readonly PropertyKey[]): BrokenRule[] =>
    Object.entries(slots).flatMap(([slot, models]) =>
      (models ?? []).flatMap((model, place) => {
        const provider = model.slice(0, model.indexOf('/'));
        if (providers.has(provider)) return [];
        return [
          {
            path: [...path, slot, place],
            sentence: `${model} names no provider of models.providers${known(providers)}`,
          },
        ];
      }),
    );
  return [
    ...of(config.models.slots, ['models', 'slots']),
    ...config.projects.flatMap((project, place) => of(project.slots, ['projects', place, 'slots'])),
  ];
}

function scheduleRules(config: Config): BrokenRule[] {
  const projects = new Set(config.projects.map((project) => project.name));
  return config.schedules.flatMap((schedule, place) => {
    const broken: BrokenRule[] = [];
    if (!projects.has(schedule.project)) {
      broken.push({
        path: ['schedules', place, 'project'],
        sentence: `there is no project ${schedule.project}${known(projects)}`,
      });
    }
    const isZone = isTimeZone(schedule.timeZone);
    const fault = cronFault(schedule.cron, isZone ? schedule.timeZone : 'UTC');
    if (fault !== null) broken.push({ path: ['schedules', place, 'cron'], sentence: fault });
    if (!isZone) {
      broken.push({
        path: ['schedules', place, 'timeZone'],
        sentence: `${schedule.timeZone} is no time zone; write it like Europe/Zurich`,
      });
    }
    return broken;
  });
}

/** Addresses are stored and shown: a password in one would be too. */
function addressRules(config: Config): BrokenRule[] {
  const addresses: [readonly PropertyKey[], string | undefined][] = [
    [['server', 'publicUrl'], config.server.publicUrl],
    [['signIn', 'oidc', 'issuer'], config.signIn.oidc?.issuer],
    [['secretSources', 'onePassword', 'url'], config.secretSources.onePassword?.url],
    ...config.forges.flatMap(({ url, apiUrl }, place): [readonly PropertyKey[], string | undefined][] => [
      [['forges', place, 'url'], url],
      [['forges', place, 'apiUrl'], apiUrl],
    ]),
    [['signIn', 'cloudflareAccess', 'team'], config.signIn.cloudflareAccess?.team],
    ...Object.entries(config.models.providers).map(
      ([name, provider]): [readonly PropertyKey[], string | undefined] => [
        ['models', 'providers', name, 'baseUrl'],
        provider.baseUrl,
      ],
    ),
    ...config.projects.map((project, place): [readonly PropertyKey[], string] => [
      ['projects', place, 'repository'],
      project.repository,
    ]),
  ];
  return addresses
    .filter(([path, text]) => text !== undefined && hasCredential(text, path.at(-1) === 'repository'))
    .map(([path]) => ({ path, sentence: 'an address is stored and shown: write it without credentials' }));
}

/** `ssh://git@host` names an account and is no secret; a password is, and so is a name on its own with http. */
function hasCredential(text: string, isRepository: boolean): boolean {
  const url = URL.parse(text);
  if (url === null) return false;
  if (url.password !== '') return true;
  return url.username !== '' && !(isRepository && url.protocol === 'ssh:');
}

const hostPattern = /^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;

function denyRules(config: Config): BrokenRule[] {
  return config.egress.deny.flatMap((host, place) =>
    hostPattern.test(host)
      ? []
      : [{ path: ['egress', 'deny', place], sentence: 'a host name is needed, or *.name for all below it' }],
  );
}

function known(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, 8).join(', ');
  return names.size === 0 ? ': there is none' : ` (there are: ${shown}${names.size > 8 ? ', …' : ''})`;
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** Whether a rule's path lies within one object of a named section. */
export function concerns(broken: BrokenRule, config: Config, section: string, name: string): boolean {
  const [first, place] = broken.path;
  if (first !== section) return false;
  const key = namedSections.find(([one]) => one === section)?.[1];
  if (key === undefined) return true;
  const entries = config[section as (typeof namedSections)[number][0]] as readonly object[];
  const entry = typeof place === 'number' ? entries[place] : undefined;
  return entry !== undefined && (entry as Record<string, unknown>)[key] === name;
}
