import { z } from 'zod';

/** What becomes of a change that a rule finds something in, from the mildest. */
export const policyActions = ['allow', 'draft', 'block'] as const;
export type PolicyAction = (typeof policyActions)[number];

/**
 * What is looked for in a change, and what becomes of it where nobody says otherwise. `allow`: a note for the reader;
 * `draft`: a person looks at it; `block`: it does not leave. Values that Berth knows as secrets, names that no file
 * system takes, `.berth` and what reaches into git's own files are always blocked and are no rules.
 */
export const policyDefaults = {
  /** Workflows and pipelines: they run with rights outside of every sandbox. */
  ci: 'draft',
  /** Who has to review what. */
  codeowners: 'draft',
  /** What steers agents and editors: AGENTS.md, CLAUDE.md, .cursor, .mcp.json … */
  agentConfig: 'draft',
  /** Other files in folders of the root that begin with a dot. */
  dotDirectories: 'draft',
  /** .gitattributes and .gitmodules. */
  gitConfig: 'draft',
  lockfiles: 'allow',
  /** Paths that project or blueprint protect. */
  protectedPaths: 'block',
  /** Shapes of well-known tokens. */
  secrets: 'block',
  /** Long values without any pattern, where a key would stand. */
  entropy: 'block',
  /** More files or bytes than `maxFiles` and `maxMiB`. */
  size: 'block',
  binary: 'draft',
  /** Symbolic links that leave the repository. */
  symlinks: 'block',
  submodules: 'block',
  /** Files that become executable. */
  executables: 'allow',
  /** New names that differ from another in case or Unicode form alone: some file systems hold one of the two. */
  fileNames: 'draft',
  /** New names that Windows does not take. */
  windowsNames: 'allow',
  /** Tests deleted or skipped, thresholds lowered, rules of a linter switched off. */
  weakenedChecks: 'allow',
} as const satisfies Readonly<Record<string, PolicyAction>>;
export type PolicyRule = keyof typeof policyDefaults;
export const policyRules = Object.keys(policyDefaults) as readonly PolicyRule[];

export const policyActionSchema = z.enum(policyActions);
const rulesSchema = z
  .strictObject(
    Object.fromEntries(policyRules.map((rule) => [rule, policyActionSchema.optional()])) as Record<
      PolicyRule,
      z.ZodOptional<typeof policyActionSchema>
    >,
  )
  .prefault({});

/** What a project or a blueprint says about its proposals' contents. */
export const proposalPolicySchema = z.strictObject({
  rules: rulesSchema,
  /** Changed files, at most 5,000. */
  maxFiles: z.int().min(1).max(5_000).optional(),
  /** All changed files together, at most 100. */
  maxMiB: z.number().positive().max(100).optional(),
});
export type ProposalPolicyConfig = z.infer<typeof proposalPolicySchema>;

/** What counts for one proposal. */
export interface ProposalPolicy {
  readonly rules: Readonly<Record<PolicyRule, PolicyAction>>;
  readonly maxFiles: number;
  readonly maxBytes: number;
}

const mib = 1024 ** 2;

export const defaultProposalPolicy: ProposalPolicy = {
  rules: policyDefaults,
  maxFiles: 5_000,
  maxBytes: 100 * mib,
};

/** What an admin wrote, from the general to the particular: the later word counts, also where it is milder. Pure. */
export function configuredPolicy(...layers: readonly (ProposalPolicyConfig | undefined)[]): ProposalPolicy {
  return layers.reduce<ProposalPolicy>(
    (policy, layer) => ({
      rules: { ...policy.rules, ...given(layer) },
      maxFiles: layer?.maxFiles ?? policy.maxFiles,
      maxBytes: layer?.maxMiB === undefined ? policy.maxBytes : layer.maxMiB * mib,
    }),
    defaultProposalPolicy,
  );
}

/** A blueprint's word: it counts where it is stricter, and nowhere else. Pure. */
export function tightened(policy: ProposalPolicy, by: ProposalPolicyConfig): ProposalPolicy {
  return strictest(policy, {
    rules: { ...allowAll, ...given(by) },
    maxFiles: by.maxFiles ?? Infinity,
    maxBytes: by.maxMiB === undefined ? Infinity : by.maxMiB * mib,
  });
}

const allowAll = Object.fromEntries(policyRules.map((rule) => [rule, 'allow'])) as Record<
  PolicyRule,
  PolicyAction
>;

/** Rule by rule the stricter of two. Pure. */
export function strictest(one: ProposalPolicy, other: ProposalPolicy): ProposalPolicy {
  const rules = Object.fromEntries(
    policyRules.map((rule) => [rule, stricter(one.rules[rule], other.rules[rule])]),
  ) as Record<PolicyRule, PolicyAction>;
  return {
    rules,
    maxFiles: Math.min(one.maxFiles, other.maxFiles),
    maxBytes: Math.min(one.maxBytes, other.maxBytes),
  };
}

function stricter(one: PolicyAction, other: PolicyAction): PolicyAction {
  return policyActions.indexOf(one) >= policyActions.indexOf(other) ? one : other;
}

function given(layer: ProposalPolicyConfig | undefined): Partial<Record<PolicyRule, PolicyAction>> {
  return Object.fromEntries(Object.entries(layer?.rules ?? {}).filter(([, action]) => action !== undefined));
}
