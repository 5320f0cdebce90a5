import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { BerthError } from '../domain/errors/index.ts';
import { createControlPlane } from '../runs/control-plane.ts';
import type { PinnedConfig } from '../runs/equip/settings.ts';
import { liveHub } from '../runs/live-hub.ts';
import type { Database } from '../store/database.ts';
import { changingConfig } from './access-world.ts';

type ChangingConfig = ReturnType<typeof changingConfig>;

/** A configuration that a test changes, and that runs can pin. */
export function pinnedConfig(first: object): ChangingConfig & PinnedConfig {
  const config = changingConfig(first);
  return { ...config, current: () => config.current(), revision: async () => config.current() };
}

/** A real control plane without any part that runs need: tasks are only handed in. */
export function handingInPlane(db: Database, config: PinnedConfig): ControlPlane {
  const none = async (): Promise<never> => {
    throw new BerthError('INTERNAL', 'No repository is needed here.');
  };
  return createControlPlane({
    db,
    hub: liveHub(),
    redact: (value) => value,
    config,
    checkedRepository: async (repository) => {
      if (repository.includes('gone')) throw new BerthError('REPO_NOT_FOUND', `Nothing at ${repository}.`);
      return repository;
    },
    forgeOf: none,
    mirrorOf: none,
    diffOf: async () => '',
    doctor: none,
  });
}

/** Every run ends like this, without a worker; their logs do not say so. */
export async function endRuns(
  db: Database,
  state: 'succeeded' | 'failed' | 'needs_human',
  code: string | null = null,
): Promise<void> {
  await db.sql
    .updateTable('runs')
    .set({ state, code, reason: code ?? state, waiting: false })
    .where('state', 'in', ['queued', 'running'])
    .execute();
}
