/**
 * What of a new OpenAPI document would break a client of an old one. An answer may gain members and never lose one or
 * change its type; a request may gain optional members and accept more, and never less. Texts, examples and the order of
 * things do not matter. Pure.
 * @returns a sentence for each break, with the place it is at
 */
export function breakingChanges(before: Json, after: Json): string[] {
  const breaks: string[] = [];
  const documents: Documents = { before, after };
  for (const [path, item] of Object.entries(objectAt(before, 'paths'))) {
    const now = objectAt(after, 'paths')[path];
    for (const [method, operation] of Object.entries(asObject(item))) {
      if (!methods.includes(method)) continue;
      const place = `${method.toUpperCase()} ${path}`;
      const other = asObject(now)[method];
      if (other === undefined) breaks.push(`${place}: the route is gone`);
      else compareOperations(documents, place, asObject(operation), asObject(other), breaks);
    }
  }
  return breaks;
}

export type Json = Readonly<Record<string, unknown>>;

interface Documents {
  readonly before: Json;
  readonly after: Json;
}

const methods: readonly string[] = ['get', 'put', 'post', 'delete', 'patch'];

function compareOperations(
  documents: Documents,
  place: string,
  before: Json,
  after: Json,
  breaks: string[],
): void {
  if (before['operationId'] !== after['operationId']) {
    breaks.push(
      `${place}: operationId ${String(before['operationId'])} became ${String(after['operationId'])}`,
    );
  }
  compareParameters(documents, place, before, after, breaks);
  compareBodies(documents, place, before, after, breaks);
  for (const [status, answer] of Object.entries(objectAt(before, 'responses'))) {
    const other = objectAt(after, 'responses')[status];
    if (other === undefined) {
      breaks.push(`${place}: the answer ${status} is gone`);
      continue;
    }
    for (const [type, schema] of contents(answer)) {
      const now = contents(other).find(([name]) => name === type);
      const at = `${place} answer ${status}`;
      if (now === undefined) breaks.push(`${at}: ${type} is gone`);
      else new Comparison(documents, 'answer', breaks).compare(at, schema, now[1]);
    }
  }
}

function compareParameters(
  documents: Documents,
  place: string,
  before: Json,
  after: Json,
  breaks: string[],
): void {
  const keyOf = (parameter: Json): string => `${String(parameter['in'])} ${String(parameter['name'])}`;
  const old = new Map(listAt(before, 'parameters').map((one) => [keyOf(one), one]));
  const now = new Map(listAt(after, 'parameters').map((one) => [keyOf(one), one]));
  for (const [key, parameter] of old) {
    const other = now.get(key);
    const at = `${place} ${key}`;
    if (other === undefined) {
      breaks.push(`${at}: the parameter is gone`);
      continue;
    }
    if (parameter['required'] !== true && other['required'] === true)
      breaks.push(`${at}: it is required now`);
    new Comparison(documents, 'request', breaks).compare(
      at,
      asObject(parameter['schema']),
      asObject(other['schema']),
    );
  }
  for (const [key, parameter] of now) {
    if (!old.has(key) && parameter['required'] === true)
      breaks.push(`${place} ${key}: a new required parameter`);
  }
}

function compareBodies(
  documents: Documents,
  place: string,
  before: Json,
  after: Json,
  breaks: string[],
): void {
  const [old, now] = [before['requestBody'], after['requestBody']];
  const at = `${place} body`;
  if (now === undefined && old !== undefined) breaks.push(`${at}: it is not taken any more`);
  if (now === undefined) return;
  if (asObject(now)['required'] === true && asObject(old)['required'] !== true) {
    breaks.push(`${at}: it is required now`);
  }
  for (const [type, schema] of contents(old)) {
    const other = contents(now).find(([name]) => name === type);
    if (other === undefined) breaks.push(`${at}: ${type} is not taken any more`);
    else new Comparison(documents, 'request', breaks).compare(at, schema, other[1]);
  }
}

/** Compares two schemas; references are followed, each pair once. */
class Comparison {
  readonly #documents: Documents;
  readonly #side: 'request' | 'answer';
  readonly #breaks: string[];
  readonly #seen = new Set<string>();

  constructor(documents: Documents, side: 'request' | 'answer', breaks: string[]) {
    this.#documents = documents;
    this.#side = side;
    this.#breaks = breaks;
  }

