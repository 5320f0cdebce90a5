import {
  noEgressFor,
  type Config,
  type CredentialConfig,
  type EgressFor,
  type ForwardEnvConfig,
  type GatesConfig,
  type ModelsSection,
  type ProjectConfig,
  type SandboxProfile,
} from './config/index.ts';
import type { EgressRule } from './egress.ts';
import { configuredPolicy, type ProposalPolicy } from './proposal-policy.ts';
import { defaultRunLimits, narrow, type RunLimits } from './limits.ts';

/** How a project's changes are offered. */
export interface ProposalSettings {
  readonly policy: ProposalPolicy;
  readonly labels: readonly string[];
  readonly reviewers: readonly string[];
  readonly coAuthor: boolean;
  readonly judgeMaxUsd: number;
}

/** The most a judge may cost where nobody says otherwise: some ten verdicts of a dear model. */
const judgeMaxUsd = 1;

function proposalSettings({ proposals }: Config, project: ProjectConfig['proposals']): ProposalSettings {
  return {
    policy: configuredPolicy(proposals.policy, project?.policy),
    labels: project?.labels ?? proposals.labels ?? [],
    reviewers: project?.reviewers ?? proposals.reviewers ?? [],
    coAuthor: project?.coAuthor ?? proposals.coAuthor ?? false,
    judgeMaxUsd: project?.judgeMaxUsd ?? proposals.judgeMaxUsd ?? judgeMaxUsd,
  };
}

/** What a project's runs go by: the configuration resolved for one project. Pure data, no secret in it. */
export interface ProjectSettings {
  /** Revision they come from. */
  readonly revision: number;
  readonly name: string;
  readonly blueprint: string | null;
  readonly slots: ModelsSection['slots'];
  /** What a run gets that asks for nothing. */
  readonly limits: RunLimits;
  /** The most a task or blueprint may ask for, where somebody set one: the narrower of installation and project. */
  readonly ceiling: Partial<RunLimits>;
  readonly egress: {
    /** Each list is a ceiling: what may be opened is allowed by all of them. None: no ceiling. */
    readonly ceilings: readonly (readonly EgressRule[])[];
    /** The configuration's key of each ceiling, for people. */
    readonly ceilingKeys: readonly string[];
    readonly deny: readonly string[];
    /** What the project's configuration opens for each kind of step, beside the rules of the blueprint. */
    readonly given: EgressFor;
  };
  readonly sandbox: SandboxProfile | null;
  /** The profile that the project names, also where there is none of that name; null: it names none. */
  readonly sandboxName: string | null;
  /** Only those whose secret is listed for the project. */
  readonly credentials: readonly CredentialConfig[];
  /** As `credentials`: variables that sandboxes get as they are. */
  readonly forwardEnv: readonly ForwardEnvConfig[];
  /** Whether `SANDBOX_ENV_*` of the worker reach the sandboxes. */
  readonly sandboxEnv: boolean;
  /** Whether snapshots of `setup` are made and used: only where no value of the operator's is in its sandboxes. */
  readonly snapshots: boolean;
  readonly gates: GatesConfig;
  readonly proposals: ProposalSettings;
  readonly priority: number;
}

/** Settings of a project by its name; those of the installation alone when it is not configured. Pure. */
export function projectSettings(config: Config, revision: number, name: string): ProjectSettings {
  const project = config.projects.find((one) => one.name === name);
  const profile = config.sandboxes.find((one) => one.name === (project?.sandbox ?? 'default'));
  return {
    revision,
    name,
    blueprint: project?.blueprint ?? null,
    slots: { ...config.models.slots, ...project?.slots },
    limits: narrow({ ...defaultRunLimits, ...given(config.limits.run) }, given(project?.limits ?? {})),
    ceiling: narrowest(given(config.limits.run), given(project?.limits ?? {})),
    egress: {
      ceilings: [config.egress.allow, project?.egress].filter((list) => list !== undefined),
      ceilingKeys: [
        ...(config.egress.allow === undefined ? [] : ['egress.allow']),
        ...(project?.egress === undefined ? [] : [`egress of the project ${name}`]),
      ],
      deny: config.egress.deny,
      given: project?.egressFor ?? noEgressFor,
    },
    sandbox: profile ?? null,
    sandboxName: project?.sandbox ?? null,
    credentials: (project?.credentials ?? []).filter(({ secret }) => isListed(config, name, secret)),
    forwardEnv: (project?.forwardEnv ?? []).filter(({ secret }) => isListed(config, name, secret)),
    sandboxEnv: project?.sandboxEnv ?? false,
    snapshots:
      (project?.snapshots ?? profile?.snapshots ?? false) &&
      (project?.forwardEnv ?? []).length === 0 &&
      project?.sandboxEnv !== true,
    gates: project?.gates ?? config.gates,
    proposals: proposalSettings(config, project?.proposals),
    priority: project?.priority ?? 0,
  };
}

function isListed(config: Config, project: string, secret: string): boolean {
  return config.secrets.some(({ name, projects }) => name === secret && projects.includes(project));
}

function given(limits: Config['limits']['run']): Partial<RunLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

/** Limit by limit the smaller of what is set. */
function narrowest(one: Partial<RunLimits>, other: Partial<RunLimits>): Partial<RunLimits> {
  const merged: Partial<Record<keyof RunLimits, number>> = { ...one };
  for (const [name, value] of Object.entries(other) as [keyof RunLimits, number][]) {
    merged[name] = Math.min(merged[name] ?? Infinity, value);
  }
  return merged;
}
