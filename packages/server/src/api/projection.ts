import { z } from 'zod';
import { BerthError } from '../domain/errors/index.ts';

/** `fields=a,b.c`: only these members of each item, to send less. */
export const fieldsSchema = z
  .string()
  .max(1_000)
  .regex(/^[A-Za-z0-9_.,]*$/, 'names of members, comma-separated, a dot before those of members')
  .optional()
  .describe('Only these members of each row: `id,status.state,costUsd`. Without it: all.');

/**
 * The members that `fields` names; a dot leads into an object.
 * @throws BerthError `USAGE` for a name that no row has
 */
export function project(rows: readonly object[], fields: string, shape: z.ZodObject): object[] {
  const paths = fields
    .split(',')
    .filter((field) => field !== '')
    .map((field) => field.split('.'));
  for (const path of paths) {
    const known = Object.keys(shape.shape);
    if (path.length > 4 || !known.includes(path[0]!)) {
      throw new BerthError('USAGE', `fields: there is no ${path.join('.')}; known are ${known.join(', ')}`);
    }
  }
  return rows.map((row) => pick(row, paths));
}

function pick(value: object, paths: readonly (readonly string[])[]): object {
  const picked: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
    const below = paths.filter((path) => path[0] === name).map((path) => path.slice(1));
    if (below.length === 0) continue;
    const isWhole = below.some((path) => path.length === 0);
    picked[name] =
      isWhole || typeof member !== 'object' || member === null || Array.isArray(member)
        ? member
        : pick(member, below);
  }
  return picked;
}
