import { fixedConfig } from '../domain/config/index.ts';
import { BerthError } from '../domain/errors/index.ts';
import type { RunLimits } from '../domain/limits.ts';
import type { ProjectSettings } from '../domain/settings.ts';
import type { PinnedConfig } from './equip/settings.ts';

const nothing = fixedConfig();

/** Where there is no configuration: all is as it is by default. */
export const unconfigured: PinnedConfig = { ...nothing, revision: async () => nothing.current() };

/**
 * Refuses limits above what the configuration allows, instead of cutting them without a word.
 * @throws BerthError `LIMIT_INVALID`
 */
export function assertWithinCeiling(
  settings: ProjectSettings,
  asked: { readonly [Name in keyof RunLimits]?: number | undefined },
): void {
  for (const [name, most] of Object.entries(settings.ceiling) as [keyof RunLimits, number][]) {
    const wanted = asked[name];
    if (wanted === undefined || wanted <= most) continue;
    throw new BerthError(
      'LIMIT_INVALID',
      `The limit ${name} of ${wanted} is above the ${most} that is allowed.`,
      {
        next: `Ask for at most ${most}, or have an admin raise limits.run.${name} in the configuration.`,
        details: { limit: name, most },
      },
    );
  }
}