  compare(place: string, one: Json, other: Json): void {
    const pair = `${String(one['$ref'])} ${String(other['$ref'])}`;
    if (one['$ref'] !== undefined && other['$ref'] !== undefined) {
      if (this.#seen.has(pair)) return;
      this.#seen.add(pair);
    }
    const before = resolved(this.#documents.before, one);
    const after = resolved(this.#documents.after, other);
    this.#compareTypes(place, before, after);
    this.#compareEnums(place, before, after);
    this.#compareMembers(place, before, after);
    if (before['items'] !== undefined && after['items'] !== undefined) {
      this.compare(`${place}[]`, asObject(before['items']), asObject(after['items']));
    }
    if (isObject(before['additionalProperties']) && isObject(after['additionalProperties'])) {
      this.compare(`${place}.*`, before['additionalProperties'], after['additionalProperties']);
    }
  }

  #compareTypes(place: string, before: Json, after: Json): void {
    const [old, now] = [typesOf(this.#documents.before, before), typesOf(this.#documents.after, after)];
    if (old.size === 0 && now.size === 0) return;
    // A reader must know every type that is answered; a writer may go on sending every type that was taken.
    const [wide, narrow] = this.#side === 'answer' ? [old, now] : [now, old];
    if (wide.size === 0) return;
    const surplus = narrow.size === 0 ? ['any'] : [...narrow].filter((type) => !covers(wide, type));
    if (surplus.length > 0) this.#breaks.push(`${place}: the type ${list(old)} became ${list(now)}`);
  }

  #compareEnums(place: string, before: Json, after: Json): void {
    const [old, now] = [valuesOf(before), valuesOf(after)];
    if (old === null || now === null) {
      if (this.#side === 'request' && old === null && now !== null) {
        this.#breaks.push(`${place}: only ${now.join(', ')} is taken now`);
      }
      return;
    }
    const gone = old.filter((value) => !now.includes(value));
    if (gone.length > 0) this.#breaks.push(`${place}: the value ${gone.join(', ')} is gone`);
  }

  #compareMembers(place: string, before: Json, after: Json): void {
    const [old, now] = [objectAt(before, 'properties'), objectAt(after, 'properties')];
    const [oldRequired, required] = [namesAt(before, 'required'), namesAt(after, 'required')];
    for (const [name, schema] of Object.entries(old)) {
      const other = Object.hasOwn(now, name) ? now[name] : undefined;
      if (other === undefined) {
        this.#breaks.push(`${place}.${name}: the member is gone`);
        continue;
      }
      if (this.#side === 'answer' && oldRequired.includes(name) && !required.includes(name)) {
        this.#breaks.push(`${place}.${name}: it may be missing now`);
      }
      this.compare(`${place}.${name}`, asObject(schema), asObject(other));
    }
    if (this.#side === 'answer') return;
    for (const name of required) {
      if (!oldRequired.includes(name)) this.#breaks.push(`${place}.${name}: it is required now`);
    }
  }
}

function covers(types: ReadonlySet<string>, type: string): boolean {
  return types.has(type) || (type === 'integer' && types.has('number'));
}

/** The types a schema allows, alternatives included; empty: any. */
function typesOf(document: Json, schema: Json): Set<string> {
  const types = new Set<string>();
  const { type } = schema;
  if (typeof type === 'string') types.add(type);
  if (Array.isArray(type)) for (const one of type) types.add(String(one));
  if ('const' in schema) types.add(schema['const'] === null ? 'null' : typeof schema['const']);
  for (const key of ['anyOf', 'oneOf']) {
    for (const one of listAt(schema, key)) {
      for (const found of typesOf(document, resolved(document, one))) types.add(found);
    }
  }
  return types;
}

function valuesOf(schema: Json): string[] | null {
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => JSON.stringify(value));
  return 'const' in schema ? [JSON.stringify(schema['const'])] : null;
}

function resolved(document: Json, schema: Json): Json {
  const reference = schema['$ref'];
  if (typeof reference !== 'string') return merged(document, schema);
  let found: unknown = document;
  for (const part of reference.replace(/^#\//, '').split('/')) found = asObject(found)[part];
  return merged(document, asObject(found));
}

/** The one alternative beside null stands for the whole: `anyOf: [Thing, null]` has the members of Thing. */
function merged(document: Json, schema: Json): Json {
  const parts = [...listAt(schema, 'allOf')];
  const real = listAt(schema, 'anyOf').filter((one) => one['type'] !== 'null');
  if (real.length === 1) parts.push(real[0]!);
  return parts.reduce<Json>((whole, part) => {
    const one = resolved(document, part);
    return {
      ...one,
      ...whole,
      properties: { ...objectAt(one, 'properties'), ...objectAt(whole, 'properties') },
      required: [...new Set([...namesAt(one, 'required'), ...namesAt(whole, 'required')])],
    };
  }, schema);
}

function contents(holder: unknown): [string, Json][] {
  return Object.entries(objectAt(asObject(holder), 'content')).map(([type, content]) => [
    type,
    asObject(asObject(content)['schema']),
  ]);
}

const list = (types: ReadonlySet<string>): string => (types.size === 0 ? 'any' : [...types].join(' or '));
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const asObject = (value: unknown): Json => (isObject(value) ? value : {});
const objectAt = (value: Json, key: string): Json => asObject(value[key]);
const listAt = (value: Json, key: string): Json[] =>
  Array.isArray(value[key]) ? value[key].filter(isObject) : [];
const namesAt = (value: Json, key: string): string[] =>
  Array.isArray(value[key]) ? value[key].filter((name) => typeof name === 'string') : [];
