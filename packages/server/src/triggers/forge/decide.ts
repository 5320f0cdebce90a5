import {
  repositoryPermissions,
  type ForgeTriggerConfig,
  type RepositoryPermission,
} from '../../domain/config/index.ts';
import { cleanOutsideText } from '../../domain/outside-text.ts';
import type { ForgeHappening } from './event.ts';

/** Those of a project's triggers that a happening is for, in their order. Pure. */
export function triggersFor(
  happening: ForgeHappening,
  triggers: readonly ForgeTriggerConfig[],
): readonly ForgeTriggerConfig[] {
  const { cause, isPullRequest } = happening;
  return triggers.filter(({ on }) => {
    switch (cause.kind) {
      case 'labelled':
        return !isPullRequest && on.label !== undefined && same(on.label, cause.label);
      case 'assigned':
        return !isPullRequest && on.assignee !== undefined && same(on.assignee, cause.assignee);
      case 'written':
        return on.mention !== undefined && mentions(cause.text, on.mention);
    }
  });
}

/** Whether people see somebody called in a text: not in code, not in what is quoted of others, not where it is hidden. */
export function mentions(text: string, mention: string): boolean {
  const said = cleanOutsideText(text)
    .replaceAll(/^ {0,3}(```|~~~)[^\n]*\n[\s\S]*?(^ {0,3}\1[^\n]*$|$(?![\s\S]))/gm, '')
    .replaceAll(/`[^`\n]*`/g, '')
    .split('\n')
    .filter((line) => !/^ {0,3}>/.test(line))
    .join('\n');
  // Cleaning takes the call out of a mention, with a space.
  const name = mention.slice(1).replaceAll(/[^A-Za-z0-9-]/g, '');
  return new RegExp(`(^|[^\\w@./-])@ ${name}(?![\\w-]|\\.\\w)`, 'i').test(said);
}

export function mayStart(permission: RepositoryPermission, least: ForgeTriggerConfig['authors']): boolean {
  return repositoryPermissions.indexOf(permission) >= repositoryPermissions.indexOf(least);
}

function same(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
