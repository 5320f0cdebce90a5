import type { Config, ProjectConfig } from '../../domain/config/index.ts';
import { pathWithin } from '../../domain/egress.ts';
import { isReservedEnv } from '../../domain/reserved-env.ts';
import { parseSecretReference } from '../../domain/secret-reference.ts';
import { secretsOf } from '../references.ts';
import type { BrokenRule } from './rules.ts';

/**
 * What secrets, and the projects that use them, cannot be wrong about each alone: who may use what, names that lead
 * nowhere or are Berth's own, credentials that would fit the same request. Pure.
 */
export function secretRules(config: Config): BrokenRule[] {
  return [
    ...listRules(config),
    ...sourceRules(config),
    ...config.projects.flatMap((project, place) => [
      ...useRules(config, project, ['projects', place]),
      ...nameRules(project, ['projects', place]),
      ...fitRules(project, ['projects', place]),
    ]),
  ];
}

/** A secret that is listed for a project which is not there would be whoever's who takes the name. */
function listRules(config: Config): BrokenRule[] {
  const projects = new Set(config.projects.map((project) => project.name));
  return config.secrets.flatMap((secret, place) => {
    const listed = new Set<string>();
    return secret.projects.flatMap((name, index) => {
      const path = ['secrets', place, 'projects', index];
      if (listed.has(name)) return [{ path, sentence: `${name} is there twice` }];
      listed.add(name);
      return projects.has(name) ? [] : [{ path, sentence: `there is no project ${name}` }];
    });
  });
}

function sourceRules(config: Config): BrokenRule[] {
  const { onePassword } = config.secretSources;
  const isIn = (text: string | undefined): boolean =>
    text !== undefined && parseSecretReference(text)?.kind === 'op';
  const broken: BrokenRule[] = [];
  if (isIn(onePassword?.token)) {
    broken.push({
      path: ['secretSources', 'onePassword', 'token'],
      sentence:
        'the token that opens 1Password cannot be in 1Password: use ${env:…}, ${file:…} or ${kubernetes:…}',
    });
  }
  if (onePassword !== undefined) return broken;
  const path = (key: string): readonly PropertyKey[] => {
    const [section, name] = key.split('.');
    const place = config.secrets.findIndex((secret) => secret.name === name);
    return section === 'secrets' && place !== -1 ? ['secrets', place, 'from'] : key.split('.');
  };
  return secretsOf(config)
    .filter(({ reference }) => isIn(reference))
    .map(({ key }) => ({
      path: path(key),
      sentence: 'this is in 1Password, and secretSources.onePassword does not say where that is',
    }));
}

/** Only what an admin listed for the project. */
function useRules(config: Config, project: ProjectConfig, at: readonly PropertyKey[]): BrokenRule[] {
  const listed = config.secrets.filter((secret) => secret.projects.includes(project.name));
  const uses = [
    ...project.credentials.map(({ secret }, place) => ({
      secret,
      path: [...at, 'credentials', place, 'secret'],
    })),
    ...project.forwardEnv.map(({ secret }, place) => ({
      secret,
      path: [...at, 'forwardEnv', place, 'secret'],
    })),
  ];
  return uses
    .filter(({ secret }) => !listed.some(({ name }) => name === secret))
    .map(({ secret, path }) => {
      const names = listed.map(({ name }) => name);
      const words = names.length === 0 ? 'none is' : `listed are: ${names.slice(0, 8).join(', ')}`;
      return {
        path,
        sentence: `the secret ${secret} is not listed for the project ${project.name} (${words})`,
      };
    });
}

/** Variables inside: none of Berth's own, and each only once. */
function nameRules(project: ProjectConfig, at: readonly PropertyKey[]): BrokenRule[] {
  const credentialNames = new Set<string>();
  const broken: BrokenRule[] = [];
  for (const [place, { name }] of project.credentials.entries()) {
    if (credentialNames.has(name)) {
      broken.push({ path: [...at, 'credentials', place, 'name'], sentence: `${name} is there twice` });
    }
    credentialNames.add(name);
  }
  const variables = [
    ...project.forwardEnv.map(({ name }, place) => ({ name, path: [...at, 'forwardEnv', place, 'name'] })),
    ...project.credentials.flatMap(({ env }, place) =>
      env === undefined ? [] : [{ name: env, path: [...at, 'credentials', place, 'env'] }],
    ),
  ];
  const seen = new Set<string>();
  for (const { name, path } of variables) {
    if (isReservedEnv(name)) {
      broken.push({ path, sentence: `${name} is a variable that sandboxes need as it is; use another name` });
    } else if (seen.has(name)) {
      broken.push({ path, sentence: `the variable ${name} is set twice` });
    }
    seen.add(name);
  }
  return broken;
}

/** Headers that say where a request goes and where it ends; a credential in one would change the request itself. */
const reservedHeaders = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-connection',
]);

/** Of two credentials that fit one request, nobody could say which it should get. */
function fitRules(project: ProjectConfig, at: readonly PropertyKey[]): BrokenRule[] {
  const broken: BrokenRule[] = [];
  for (const [place, one] of project.credentials.entries()) {
    const { placement } = one;
    if (placement.in === 'header' && reservedHeaders.has(placement.name.toLowerCase())) {
      broken.push({
        path: [...at, 'credentials', place, 'placement', 'name'],
        sentence: `${placement.name} is not a header for a credential`,
      });
    }
    const other = project.credentials.slice(0, place).find((earlier) => overlap(earlier, one));
    if (other !== undefined) {
      broken.push({
        path: [...at, 'credentials', place],
        sentence: `${one.name} and ${other.name} fit the same requests to ${one.host}; give them paths that do not overlap`,
      });
    }
  }
  return broken;
}

type Credential = ProjectConfig['credentials'][number];

function overlap(one: Credential, other: Credential): boolean {
  if (one.host.toLowerCase() !== other.host.toLowerCase() || one.port !== other.port) return false;
  const [paths, others] = [one.paths ?? ['/'], other.paths ?? ['/']];
  return paths.some((path) => pathWithin(others, path)) || others.some((path) => pathWithin(paths, path));
}
