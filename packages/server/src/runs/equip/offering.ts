import type { OfferSettings } from '../../blueprints/index.ts';
import type { Config, CurrentConfig } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { strictest } from '../../domain/proposal-policy.ts';
import type { ProjectSettings } from '../../domain/settings.ts';
import { type CoAuthor, unsignedBerth } from '../../git/proposal-commit.ts';
import type { ReadSecret } from '../../secrets/read-secret.ts';
import type { Database } from '../../store/database.ts';
import { requestersOf } from '../requesters.ts';
import type { ProposalStoreParts } from './proposals.ts';
import { settingsOfRepository } from './settings.ts';

/** How a run offers what it made, by the configuration. */
export interface Offering {
  readonly offer: OfferSettings;
  readonly store: Pick<ProposalStoreParts, 'policy' | 'coAuthors' | 'maker'>;
  judgeMaxUsd(): number;
}

/**
 * What the configuration says of a run's proposals. Policy: the stricter of what the run was planned with and what counts
 * now, so that a rule takes hold at once and none is lifted under a run. Everything else: as it is now.
 */
export function offeringOf(parts: {
  readonly db: Database;
  readonly taskId: string;
  readonly runId: string;
  readonly repository: string;
  readonly pinned: ProjectSettings;
  readonly config: CurrentConfig;
  /** Null: this installation reads no secrets. */
  readonly read: ReadSecret | null;
}): Offering {
  const { db, taskId, runId, repository, pinned, config, read } = parts;
  const now = (): ProjectSettings['proposals'] =>
    settingsOfRepository(config.current(), repository).proposals;
  return {
    judgeMaxUsd: () => Math.min(pinned.proposals.judgeMaxUsd, now().judgeMaxUsd),
    offer: {
      get runUrl() {
        const base = config.current().config.server.publicUrl;
        return base === undefined ? null : `${base.replace(/\/+$/, '')}/runs/${runId}`;
      },
      get labels() {
        return now().labels;
      },
      get reviewers() {
        return now().reviewers;
      },
    },
    store: {
      policy: () => strictest(pinned.proposals.policy, now().policy),
      async coAuthors() {
        if (!now().coAuthor) return [];
        return coAuthorsOf(config.current().config, await requestersOf(db, taskId));
      },
      async maker(signal) {
        const { committer, signingKey } = config.current().config.proposals;
        const person = committer ?? unsignedBerth;
        if (signingKey === undefined) return { ...person, signingKey: null };
        if (read === null) throw new BerthError('SIGNING_FAILED', 'This installation reads no secrets.');
        return { ...person, signingKey: await read(signingKey, signal) };
      },
    },
  };
}

/** The requesters that the configuration has an address of, each once. Pure. */
export function coAuthorsOf({ people }: Config, requesters: readonly string[]): CoAuthor[] {
  const wanted = new Set(requesters.map((id) => id.toLowerCase()));
  return people.flatMap(({ id, name, email, disabled }) =>
    email === undefined || disabled || !wanted.has(id.toLowerCase()) ? [] : [{ name: name ?? email, email }],
  );
}
