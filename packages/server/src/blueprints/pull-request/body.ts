import type { CheckVerdict, RunState } from '../../domain/run-state.ts';
import type { Objection } from '../readiness.ts';
import { latestByName, verifyVerdicts } from '../readiness.ts';
import type { ChangedFile, Created, Plan } from '../steps/step.ts';
import { codeCell, durationText, fenced, neutralised, titleText } from './markdown.ts';
import { runStrip } from './run-strip.ts';
import { fillTemplate, type BlockName, type TemplateBlocks } from './template.ts';

/** Forges refuse bodies over 65,536 characters; this leaves room for what they add. */
const maxBodyCharacters = 60_000;
const maxListedFiles = 40;
const maxTaskCharacters = 4_000;

export interface BodyFacts {
  readonly state: RunState;
  readonly plan: Plan;
  readonly created: Created;
  readonly files: readonly ChangedFile[];
  /** Where the branch is fetched from; null: from the repository itself, which a clone calls `origin`. */
  readonly fetchUrl: string | null;
  /** Everything that speaks against merging as it is; empty for a ready pull request. */
  readonly objections: readonly Objection[];
  /** What an approver waived; a reviewer should know. Who it was is in the run's record, not here. */
  readonly waived?: readonly Objection[];
  /** The run's page; null: there is none. */
  readonly runUrl?: string | null;
  /** The repository's own, at the base; hostile. */
  readonly template?: { readonly path: string; readonly text: string } | null;
}

/** Title of the pull request: the task's, as data. */
export function pullRequestTitle(created: Created): string {
  return titleText(created.title);
}

/**
 * The body of the pull request, for a reviewer. It holds what Berth measured and what was asked, quoted; no word
 * of the agent stands in it as a fact. Pure.
 */
export function pullRequestBody(facts: BodyFacts): string {
  const sections = [
    verdictOf(facts),
    waivedOf(facts),
    noticedOf(facts),
    partsOf(facts),
    failuresOf(facts),
    runOf(facts),
    reproduceOf(facts),
    steeringOf(facts),
    `<sub>Opened by Berth, run ${neutralised(facts.state.runId)}. Berth measured everything above but the words of the task${(facts.template ?? null) === null ? '' : ', of the form'} and of files, which are quoted as data.</sub>`,
  ];
  return cut(sections.filter((section) => section !== '').join('\n\n'), maxBodyCharacters);
}

const headings: Readonly<Record<BlockName, string>> = {
  why: 'What was asked',
  what: 'What changed',
  evidence: 'Evidence',
};

/** What was asked, what changed and how it was checked, in the repository's own form where it has one. */
function partsOf(facts: BodyFacts): string {
  const blocks: TemplateBlocks = {
    why: fenced(cut(facts.created.text, maxTaskCharacters)),
    what: changesOf(facts),
    evidence: evidenceOf(facts),
  };
  const own = (names: readonly BlockName[]): string =>
    names.map((name) => `### ${headings[name]}\n\n${blocks[name]}`).join('\n\n');
  const { template = null } = facts;
  if (template === null) return own(['why', 'what', 'evidence']);
  const { text, left } = fillTemplate(template.text, blocks);
  const source = `<sub>The form is ${codeCell(template.path)} of the base; what Berth cannot know is left as it was.</sub>`;
  return [text, own(left), source].filter((part) => part !== '').join('\n\n');
}

const maxNoticed = 12;

/** What stops nothing and a reviewer should see: what policy allows with a word, and what the judge said. */
function noticedOf({ state }: BodyFacts): string {
  const notes = (state.proposal?.findings ?? []).filter((finding) => finding.severity === 'note');
  const judge = state.steps.findLast((step) => step.kind === 'judge' && step.state === 'passed');
  const lines = [
    ...notes.map(({ sentence }) => oneLine(sentence)),
    ...(judge === undefined ? [] : [oneLine(judge.sentence)]),
  ];
  if (lines.length === 0) return '';
  const shownLines = lines.slice(0, maxNoticed).map((line) => `- ${line}`);
  const more = lines.length > maxNoticed ? [`- and ${lines.length - maxNoticed} more`] : [];
  return `**Worth a look**\n\n${[...shownLines, ...more].join('\n')}`;
}

function steeringOf({ state, runUrl = null }: BodyFacts): string {
  const id = state.runId;
  const page =
    runUrl === null
      ? ''
      : `[The run](${runUrl.replaceAll(/[()\s<>]/g, encodeURIComponent)}) has every command and answer. `;
  return `${page}Not right? ${codeCell(`berth retry ${id} --text "what to do instead"`)} works on this branch and pull request.`;
}

