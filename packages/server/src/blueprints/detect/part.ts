import type { z } from 'zod';
import type { checkSchema, commandSchema } from '../../domain/blueprint.ts';

export type CommandInput = z.input<typeof commandSchema>;
export type CheckInput = z.input<typeof checkSchema>;
export type Ecosystem = 'node' | 'python' | 'go' | 'make';

/** What one detector found in one directory. */
export interface Part {
  readonly ecosystem: Ecosystem;
  readonly directory: string;
  readonly setup: readonly CommandInput[];
  readonly checks: readonly CheckInput[];
  readonly notes: readonly string[];
}

/** Tests may take longer than anything else; half an hour is the default limit of a whole run. */
export const testMinutes = 15;
export const setupMinutes = 15;

/** Says to test runners that nobody watches: no watch mode, no prompts. */
export const unattended: Readonly<Record<string, string>> = { CI: '1' };

/**
 * A script that calls `command` with those of its arguments that match one of the shell patterns, and not at all
 * when none does. `.` always matches: it stands for everything.
 * @param patterns, command constants of this program, never data
 */
export function forFiles(patterns: readonly string[], command: string): string {
  return [
    'n=$#',
    `for f in "$@"; do case "$f" in ${['.', ...patterns].join('|')}) set -- "$@" "$f" ;; esac; done`,
    'shift "$n"',
    `[ "$#" -eq 0 ] || ${command} "$@"`,
  ].join('\n');
}
