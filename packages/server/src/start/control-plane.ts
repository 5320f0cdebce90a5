import { secretsOf } from '../config/references.ts';
import type { ControlPlane } from '../domain/ports/control-plane.ts';
import { checkedRepository } from '../runs/checked-repository.ts';
import { createControlPlane } from '../runs/control-plane.ts';
import { inspectInstallation } from '../runs/doctor.ts';
import { diffOf } from '../runs/equip/proposals.ts';
import { limitsOfProfile } from '../runs/equip/settings.ts';
import { defaultSandboxLimits } from '../sandboxes/default-limits.ts';
import { knownMirror, runRepository } from '../runs/equip/repository.ts';
import type { LiveHub } from '../runs/live-hub.ts';
import type { Foundation } from './foundation.ts';

/** What the API asks, on this foundation. @param hub what viewers of live frames watch */
export function controlPlaneOn(foundation: Foundation, hub: LiveHub): ControlPlane {
  const { db, redact, home, signal, env, driver, forges } = foundation;
  return createControlPlane({
    db,
    hub,
    redact,
    config: foundation.config,
    checkedRepository: (repository) => checkedRepository(repository, signal),
    forgeOf: (projectId) => foundation.forgeOf(projectId, null),
    mirrorOf: (repository, stop) =>
      knownMirror(home, repository, AbortSignal.any([signal, stop]), forges.fetchTargetOf),
    diffOf: (state) =>
      diffOf(
        state,
        runRepository(
          home,
          state.created?.repository ?? '',
          signal,
          () => state.plan !== null,
          forges.fetchTargetOf,
        ),
        db.blobs,
        signal,
      ),
    doctor: () =>
      inspectInstallation({
        db,
        driver,
        env,
        home,
        signal,
        profiles: () =>
          foundation.config.current().config.sandboxes.map((profile) => ({
            profile,
            limits: limitsOfProfile(profile, defaultSandboxLimits()),
          })),
        forges: () => forges.inspections(),
        secrets: {
          references: () => secretsOf(foundation.config.current().config),
          read: foundation.secrets.read,
        },
      }),
  });
}
