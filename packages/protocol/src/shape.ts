/** A value from the wire does not have the shape it must have. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

/** Checks a value from the wire and gives it a type. @throws ShapeError naming the place, never the value */
export type Shape<T> = (value: unknown, at: string) => T;
export type Shaped<S> = S extends Shape<infer T> ? T : never;

function fail(at: string, expected: string): never {
  throw new ShapeError(`${at}: expected ${expected}`);
}

/** `noNul` refuses the character that would cut a path or an argument short in the kernel. */
export function text(options: {
  max: number;
  min?: number;
  pattern?: RegExp;
  noNul?: boolean;
}): Shape<string> {
  const min = options.min ?? 0;
  return (value, at) => {
    if (typeof value !== 'string' || value.length > options.max || value.length < min) {
      return fail(at, `a text of ${min} to ${options.max} characters`);
    }
    if (options.noNul === true && value.includes('\0')) return fail(at, 'a text without NUL');
    if (options.pattern !== undefined && !options.pattern.test(value))
      return fail(at, 'another form of text');
    return value;
  };
}

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value, at) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : fail(at, `an integer from ${min} to ${max}`);
}

export const finite: Shape<number> = (value, at) =>
  typeof value === 'number' && Number.isFinite(value) ? value : fail(at, 'a number');

export const flag: Shape<boolean> = (value, at) =>
  typeof value === 'boolean' ? value : fail(at, 'true or false');

export function literal<const T extends ReadonlyArray<string | number | boolean>>(
  ...values: T
): Shape<T[number]> {
  return (value, at) => {
    const found = values.find((one) => one === value);
    return found === undefined ? fail(at, values.join(' | ')) : found;
  };
}

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, at) => (value === null ? null : shape(value, at));
}

export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, at) => (value === undefined ? undefined : shape(value, at));
}

export function list<T>(shape: Shape<T>, max: number): Shape<T[]> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length > max) return fail(at, `a list of at most ${max}`);
    return value.map((one: unknown, index) => shape(one, `${at}[${index}]`));
  };
}

export function dictionary<T>(key: Shape<string>, shape: Shape<T>, max: number): Shape<Record<string, T>> {
  return (value, at) => {
    const entries = Object.entries(objectOf(value, at));
    if (entries.length > max) return fail(at, `at most ${max} entries`);
    return Object.fromEntries(
      entries.map(([name, one]) => [key(name, `${at} key`), shape(one, `${at}.${name.slice(0, 64)}`)]),
    );
  };
}

function objectOf(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(at, 'an object');
  return value as Record<string, unknown>;
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
type OptionalKeys<F extends Fields> = { [K in keyof F]: undefined extends Shaped<F[K]> ? K : never }[keyof F];
type ObjectOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Shaped<F[K]>;
} & { readonly [K in OptionalKeys<F>]?: Exclude<Shaped<F[K]>, undefined> };

/** An object with exactly these fields; unknown ones are refused, absent optional ones stay absent. */
export function object<F extends Fields>(fields: F): Shape<ObjectOf<F>> {
  return (value, at) => {
    const source = objectOf(value, at);
    for (const name of Object.keys(source)) {
      if (!Object.hasOwn(fields, name)) return fail(at, `no field ${name.slice(0, 64)}`);
    }
    const result: Record<string, unknown> = {};
    for (const [name, shape] of Object.entries(fields)) {
      const checked = shape(Object.hasOwn(source, name) ? source[name] : undefined, `${at}.${name}`);
      if (checked !== undefined) result[name] = checked;
    }
    return result as ObjectOf<F>;
  };
}

/** One of several objects, told apart by the literal in `tag`. */
export function tagged<const T extends Readonly<Record<string, Shape<unknown>>>>(
  tag: string,
  shapes: T,
): Shape<Shaped<T[keyof T]>> {
  return (value, at) => {
    const name = objectOf(value, at)[tag];
    const shape = typeof name === 'string' && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
    return shape === undefined
      ? fail(`${at}.${tag}`, Object.keys(shapes).join(' | '))
      : (shape(value, at) as Shaped<T[keyof T]>);
  };
}

/** Parses JSON bytes and checks them. @throws ShapeError */
export function parseJson<T>(bytes: Uint8Array, shape: Shape<T>, at: string): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return fail(at, 'JSON');
  }
  return shape(value, at);
}
