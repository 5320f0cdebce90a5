import type { Command } from 'commander';
import type { CommandContext, CommonFlags } from './command-context.ts';
import type { DocumentName } from './output/json-fields.ts';

/** What a command does; answers its exit code. */
export type Act<Flags> = (
  context: CommandContext,
  flags: Flags,
  id: string | undefined,
  text?: string,
) => Promise<number>;

/** Adds a command with the flags that all have. */
export type Leaf = (
  parent: Command,
  name: string,
  what: string,
  place?: { readonly hidden?: boolean; readonly isDefault?: boolean },
) => Command;
/** The action of a command, whose code is read when it runs. */
export type Acting = <Flags>(
  load: () => Promise<Act<Flags & CommonFlags>>,
  document?: DocumentName,
) => (...given: unknown[]) => Promise<void>;

/** Gathers the values of an option that is given several times. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}