function verdictOf({ state, plan, objections }: BodyFacts): string {
  const verdicts = verifyVerdicts(state);
  const simulated = plan.simulated
    ? '\n\n**Simulated run**: the model’s answers come from a cassette; no model was called.'
    : '';
  if (objections.length > 0) {
    const list = objections
      .map(({ code, sentence }) => `- ${codeCell(code)} ${oneLine(sentence)}`)
      .join('\n');
    return `**Draft: a person has to look at this.**\n\n${list}${simulated}`;
  }
  const old = verdicts.filter((check) => check.verdict === 'preexisting').length;
  const note =
    old === 0
      ? ''
      : ` ${old} of them ${old === 1 ? 'fails' : 'fail'} the same way on the base commit and ${old === 1 ? 'is' : 'are'} not held against this change.`;
  const count = `${verdicts.length} ${verdicts.length === 1 ? 'check' : 'checks'}`;
  if (old === verdicts.length) {
    return `**No new failures**: ${count} ran in a fresh sandbox on exactly this tree. Every one fails, and fails the same way on the base commit, so none confirms the change.${simulated}`;
  }
  return `**Verified**: ${count} ran in a fresh sandbox on exactly this tree, in which no agent has acted.${note}${simulated}`;
}

function waivedOf({ waived = [] }: BodyFacts): string {
  if (waived.length === 0) return '';
  const list = waived.map(({ code, sentence }) => `- ${codeCell(code)} ${oneLine(sentence)}`).join('\n');
  return `**Approved although**\n\n${list}`;
}

function changesOf({ state, files }: BodyFacts): string {
  const { proposal } = state;
  const rows = files
    .slice(0, maxListedFiles)
    .map(
      (file) =>
        `| ${codeCell(file.path, 160)} | ${file.added === null ? 'binary' : `+${file.added}`} | ${file.removed === null ? '' : `-${file.removed}`} |`,
    );
  const rest = files.length > maxListedFiles ? `\n\nand ${files.length - maxListedFiles} more files` : '';
  const total =
    proposal === null
      ? ''
      : `${proposal.files} ${proposal.files === 1 ? 'file' : 'files'}, +${proposal.added} -${proposal.removed}, on base ${codeCell(proposal.base.slice(0, 12))}, tree ${codeCell(proposal.tree.slice(0, 12))}`;
  return `${total}\n\n| file | added | removed |\n|---|---|---|\n${rows.join('\n')}${rest}`;
}

function evidenceOf({ state, plan }: BodyFacts): string {
  if (plan.blueprint.checks.length === 0) {
    return 'No checks known: nothing about this change was verified but that its setup runs.';
  }
  const { verdicts, verified } = shown(state);
  if (verdicts.length === 0) return 'No check ran on this change.';
  const rows = verdicts.map(
    (check) =>
      `| ${codeCell(check.name)} | ${codeCell(check.command)} | ${check.exitCode ?? 'none'} | ${durationText(check.durationMs)} | ${codeCell(check.tree.slice(0, 12))} | ${words(check)} |`,
  );
  const where = verified
    ? 'Run by Berth in a fresh sandbox.'
    : 'These ran in the sandbox in which the agent worked. They are **no verification**.';
  return `${where}\n\n| check | command | exit code | duration | tree | verdict |\n|---|---|---|---|---|---|\n${rows.join('\n')}`;
}

function failuresOf({ state }: BodyFacts): string {
  const parts = shown(state)
    .verdicts.filter((check) => check.failure !== null)
    .slice(0, 6)
    .map(
      (check) =>
        `<details><summary>${check.verdict === 'failed' ? 'Failing' : 'Failing before, too'}: <code>${check.name}</code></summary>\n\n${fenced(check.failure ?? '')}\n\n</details>`,
    );
  return parts.join('\n\n');
}

