import { configSchema, type Config } from '../../domain/config/index.ts';
import { BerthError } from '../../domain/errors/index.ts';
import { visible } from '../../domain/events/index.ts';
import { describeIssue } from './describe-issue.ts';
import { sortProblems, spell, type ConfigProblem } from './problem.ts';
import { readYaml } from './read-yaml.ts';
import { rulesOf, type CheckBlueprint } from './rules.ts';
import { withVariables } from './variables.ts';

export { maxConfigBytes } from './read-yaml.ts';
export type { ConfigProblem } from './problem.ts';
export type { CheckBlueprint } from './rules.ts';

/** What a file gives, before defaults: only what it says. */
export type ConfigDocument = Readonly<Record<string, unknown>>;

export type ParsedConfig =
  | { readonly ok: true; readonly document: ConfigDocument; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** Most problems that are told at once. */
const maxProblems = 100;

/**
 * Reads a configuration file. References to secrets stay references; `${env:NAME}` in other texts is replaced. A file
 * stands on its own: what it names (a sandbox profile, a project, a provider) is in it. Never throws. Pure.
 * @param text hostile
 */
export function parseConfig(
  text: string,
  options: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly checkBlueprint?: CheckBlueprint;
  },
): ParsedConfig {
  const read = readYaml(text);
  if (!read.ok) return { ok: false, problems: sortProblems(read.problems) };
  const { locator } = read;
  const { value, problems: unset } = withVariables(read.value ?? {}, options.env);
  const at = (broken: { path: readonly PropertyKey[]; sentence: string }): ConfigProblem => ({
    ...locator.value(broken.path),
    path: visible(spell(broken.path)),
    sentence: broken.sentence,
  });
  const problems = unset.map(at);
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) {
    problems.push(...parsed.error.issues.flatMap((issue) => describeIssue(issue, value, locator)));
  } else {
    problems.push(...rulesOf(parsed.data, options.checkBlueprint).map(at));
    if (problems.length === 0) return { ok: true, document: value as ConfigDocument, config: parsed.data };
  }
  return { ok: false, problems: sortProblems(problems).slice(0, maxProblems) };
}

/** `file:line:column: message`, one line each. */
export function problemLines(path: string, problems: readonly ConfigProblem[]): string[] {
  return problems.map((one) => `${visible(path)}:${one.line}:${one.column}: ${one.sentence}`);
}

/** The problems of a configuration as one error. */
export function invalidConfig(path: string, problems: readonly ConfigProblem[]): BerthError {
  const lines = problemLines(path, problems);
  const rest = lines.length > 5 ? [`and ${lines.length - 5} more`] : [];
  return new BerthError('CONFIG_INVALID', [...lines.slice(0, 5), ...rest].join('\n'), {
    details: { path, problems: problems.slice(0, 50) },
  });
}
