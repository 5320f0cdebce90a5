import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

interface Tree {
  readonly [key: string]: unknown;
}

/** Of `scripts/github-openapi.ts`. */
const text = readFileSync(join(import.meta.dirname, 'generated/github-openapi.json'), 'utf8');
const published = JSON.parse(text) as { readonly paths: Tree; readonly components: Tree };

/** OpenAPI 3.0 says `nullable` where JSON Schema says `null`. */
function asJsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asJsonSchema);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, ...rest } = value as Tree;
  const own = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, asJsonSchema(one)]));
  return nullable === true ? { anyOf: [own, { type: 'null' }] } : own;
}

const ajv = new Ajv2020({ strict: false, validateFormats: false, logger: false });
ajv.addSchema({ $id: 'github', ...(asJsonSchema(published) as Tree) });

const compiled = new Map<string, ValidateFunction>();

function validator(pointer: readonly string[]): ValidateFunction {
  const escaped = pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')));
  const $ref = `github#/${escaped.join('/')}`;
  const known = compiled.get($ref) ?? ajv.compile({ $ref });
  compiled.set($ref, known);
  return known;
}

function at(...pointer: readonly string[]): unknown {
  let value: unknown = published;
  for (const part of pointer) value = (value as Tree | undefined)?.[part];
  return value;
}

function resolved(value: unknown): Tree {
  const ref = (value as Tree | undefined)?.['$ref'];
  return typeof ref === 'string' ? resolved(at(...ref.slice(2).split('/'))) : (value as Tree);
}

/** What GitHub itself shows as the answer of an operation. */
export function exampleOf(method: string, path: string, status: number): unknown {
  const content = at('paths', path, method, 'responses', String(status), 'content', 'application/json') as
    | Tree
    | undefined;
  const [first] = Object.values((content?.['examples'] ?? {}) as Tree);
  // Some values are references themselves.
  const value = resolved(resolved(first)['value']);
  return typeof value === 'object' && 'value' in value ? value['value'] : value;
}

/** What is wrong with an answer by GitHub's own document; null: nothing. */
export function answerFault(method: string, path: string, status: number, body: unknown): string | null {
  const pointer = ['paths', path, method, 'responses', String(status)];
  if (at(...pointer) === undefined) return `${method} ${path} never answers ${status}`;
  if (at(...pointer, 'content', 'application/json') === undefined) return null;
  return faultBy(validator([...pointer, 'content', 'application/json', 'schema']), body, 'answer');
}

/** What is wrong with a request: its path, parameters or body. */
export function requestFault(
  method: string,
  path: string,
  query: Readonly<Record<string, string>>,
  body: unknown,
): string | null {
  const operation = at('paths', path, method) as Tree | undefined;
  if (operation === undefined) return `there is no ${method} ${path}`;
  const parameters = ((operation['parameters'] ?? []) as unknown[]).map(resolved);
  for (const [name, value] of Object.entries(query)) {
    const place = parameters.find((one) => one['in'] === 'query' && one['name'] === name);
    if (place === undefined) return `${method} ${path} has no parameter ${name}`;
    const { type, enum: allowed } = resolved(place['schema']);
    if (type === 'integer' && !/^\d+$/.test(value)) return `${name} is no number`;
    if (Array.isArray(allowed) && !allowed.includes(value)) return `${name} is never ${value}`;
  }
  if (operation['requestBody'] === undefined) return body === undefined ? null : `${path} takes no body`;
  const place = ['paths', path, method, 'requestBody', 'content', 'application/json', 'schema'];
  const fault = body === undefined ? null : faultBy(validator(place), body, 'request');
  if (fault !== null) return fault;
  const properties = (resolved(at(...place))['properties'] ?? {}) as Tree;
  const unknown = Object.keys((body ?? {}) as Tree).find((key) => !Object.hasOwn(properties, key));
  return unknown === undefined || Object.keys(properties).length === 0
    ? null
    : `${path} has no field ${unknown}`;
}

/** The path of an operation that a real path is of. */
export function templateOf(method: string, path: string): string | null {
  const fitting = Object.entries(published.paths).filter(([template, methods]) => {
    const pattern = template.replaceAll(/[.]/g, '\\.').replaceAll(/\{[a-z_]+\}/g, '[^/]+');
    return Object.hasOwn(methods as Tree, method) && new RegExp(`^${pattern}$`).test(path);
  });
  // `/pulls/comments/7` is no pull request.
  fitting.sort(([one], [other]) => one.split('{').length - other.split('{').length);
  return fitting[0]?.[0] ?? null;
}

function faultBy(validate: ValidateFunction, value: unknown, what: string): string | null {
  if (validate(value)) return null;
  const [first] = validate.errors ?? [];
  return `${what}${first?.instancePath ?? ''}: ${first?.message ?? 'not valid'} ${JSON.stringify(first?.params)}`;
}
