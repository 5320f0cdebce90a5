import * as fc from 'fast-check';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Schema = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}

/** One operation of an OpenAPI document. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | null;
}

/** A request as it goes out; `body` is text, so that it need not be JSON at all. */
export interface FuzzedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];

export function operationsOf(document: Schema): Operation[] {
  const found: Operation[] = [];
  for (const [path, item] of Object.entries((document['paths'] ?? {}) as Record<string, Schema>)) {
    for (const method of methods) {
      const operation = item[method] as Schema | undefined;
      if (operation === undefined) continue;
      const content = (operation['requestBody'] as Schema | undefined)?.['content'] as Schema | undefined;
      const json = content?.['application/json'] as Schema | undefined;
      found.push({
        method: method.toUpperCase(),
        path,
        parameters: (operation['parameters'] ?? []) as Parameter[],
        body: (json?.['schema'] as Schema | undefined) ?? null,
      });
    }
  }
  return found;
}

/** What breaks programs: edges of types, names every object inherits, text that other layers read as something else. */
const nasty: fc.Arbitrary<Json> = fc.constantFrom<Json[]>(
  null,
  true,
  -1,
  0,
  1e308,
  Number.MAX_SAFE_INTEGER,
  0.1,
  '',
  ' ',
  '\0',
  'a\u0000b',
  '\ud800',
  '\u202e',
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '%2e%2e%2f',
  "' or 1=1 --",
  '${env:HOME}',
  '$(id)',
  'x'.repeat(70_000),
  [],
  {},
  [[[[[[[[]]]]]]]],
  { __proto__: null, constructor: 1 },
);

/** Values of a schema, mostly right, sometimes not. `known` are texts that mean something (ids, names). */
export function valueOf(
  schema: Schema,
  document: Schema,
  known: readonly string[],
  depth = 0,
): fc.Arbitrary<Json> {
  const right = rightOf(schema, document, known, depth);
  return fc.oneof({ arbitrary: right, weight: 12 }, { arbitrary: nasty, weight: 1 });
}

function rightOf(
  schema: Schema,
  document: Schema,
  known: readonly string[],
  depth: number,
): fc.Arbitrary<Json> {
  const inner = (part: Schema): fc.Arbitrary<Json> => valueOf(part, document, known, depth + 1);
  if (typeof schema['$ref'] === 'string') return inner(resolve(schema['$ref'], document));
  if ('const' in schema) return fc.constant(schema['const'] as Json);
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as Json[]));
  const either = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined;
  if (either !== undefined) return fc.oneof(...either.map(inner));
  if (depth > 6) return fc.constant(null);
  switch (schema['type']) {
    case 'string':
      return textOf(schema, known);
    case 'integer':
    case 'number':
      return numberOf(schema);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(inner((schema['items'] ?? {}) as Schema), { maxLength: 4 });
    case 'object':
      return objectOf(schema, inner);
    default:
      return nasty;
  }
}

function resolve(reference: string, document: Schema): Schema {
  let place: unknown = document;
  for (const part of reference.replace(/^#\//, '').split('/')) place = (place as Schema)[part];
  return place as Schema;
}

function textOf(schema: Schema, known: readonly string[]): fc.Arbitrary<Json> {
  const free = fc.oneof(
    fc.string({ maxLength: 40, unit: 'binary' }),
    fc.string({ maxLength: 20 }),
    fc.constantFrom('a', 'b'.repeat(2_000), '2026-11-21T12:00:00Z', '7d', '30m'),
  );
  const options: fc.WeightedArbitrary<Json>[] = [
    { arbitrary: free, weight: 3 },
    { arbitrary: fc.constantFrom(...known), weight: 4 },
  ];
  if (typeof schema['pattern'] === 'string') {
    try {
      const pattern = new RegExp(schema['pattern'], 'u');
      options.push({ arbitrary: fc.stringMatching(pattern), weight: 4 });
    } catch {
      // A pattern that the generator cannot follow: free text has to do.
    }
  }
  return fc.oneof(...options);
}

function numberOf(schema: Schema): fc.Arbitrary<Json> {
  const bound = (name: string, standard: number): number =>
    typeof schema[name] === 'number' ? schema[name] : standard;
  const min = Math.max(bound('minimum', -1_000), -1e9);
  const max = Math.max(min, Math.min(bound('maximum', 1_000), 1e9));
  return fc.oneof(
    fc.integer({ min: Math.ceil(min), max: Math.floor(max) }),
    fc.constantFrom(min - 1, max + 1, min, max),
  );
}

function objectOf(schema: Schema, inner: (part: Schema) => fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const required = new Set((schema['required'] ?? []) as string[]);
  const members = properties.map(([name, part]) =>
    fc.tuple(
      fc.constant(name),
      inner(part),
      fc.boolean().map((given) => given || required.has(name)),
    ),
  );
  const extra = fc.option(fc.tuple(fc.string({ maxLength: 10 }), nasty, fc.constant(true)), { freq: 12 });
  return fc.tuple(fc.tuple(...members), extra).map(([given, more]) => {
    const all = more === null ? given : [...given, more];
    return Object.fromEntries(all.filter(([, , isGiven]) => isGiven).map(([name, value]) => [name, value]));
  });
}

/** Requests for one operation. */
export function requestOf(
  operation: Operation,
  document: Schema,
  known: readonly string[],
): fc.Arbitrary<FuzzedRequest> {
  const parameters = operation.parameters.map((parameter) =>
    fc.tuple(
      fc.constant(parameter),
      valueOf(parameter.schema ?? {}, document, known),
      fc.boolean().map((given) => given || parameter.in === 'path'),
    ),
  );
  const body: fc.Arbitrary<string | null> =
    operation.body === null
      ? fc.constantFrom(null, null, null, '{}', 'null', '[]')
      : fc.oneof(
          {
            arbitrary: valueOf(operation.body, document, known).map((value) => JSON.stringify(value)),
            weight: 14,
          },
          { arbitrary: fc.constantFrom('', '{', 'null', '"', '[1,', '{"a":1}}', '\ufeff{}'), weight: 1 },
        );
  const type = fc.constantFrom(...Array<string>(20).fill('application/json'), 'text/plain', 'x/y', '');
  return fc.tuple(fc.tuple(...parameters), body, type).map(([given, text, contentType]) => {
    let path = operation.path;
    const query = new URLSearchParams();
    const headers: Record<string, string> = {};
    for (const [parameter, value, isGiven] of given) {
      if (!isGiven) continue;
      const written = typeof value === 'string' ? value : JSON.stringify(value);
      if (parameter.in === 'path') path = path.replace(`{${parameter.name}}`, encoded(written));
      // A line longer than any server reads is answered before it is looked at: that says nothing about the route.
      else if (parameter.in === 'query') query.append(parameter.name, written.slice(0, 4_000).toWellFormed());
      // What cannot stand in a header never leaves a client.
      else if (parameter.in === 'header' && /^[\x20-\x7e]*$/.test(written)) headers[parameter.name] = written;
    }
    if (text !== null && contentType !== '') headers['content-type'] = contentType;
    const search = query.size === 0 ? '' : `?${query.toString()}`;
    return { method: operation.method, url: `${path}${search}`, headers, body: text };
  });
}

/** A path segment; never empty, never one that a client would resolve away. */
function encoded(text: string): string {
  const segment = encodeURIComponent(text.toWellFormed().slice(0, 300));
  return segment === '' || segment === '.' || segment === '..' ? '%00' : segment;
}
