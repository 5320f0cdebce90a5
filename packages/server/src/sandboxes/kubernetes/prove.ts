import type { DoctorCheck } from '../../domain/doctor.ts';
import { asBerthError } from '../../domain/errors/index.ts';
import type { ProvedProfile } from '../../domain/ports/sandbox.ts';
import { proveNetworkPolicy, type NetworkProofOptions } from './network-proof.ts';
import { capacityCodes } from './pod-state.ts';
import { probeSandbox, type ProbedCluster } from './probe.ts';
import { refuseWhatIsNotSupported } from './refusals.ts';

type Finding = Omit<DoctorCheck, 'ms'>;

/** What `berth doctor` tries beyond the probe: the network of the nodes, and each profile. */
export async function proveCluster(
  options: NetworkProofOptions & ProbedCluster,
  profiles: readonly ProvedProfile[],
  signal: AbortSignal,
): Promise<readonly DoctorCheck[]> {
  const timed = async (id: string, look: () => Promise<Finding>): Promise<DoctorCheck> => {
    const startedMs = performance.now();
    const finding = await look().catch((error: unknown): Finding => {
      signal.throwIfAborted();
      const { code, message, next } = asBerthError(error);
      return { id, state: capacityCodes.has(code) ? 'warn' : 'fail', sentence: message, fix: next };
    });
    return { ...finding, ms: Math.round(performance.now() - startedMs) };
  };
  const ours = profiles.filter(({ profile }) => ['auto', 'kubernetes'].includes(profile.driver));
  const checks = await Promise.all(
    ours.map((one) => timed(`profile-${one.profile.name}`, () => admitted(options, one, signal))),
  );
  return [...checks, await timed('network-policy', () => proveNetworkPolicy(options, signal))];
}

/** Asks what would become of a sandbox of the profile; nothing is stored. */
async function admitted(
  options: ProbedCluster,
  { profile, limits }: ProvedProfile,
  signal: AbortSignal,
): Promise<Finding> {
  const id = `profile-${profile.name}`;
  refuseWhatIsNotSupported(profile);
  const pod = probeSandbox(options, { kind: 'init-container', argv: ['true'] }, { profile, limits });
  await options.client.tryCreate(pod, signal);
  const { runtimeClass } = profile.kubernetes;
  return {
    id,
    state: 'pass',
    sentence:
      `The cluster admits sandboxes of the profile ${profile.name}.` +
      (runtimeClass === undefined
        ? ''
        : ` Its RuntimeClass ${runtimeClass} exists; whether nodes have a handler for it shows when a sandbox starts.`),
    fix: null,
  };
}