function runOf({ state, plan, created }: BodyFacts): string {
  const models = Object.entries(plan.models)
    .filter(([, names]) => names.length > 0)
    .map(([slot, names]) => `${slot} ${codeCell(names[0] ?? '')}`)
    .join(', ');
  const model =
    models === ''
      ? 'none'
      : plan.simulated
        ? `${models} (**cassette**, nothing was spent on a model)`
        : models;
  const rows = [
    ['duration', durationText(state.use.activeMs)],
    ['cost', `$${state.use.costUsd.toFixed(2)}`],
    ['tokens', `${state.use.inputTokens} in, ${state.use.outputTokens} out`],
    ['model', model],
    ['blueprint', `${codeCell(plan.blueprint.name)}, ${sourceWords(plan)}`],
    ['base', baseWords(state, plan)],
    ['attempt', String(created.attempt)],
    ...secretRows(state),
  ];
  const table = rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n');
  const limits = `${durationText(state.use.activeMs)} of ${plan.limits.minutes} min, $${state.use.costUsd.toFixed(2)} of $${plan.limits.costUsd.toFixed(2)}, ${roundsOf(state)} of ${plan.limits.rounds} repair rounds`;
  return `<details><summary>The run: ${limits}</summary>\n\n${fenced(runStrip(state.steps))}\n\n| | |\n|---|---|\n${table}\n\n</details>`;
}

function roundsOf({ steps }: RunState): number {
  return Math.max(0, ...steps.map((step) => step.round));
}

function baseWords({ proposal }: RunState, { base }: Plan): string {
  const now = proposal?.base ?? base.commit;
  const began = now === base.commit ? '' : `; the run began on ${codeCell(base.commit.slice(0, 12))}`;
  return `${codeCell(base.ref)} at ${codeCell(now.slice(0, 12))}${began}`;
}

/** Names of what the agent could read, and of what stayed outside. */
function secretRows({ secrets: { exposed, brokered } }: RunState): string[][] {
  const names = (list: readonly string[]): string => list.map((name) => codeCell(name)).join(', ');
  return [
    ...(exposed.length === 0 ? [] : [['**exposed to this run**', names(exposed)]]),
    ...(brokered.length === 0
      ? []
      : [['brokered, not in the sandbox', names(brokered.map(({ name, host }) => `${name} (${host})`))]]),
  ];
}

function reproduceOf({ state, plan, created, fetchUrl }: BodyFacts): string {
  if (state.proposal === null) return '';
  const commands = [
    `git fetch ${fetchUrl === null ? 'origin' : word(fetchUrl)} ${word(created.branch)}`,
    `git checkout ${state.proposal.commit}`,
    ...plan.blueprint.setup.map((command) => script(command.run, command.cwd)),
    ...plan.blueprint.checks.map((check) => script(check.run, check.cwd)),
  ];
  return `<details><summary>How to reproduce</summary>\n\n${fenced(commands.join('\n'), 'sh')}\n\n</details>`;
}

function shown(state: RunState): { readonly verdicts: readonly CheckVerdict[]; readonly verified: boolean } {
  const verify = state.steps.findLast((step) => step.kind === 'verify');
  const check = state.steps.findLast((step) => step.kind === 'check');
  const verified =
    verify !== undefined &&
    verifyVerdicts(state).length > 0 &&
    (check === undefined || state.steps.indexOf(verify) > state.steps.indexOf(check));
  if (verified) return { verdicts: verifyVerdicts(state), verified };
  const last = state.checks.filter((one) => one.step === check?.key);
  return { verdicts: latestByName(last), verified };
}

function words({ verdict }: CheckVerdict): string {
  switch (verdict) {
    case 'passed':
      return 'passed';
    case 'failed':
      return '**failed**';
    case 'preexisting':
      return 'failed before, too';
  }
}

function sourceWords({ source }: Plan): string {
  switch (source.kind) {
    case 'file':
      return `given as ${codeCell(source.path)}`;
    case 'repository':
      return `from ${codeCell(source.path)} at ${codeCell(source.commit.slice(0, 12))}`;
    case 'configuration':
      return `from the configuration, revision ${source.revision}`;
    case 'detected':
      return `detected (${source.ecosystems.join(', ') || 'nothing known'})`;
  }
}

function script(run: string, cwd: string): string {
  return cwd === '.' ? run : `(cd ${quoted(cwd)} && ${run})`;
}

/** A word for a shell: as it is where that is safe to read and to run. */
function word(text: string): string {
  return /^[\w./:@%+=,~-]+$/.test(text) && !/^[-~]/.test(text) ? text : quoted(text);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Sentences may quote output: first line only, as text. */
function oneLine(sentence: string): string {
  return titleText(sentence.split('\n')[0] ?? '', 300).replaceAll(/[<>[\]*_`|\\]/g, String.raw`\$&`);
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}\n… cut`;
}
