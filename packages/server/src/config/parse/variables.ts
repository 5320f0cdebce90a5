import { isSecretAt } from './schema-walk.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Names of variables whose values are credentials: their values are never put into a stored text. */
const secretNames =
  /(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|DATABASE_URL|DATABASE_DIRECT_URL)$/i;

const reference = /(\$?)\$\{(env|file|kubernetes|op):([^}]*)\}/g;

export interface VariableProblem {
  readonly path: readonly PropertyKey[];
  readonly sentence: string;
}

/**
 * `value` with each `${env:NAME}` of its plain texts replaced; `$${env:NAME}` stands for itself. What is secret by
 * the schema stays a reference. Without an environment (what comes over the API) references in plain texts are
 * refused: whoever may write a description must not read the server's environment with it. Pure.
 */
export function withVariables(
  root: unknown,
  env: Environment | null,
  at: readonly PropertyKey[] = [],
): { readonly value: unknown; readonly problems: readonly VariableProblem[] } {
  const problems: VariableProblem[] = [];
  const text = (given: string, path: readonly PropertyKey[]): string =>
    given.replaceAll(reference, (found, escaped: string, kind: string, name: string) => {
      if (escaped !== '') return found.slice(1);
      const sentence = refusalOf(kind, name, env);
      if (sentence === null) return env?.[name] ?? '';
      problems.push({ path, sentence });
      return found;
    });
  const walk = (value: unknown, path: readonly PropertyKey[]): unknown => {
    if (typeof value === 'string') return isSecretAt(path) ? value : text(value, path);
    if (Array.isArray(value)) return value.map((entry, place) => walk(entry, [...path, place]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, walk(entry, [...path, key])]),
    );
  };
  return { value: walk(root, at), problems };
}

function refusalOf(kind: string, name: string, env: Environment | null): string | null {
  if (kind === 'file') return 'only secrets are read from files; this is stored as it stands';
  if (kind !== 'env') return 'only secrets are read from there; this is stored as it stands';
  if (env === null) return 'references to variables stand in the configuration file only';
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return `${JSON.stringify(name)} is no name of a variable`;
  if (secretNames.test(name)) return `the variable ${name} holds a secret, and this is stored as it stands`;
  if (env[name] === undefined) return `the environment variable ${name} is not set`;
  return null;
}
