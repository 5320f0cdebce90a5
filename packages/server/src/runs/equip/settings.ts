import type { Config, ConfigRevision, CurrentConfig, EgressFor } from '../../domain/config/index.ts';
import {
  covers,
  deniedBy,
  type CurrentEgressBounds,
  type EgressBounds,
  type EgressRule,
} from '../../domain/egress.ts';
import { BerthError } from '../../domain/errors/index.ts';
import type { Blueprint } from '../../domain/blueprint.ts';
import type { SandboxProfile } from '../../domain/config/sandboxes.ts';
import type { SandboxDriver, SandboxLimits } from '../../domain/ports/sandbox.ts';
import { projectSettings, type ProjectSettings } from '../../domain/settings.ts';

const mib = 1024 ** 2;

/** What runs go by: the revision they pinned, and what counts now. `config/` implements it. */
export interface PinnedConfig extends CurrentConfig {
  /** @throws BerthError `CONFIG_REVISION_GONE`, `DATABASE_UNAVAILABLE` */
  revision(number: number): Promise<ConfigRevision>;
}

/** Settings of the project of a repository; those of the installation alone when it is not configured. Pure. */
export function settingsOfRepository(revision: ConfigRevision, repository: string): ProjectSettings {
  const { config, number } = revision;
  return projectSettings(config, number, nameOfRepository(config, repository));
}

/** The configured name of a repository's project; empty (the name of none) when there is none. */
export function nameOfRepository(config: Config, repository: string): string {
  return config.projects.find((project) => project.repository === repository)?.name ?? '';
}

/**
 * The pinned bounds cut by what the configuration allows now: a host that was revoked is closed at once, one that was
 * added later stays closed to a run that was planned before.
 */
export function egressBounds(
  config: CurrentConfig,
  pinned: ProjectSettings,
  repository: string,
): CurrentEgressBounds {
  return {
    current() {
      const now = config.current();
      const { egress } = settingsOfRepository(now, repository);
      const traffic = trafficBounds(now.config);
      if (now.number === pinned.revision) {
        return { ceilings: egress.ceilings, deny: egress.deny, ...traffic };
      }
      return {
        ceilings: [...pinned.egress.ceilings, ...egress.ceilings],
        deny: [...new Set([...pinned.egress.deny, ...egress.deny])],
        ...traffic,
      };
    },
    onChange: (listener) => config.onChange(() => listener()),
  };
}

/** Limits, refused ranges and trusted authorities are the installation's, and always those of now. */
export function trafficBounds({ egress }: Config): Pick<EgressBounds, 'traffic' | 'refusedRanges' | 'trust'> {
  const { upMiB, downMiB, hostUpMiB, hostDownMiB, perSecond, connections } = egress.limits;
  return {
    traffic: {
      upBytes: upMiB * mib,
      downBytes: downMiB * mib,
      hostUpBytes: hostUpMiB * mib,
      hostDownBytes: hostDownMiB * mib,
      perSecond,
      connections,
    },
    ...(egress.refusedRanges === undefined ? {} : { refusedRanges: egress.refusedRanges }),
    ...(egress.trust.length === 0 ? {} : { trust: egress.trust }),
  };
}

/** What the pinned configuration gives to steps, as far as the one that counts now still gives it. */
export function givenEgress(
  config: CurrentConfig,
  pinned: ProjectSettings,
  repository: string,
): () => EgressFor {
  return () => {
    const now = config.current();
    const { given } = pinned.egress;
    if (now.number === pinned.revision) return given;
    const current = settingsOfRepository(now, repository).egress.given;
    const still = (step: keyof EgressFor) => given[step].filter((rule) => covers(current[step], rule));
    return { setup: still('setup'), agent: still('agent'), check: still('check'), verify: still('verify') };
  };
}

/**
 * Refuses a blueprint that opens more than the configuration allows.
 * @throws BerthError `EGRESS_BEYOND_CEILING` that names rule and ceiling
 */
export function assertWithinCeilings(blueprint: Blueprint, settings: ProjectSettings): void {
  const commands = [
    ...blueprint.setup.map((command, place) => ({ name: `setup ${place + 1}`, egress: command.egress })),
    ...blueprint.checks,
    ...Object.entries(settings.egress.given).map(([step, egress]) => ({
      name: `egressFor.${step} of the project ${settings.name}`,
      egress,
    })),
  ];
  for (const { name, egress } of commands) {
    for (const rule of egress) {
      const objection = objectionTo(rule, settings);
      if (objection === null) continue;
      throw new BerthError('EGRESS_BEYOND_CEILING', `${name} opens ${words(rule)}, but ${objection}.`, {
        details: { command: name, rule, ceiling: objection },
      });
    }
  }
}

function objectionTo(rule: EgressRule, { egress }: ProjectSettings): string | null {
  const denied = !('host' in rule) ? null : deniedBy(egress.deny, rule.host);
  if (denied !== null) return `egress.deny of the configuration has ${denied}`;
  const place = egress.ceilings.findIndex((ceiling) => !covers(ceiling, rule));
  if (place === -1) return null;
  const allowed = egress.ceilings[place]?.map(words).join(', ') ?? '';
  return `${egress.ceilingKeys[place] ?? 'egress'} of the configuration allows only: ${allowed === '' ? 'nothing' : allowed}`;
}

function words(rule: EgressRule): string {
  if ('ecosystem' in rule) return `the ecosystem ${rule.ecosystem}`;
  if ('cidr' in rule) return `${rule.cidr}:${rule.ports.join(',')}`;
  return rule.ports.length === 1 && rule.ports[0] === 443
    ? rule.host
    : `${rule.host}:${rule.ports.join(',')}`;
}

/**
 * Refuses a sandbox that cannot be what the project's profile asks for.
 * @throws BerthError `SANDBOX_PROFILE_MISSING`, `SANDBOX_DRIVER_MISSING`, `SANDBOX_UNSUPPORTED`
 */
export function assertSandbox(
  settings: ProjectSettings,
  driver: Pick<SandboxDriver, 'name' | 'assertSuits'>,
): void {
  const { sandbox, sandboxName } = settings;
  if (sandbox === null) {
    if (sandboxName === null) return;
    throw new BerthError(
      'SANDBOX_PROFILE_MISSING',
      `The project names the sandbox profile ${sandboxName}, and there is none.`,
    );
  }
  if (driver.assertSuits !== undefined) return driver.assertSuits(sandbox);
  if (sandbox.driver === 'auto' || sandbox.driver === driver.name) return;
  throw new BerthError(
    'SANDBOX_DRIVER_MISSING',
    `The profile ${sandbox.name} asks for the driver ${sandbox.driver}; this worker has ${driver.name}.`,
  );
}

/** The limits of a profile over the installation's. */
export function profileLimits(settings: ProjectSettings, standard: SandboxLimits): SandboxLimits {
  return limitsOfProfile(settings.sandbox, standard);
}

/** The limits that a profile sets, and the others as they are. Pure. */
export function limitsOfProfile(profile: SandboxProfile | null, standard: SandboxLimits): SandboxLimits {
  const { memoryMiB, cpus, processes, diskMiB, fileMiB } = profile ?? {};
  return {
    ...standard,
    ...(memoryMiB === undefined ? {} : { memoryBytes: memoryMiB * mib }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(processes === undefined ? {} : { processes }),
    ...(diskMiB === undefined ? {} : { diskBytes: diskMiB * mib }),
    ...(fileMiB === undefined ? {} : { fileBytes: fileMiB * mib }),
  };
}
