import { type Config, durationMs } from '../../domain/config/index.ts';
import type { SandboxLimits } from '../../domain/ports/sandbox.ts';
import type { RunState } from '../../domain/run-state.ts';
import type { PoolWish } from '../../sandboxes/pool/index.ts';
import { limitsOfProfile, type PinnedConfig, settingsOfRepository } from './settings.ts';

/** What the profiles of a configuration want kept ready. Pure. */
export function poolWishes(config: Config, standard: SandboxLimits): PoolWish[] {
  return config.sandboxes
    .filter((profile) => profile.pool.max > 0)
    .map((profile) => ({ profile, limits: limitsOfProfile(profile, standard) }));
}

/** As the schema has it, for projects without a profile. */
const usualPauseKeep = '15m';

/** How long the sandboxes of a paused run are kept: as the profile says that the run pinned. */
export function pauseKeepOf(config: PinnedConfig): (state: RunState) => Promise<number> {
  return async ({ created }) => {
    if (created === null) return durationMs(usualPauseKeep);
    // A revision that is gone has said nothing else than the one that counts now, as far as anybody knows.
    const pinned = await config.revision(created.configRevision ?? 0).catch(() => config.current());
    const { sandbox } = settingsOfRepository(pinned, created.repository);
    return durationMs(sandbox?.pauseKeep ?? usualPauseKeep);
  };
}
