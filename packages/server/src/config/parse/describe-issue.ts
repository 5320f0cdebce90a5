import type { z } from 'zod';
import { ecosystems } from '../../domain/egress.ts';
import { visible } from '../../domain/events/index.ts';
import { nearest } from './nearest.ts';
import { spell, type ConfigProblem } from './problem.ts';
import type { Locator } from '../../domain/yaml-positions.ts';
import { isSecretAt, keysAt } from './schema-walk.ts';

type Issue = z.core.$ZodIssue;

/** The problems behind one schema issue: what was found, and what is allowed there. Never shows a secret. */
export function describeIssue(issue: Issue, root: unknown, locator: Locator): ConfigProblem[] {
  const { path } = issue;
  const label = path.length === 0 ? 'the file' : visible(spell(path));
  const value = valueAt(root, path);
  const found = isSecretAt(path) ? 'no reference' : show(value);
  const one = (sentence: string): ConfigProblem[] => [
    { ...locator.value(path), path: visible(spell(path)), sentence },
  ];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const allowed = keysAt(path);
        const near = nearest(key, allowed);
        const hint = near === null ? '' : ` (did you mean ${near}?)`;
        return {
          ...locator.key(path, key),
          path: visible(spell([...path, key])),
          sentence: `unknown key ${show(key)}${hint}; allowed here: ${allowed.join(', ')}`,
        };
      });
    case 'invalid_type':
      return one(
        value === undefined
          ? `${label} is missing; ${article(issue.expected)} is needed`
          : `${label} is ${found}; ${article(issue.expected)} is needed`,
      );
    case 'invalid_value':
      return one(
        value === undefined
          ? `${label} is missing; allowed: ${issue.values.map(show).join(', ')}`
          : `${label} is ${found}; allowed: ${issue.values.map(show).join(', ')}`,
      );
    case 'invalid_union':
      return describeUnion(issue, root, locator) ?? one(`${label} is ${found}; ${allowedChoice(path)}`);
    case 'invalid_key':
      return one(`${label} is no allowed name: ${issue.issues[0]?.message ?? 'not valid'}`);
    case 'too_small':
      return one(`${label} is ${found}; at least ${String(issue.minimum)}${unit(issue.origin)} is needed`);
    case 'too_big':
      return one(`${label} is ${found}; at most ${String(issue.maximum)}${unit(issue.origin)} is allowed`);
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_element':
    case 'custom':
      return one(`${label} is ${found}; needed: ${wanted(path, issue.message)}`);
  }
}

/** Of the choices the one that was most nearly met, when it is clear which was meant. */
function describeUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  root: unknown,
  locator: Locator,
): ConfigProblem[] | null {
  const value = valueAt(root, issue.path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const branches = issue.errors
    .filter((errors) => errors.every((error) => error.path.length > 0))
    .sort((a, b) => a.length - b.length);
  const [best, second] = branches;
  if (best === undefined || second?.length === best.length) return null;
  return best.flatMap((error) =>
    describeIssue({ ...error, path: [...issue.path, ...error.path] }, root, locator),
  );
}

function allowedChoice(path: readonly PropertyKey[]): string {
  if (path.includes('prices'))
    return 'allowed: flat, or {input: 3, output: 15} in US dollars per million tokens';
  return `allowed: {host: a host name or *.name, ports: [443]} or {ecosystem: ${ecosystems.join(' | ')}}`;
}

function wanted(path: readonly PropertyKey[], message: string): string {
  if (path.at(-1) === 'host') return 'a host name, or *.name for all below it';
  if (path[0] === 'projects' || path[1] !== 'slots') return message;
  return '<provider>/<model>';
}

/** A value as it was found: short, one line, control characters visible, without what stands before an @ in an address. */
function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value);
    return `a map (${visible(keys.slice(0, 4).join(', ')).slice(0, 80)}${keys.length > 4 ? ', …' : ''})`;
  }
  const text = visible(JSON.stringify(value) ?? typeof value).replaceAll(/\/\/[^/@\s]*@/g, '//…@');
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

function article(type: string): string {
  const words: Readonly<Record<string, string>> = {
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
