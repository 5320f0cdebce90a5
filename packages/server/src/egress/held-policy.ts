import type { BrokeredCredential, EgressPolicy } from '../domain/egress.ts';
import {
  decide,
  decideRequest,
  type Ecosystem,
  type EcosystemHosts,
  type RequestLine,
  type RequestVerdict,
  type Verdict,
} from './decide.ts';
import type { EcosystemSource } from './ecosystems.ts';
import type { Target } from './hosts.ts';

/** The policy of a door as it is now, and what is open under it. */
export interface HeldPolicy {
  judge(target: Target): Promise<Verdict>;
  judgeRequest(target: Target, line: RequestLine): Promise<RequestVerdict>;
  /**
   * Counts a connection or request among those that a new policy resets. The policy may have changed since it was
   * admitted (a tunnel can hold back its hello): whoever enters judges once more.
   * @param still Whether it may stay, asked after each change.
   * @returns what takes it out again
   */
  enter(still: () => Promise<boolean>, reset: () => void): () => void;
  replace(policy: EgressPolicy): void;
}

/** @param credentials Those of the run at the moment: their hosts are always read. */
export function holdPolicy(
  first: EgressPolicy,
  ecosystems: EcosystemSource,
  credentials: () => readonly BrokeredCredential[],
): HeldPolicy {
  const live = new Set<{ readonly still: () => Promise<boolean>; readonly reset: () => void }>();
  let held = hold(first);

  function hold(policy: EgressPolicy): { policy: EgressPolicy; hosts: Promise<EcosystemHosts> } {
    const wanted = new Set<Ecosystem>();
    // A ceiling may allow as a host what a rule opens as an ecosystem, and the other way round.
    for (const rule of [...policy.rules, ...(policy.ceilings ?? []).flat()]) {
      if ('ecosystem' in rule) wanted.add(rule.ecosystem);
    }
    const facts = [...wanted].map(async (ecosystem) => {
      const found = await ecosystems.facts(ecosystem).then((known) => known.hosts());
      return [ecosystem, found] as const;
    });
    const hosts: Promise<EcosystemHosts> = Promise.all(facts).then((entries) => new Map(entries));
    // Nobody may have asked yet: a failure shows as a refusal when somebody does.
    hosts.catch(() => undefined);
    return { policy, hosts };
  }

  return {
    async judge(target) {
      const { policy, hosts } = held;
      return decide(policy, await hosts, target, credentials());
    },
    async judgeRequest(target, line) {
      const { policy, hosts } = held;
      return decideRequest(policy, await hosts, target, line);
    },
    enter(still, reset) {
      const entry = { still, reset };
      live.add(entry);
      return () => void live.delete(entry);
    },
    replace(policy) {
      held = hold(policy);
      for (const { still, reset } of live) {
        still().then(
          (stays) => {
            if (!stays) reset();
          },
          () => reset(),
        );
      }
    },
  };
}
