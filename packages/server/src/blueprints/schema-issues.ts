import type { z } from 'zod';
import { blueprintSchema, checkSchema, commandSchema, stepSchema } from '../domain/blueprint.ts';
import { ecosystems } from '../domain/egress.ts';
import { visible } from '../domain/events/index.ts';
import { runLimitsSchema } from '../domain/limits.ts';
import type { Locator } from '../domain/yaml-positions.ts';
import type { BlueprintProblem } from './problem.ts';

type Issue = z.core.$ZodIssue;

/** The sentences for one schema issue: what was found, and what is allowed there. */
export function describeIssue(issue: Issue, root: unknown, locator: Locator): BlueprintProblem[] {
  const { path } = issue;
  const where = path.length === 0 ? 'the blueprint' : spell(path);
  const found = show(valueAt(root, path));
  const here = locator.value(path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const allowed = allowedKeys(path, root);
        return {
          ...locator.key(path, key),
          sentence: `unknown key ${show(key)}${hint(key, allowed)}; allowed in ${where}: ${allowed.join(', ')}`,
        };
      });
    case 'invalid_type':
      return [
        {
          ...here,
          sentence:
            valueAt(root, path) === undefined
              ? `${where} is missing; ${article(issue.expected)} is needed`
              : `${where} is ${found}; ${article(issue.expected)} is needed`,
        },
      ];
    case 'invalid_value':
      return [{ ...here, sentence: `${where} is ${found}; allowed: ${issue.values.map(show).join(', ')}` }];
    case 'invalid_union':
      return [{ ...here, sentence: `${where} is ${found}; ${allowedUnion(path)}` }];
    case 'invalid_key':
      return [
        {
          ...here,
          sentence: `${where} is no allowed name: ${issue.issues[0]?.message ?? 'not valid'}`,
        },
      ];
    case 'too_small':
      return [
        {
          ...here,
          sentence: `${where} is ${found}; at least ${String(issue.minimum)}${issue.inclusive === false ? ' (not included)' : ''} is needed`,
        },
      ];
    case 'too_big':
      return [
        {
          ...here,
          sentence: `${where} is ${found}; at most ${String(issue.maximum)}${issue.origin === 'string' ? ' characters' : ''} is allowed`,
        },
      ];
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_element':
    case 'custom':
      return [
        {
          ...here,
          sentence: `${where} is ${found}; needed: ${path.at(-1) === 'host' ? 'a host name, or *.name for all below it' : issue.message}`,
        },
      ];
  }
}

/** `checks[2].run`, as people write it. */
export function spell(path: readonly PropertyKey[]): string {
  return path
    .map((part, place) =>
      typeof part === 'number' ? `[${part}]` : place === 0 ? String(part) : `.${String(part)}`,
    )
    .join('');
}

/** A value as it was found: short, one line, control characters visible. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value);
    return `a map (${visible(keys.slice(0, 4).join(', ')).slice(0, 80)}${keys.length > 4 ? ', …' : ''})`;
  }
  const text = visible(JSON.stringify(value) ?? typeof value);
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

const stepKeys = new Map(
  stepSchema.options.map((option) => [[...option.shape.step.values][0]!, Object.keys(option.shape)]),
);

function allowedKeys(path: readonly PropertyKey[], root: unknown): readonly string[] {
  const [first, , third] = path;
  if (path.length === 0) return Object.keys(blueprintSchema.shape);
  if (first === 'limits') return Object.keys(runLimitsSchema.shape);
  if (third === 'egress') return ['host', 'ports', 'ecosystem'];
  if (first === 'setup') return Object.keys(commandSchema.shape);
  if (first === 'checks') return Object.keys(checkSchema.shape);
  const kind = valueAt(root, [...path, 'step']);
  return (typeof kind === 'string' ? stepKeys.get(kind as never) : undefined) ?? ['step'];
}

function allowedUnion(path: readonly PropertyKey[]): string {
  if (path[0] === 'steps') return `allowed steps: ${[...stepKeys.keys()].join(', ')}`;
  if (path.includes('egress')) {
    return `allowed: {host: a host name or *.name, ports: [443]} or {ecosystem: ${ecosystems.join(' | ')}}`;
  }
  return 'this is not allowed here';
}

function article(type: string): string {
  const words: Record<string, string> = {
    array: 'a list',
    object: 'a map',
    record: 'a map',
    string: 'a text (quote it if it looks like something else)',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
  };
  return words[type] ?? type;
}

/** ` (did you mean "checks"?)` when one allowed name is at most two edits away. */
function hint(key: string, allowed: readonly string[]): string {
  const near = allowed.find((name) => key.length <= 64 && edits(key.toLowerCase(), name.toLowerCase()) <= 2);
  return near === undefined ? '' : ` (did you mean "${near}"?)`;
}

function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
