import type { EgressFor } from '../domain/config/index.ts';
import type { EgressPolicy, EgressRule } from '../domain/egress.ts';
import type { DurableCommand } from '../domain/ports/run-context.ts';
import type { SandboxPurpose } from '../domain/purpose.ts';

/** What the configuration gives to the steps of a run, as it counts now. */
export type GivenEgress = () => EgressFor;

/** The rules of one command: its own of the blueprint, and those that the configuration gives to its step. Pure. */
export function commandRules(
  purpose: SandboxPurpose,
  command: Pick<DurableCommand, 'purpose' | 'command'>,
  given: EgressFor,
): readonly EgressRule[] {
  return [...command.command.egress, ...givenTo(purpose, command.purpose, given)];
}

function givenTo(
  purpose: SandboxPurpose,
  what: DurableCommand['purpose'],
  given: EgressFor,
): readonly EgressRule[] {
  if (what === 'setup') return given.setup;
  // Berth's own commands (which files changed, whether the tree is the proposed one) need no way out.
  if (what === 'other') return [];
  if (purpose === 'verify') return given.verify;
  // What failed before the change is excused: it must not fail there for want of a way out that others had.
  return purpose === 'baseline' ? [...given.check, ...given.verify] : given.check;
}

/** The policy of each sandbox of a run, kept as the way to work it out, so that it follows the configuration. */
export function stepEgress(
  given: GivenEgress,
  apply: (purpose: SandboxPurpose, policy: EgressPolicy) => void,
) {
  const closed = (): readonly EgressRule[] => [];
  const idle = new Map<SandboxPurpose, () => readonly EgressRule[]>();
  const wanted = new Map<SandboxPurpose, () => readonly EgressRule[]>();
  const put = (purpose: SandboxPurpose, rules: () => readonly EgressRule[]): EgressPolicy => {
    wanted.set(purpose, rules);
    const policy = { rules: rules() };
    apply(purpose, policy);
    return policy;
  };
  const rest = (purpose: SandboxPurpose): void => {
    put(purpose, idle.get(purpose) ?? closed);
  };
  return {
    rulesFor: (purpose: SandboxPurpose, command: DurableCommand): readonly EgressRule[] =>
      commandRules(purpose, command, given()),
    /** Until `rest`: what the command may reach. */
    forCommand: (purpose: SandboxPurpose, command: DurableCommand): EgressPolicy =>
      put(purpose, () => commandRules(purpose, command, given())),
    set(purpose: SandboxPurpose, policy: EgressPolicy): void {
      const between = idle.get(purpose) ?? closed;
      put(purpose, () => [...policy.rules, ...between()]);
    },
    rest,
    /** While `work` goes on, the agent's rules hold wherever no command's do; none of them before and after. */
    async duringAgent<T>(work: () => Promise<T>): Promise<T> {
      idle.set('work', () => given().agent);
      rest('work');
      try {
        return await work();
      } finally {
        idle.delete('work');
        rest('work');
      }
    },
    /** The configuration changed. */
    refresh(): void {
      for (const [purpose, rules] of wanted) apply(purpose, { rules: rules() });
    },
  };
}
