import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Clock } from '../../domain/ports/clock.ts';
import {
  authoritySeedBytes,
  createEgressAuthority,
  trustFiles,
  type EgressAuthority,
} from '../../egress/index.ts';
import type { Place } from './place.ts';

/** The authority of each sandbox, by its id: whom its programs trust where the way out is read. */
export type Authorities = (sandboxId: string) => EgressAuthority;

/**
 * @param seed The installation's secret from which the authorities of its sandboxes follow. Absent: one of this process;
 * inspected connections of a sandbox that another process takes over then fail.
 */
export function sandboxAuthorities(seed: Uint8Array | undefined, clock: Clock): Authorities {
  const own = seed ?? randomBytes(authoritySeedBytes);
  return (sandboxId) => createEgressAuthority(own, sandboxId, clock);
}

/** Writes what programs inside trust: the system's authorities, PEM, and the sandbox's own. */
export function writeTrust(place: Place, system: string | null, authority: EgressAuthority): void {
  for (const [name, bytes] of trustFiles(system, authority))
    writeFileSync(place.path('trust', name), bytes, { mode: 0o644 });
}
